import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { client, mountProblem, plainUserProblem, succeed, TestMount } from './harness.ts';

const PYTHON = '/usr/bin/python3';

/** What any user may do with a mount, by coreutils and Python. */
function suite(title: string, asPlainUser: boolean, problem: string | undefined): void {
  describe.skipIf(problem !== undefined)(`${title}${problem === undefined ? '' : ` (${problem})`}`, () => {
    let mount: TestMount;
    const options = { asPlainUser };
    const shell = (script: string): Promise<string> =>
      succeed('bash', ['-euo', 'pipefail', '-c', script], { ...options, cwd: mount.folder });
    const python = (script: string): Promise<string> =>
      succeed(PYTHON, ['-c', `import os, ctypes, mmap\nM = '${mount.mountpoint}/'\n${script}`], options);

    beforeAll(async () => {
      mount = await TestMount.start({ asPlainUser });
    });
    afterAll(async () => {
      expect(await mount.stop()).toBe(0);
    });

    it('copies, lists, moves and removes', async () => {
      const out = await shell(`
        cd mnt; mkdir -p one/two; printf hello > one/a; cp one/a one/two/b; mv one/two/b one/c
        ls one; cat one/c; rmdir one/two; find one | sort; rm -r one; ls`);
      expect(out).toBe('a\nc\ntwo\nhelloone\none/a\none/c\n');
    });

    it('keeps modes, times and links', async () => {
      const out = await shell(`
        cd mnt; touch -d '2001-02-03T04:05:06.5Z' t; chmod 640 t; ln -s t l
        TZ=UTC stat -c '%a %y' t; readlink l; if ln t hard 2>/dev/null; then exit 1; fi; rm t l`);
      expect(out).toBe('640 2001-02-03 04:05:06.500000000 +0000\nt\n');
    });

    it('carries large writes and reads them back', async () => {
      const out = await shell(`
        head -c 9000001 /dev/urandom > original; dd if=original of=mnt/large bs=1M status=none
        cmp original mnt/large; dd if=original of=mnt/odd bs=7001 status=none; cmp original mnt/odd
        truncate -s 5 mnt/large; wc -c < mnt/large; rm original mnt/large mnt/odd`);
      expect(out).toBe('5\n');
    });

    it('names files in any script, refuses bytes that are no text', async () => {
      expect(await shell("cd mnt; touch 'Zellkerne ÄÖ µm 細胞 😀'; ls; rm Zell*")).toBe(
        'Zellkerne ÄÖ µm 細胞 😀\n',
      );
      const refused = await client('bash', ['-c', `touch ${mount.mountpoint}/$'\\xff'`], options);
      expect(refused.code).toBe(1);
      expect(refused.stderr).toMatch(/Invalid or incomplete multibyte/);
    });

    it('lists large folders once each, with attributes', async () => {
      const out = await shell(`
        cd mnt; mkdir many-8000; ls -f many-8000 | sort | uniq | wc -l; find many-8000 -type f -size 0 | wc -l
        ls -l many-8000 | tail -1 | cut -c1-10; rmdir many-8000`);
      expect(out).toBe('8000\n8000\n-rw-r--r--\n');
    });

    it('serves files meant for passthrough, with or without it', async () => {
      const out = await shell(`
        head -c 300000 /dev/urandom > original; cp original mnt/pt-copy; cmp original mnt/pt-copy
        printf tail >> mnt/pt-copy; tail -c 4 mnt/pt-copy; wc -c < mnt/pt-copy; rm original mnt/pt-copy`);
      expect(out).toBe('tail300004\n');
    });

    it('reports the sizes of statfs', async () => {
      expect(await shell("stat -f -c '%b %f %a %c %d %l %S' mnt")).toBe('1000 500 400 100 50 255 4096\n');
    });

    it('has extended attributes with their size protocol', async () => {
      await python(`
p = M + 'x'
open(p, 'w').close()
os.setxattr(p, 'user.well', b'A01\\0\\xff')
assert os.getxattr(p, 'user.well') == b'A01\\0\\xff'
os.setxattr(p, 'user.big', b'v' * 5000)
assert len(os.getxattr(p, 'user.big')) == 5000
assert sorted(os.listxattr(p)) == ['user.big', 'user.well']
libc = ctypes.CDLL(None, use_errno=True)
assert libc.getxattr(p.encode(), b'user.big', ctypes.create_string_buffer(10), 10) == -1
assert ctypes.get_errno() == 34
try: os.setxattr(p, 'user.well', b'', os.XATTR_CREATE); assert False
except FileExistsError: pass
os.removexattr(p, 'user.well')
try: os.getxattr(p, 'user.well'); assert False
except OSError as e: assert e.errno == 61
os.remove(p)`);
    });

    it('allocates, seeks holes, copies ranges', async () => {
      await python(`
fd = os.open(M + 'f', os.O_CREAT | os.O_RDWR)
os.posix_fallocate(fd, 0, 100000)
assert os.fstat(fd).st_size == 100000
os.ftruncate(fd, 0); os.ftruncate(fd, 1 << 20)
os.pwrite(fd, b'd' * 4096, 512 * 1024)
assert os.lseek(fd, 0, os.SEEK_DATA) == 512 * 1024
assert os.lseek(fd, 512 * 1024, os.SEEK_HOLE) == 512 * 1024 + 4096
try: os.lseek(fd, 2 << 20, os.SEEK_DATA); assert False
except OSError as e: assert e.errno == 6
to = os.open(M + 'g', os.O_CREAT | os.O_RDWR)
assert os.copy_file_range(fd, to, 4096, 512 * 1024, 10) == 4096
assert os.pread(to, 5000, 10) == b'd' * 4096
libc = ctypes.CDLL(None, use_errno=True)
assert libc.fallocate(fd, 3, ctypes.c_long(512 * 1024), ctypes.c_long(4096)) == 0
assert os.pread(fd, 4096, 512 * 1024) == bytes(4096)
os.close(fd); os.close(to); os.remove(M + 'f'); os.remove(M + 'g')`);
    });

    it('renames without replacing, and exchanges', async () => {
      await python(`
libc = ctypes.CDLL(None, use_errno=True)
def rename(a, b, flags): return 0 if libc.renameat2(-100, (M + a).encode(), -100, (M + b).encode(), flags) == 0 else ctypes.get_errno()
for n in 'ab': open(M + n, 'w').write(n)
assert rename('a', 'b', 1) == 17
assert rename('a', 'c', 1) == 0
assert rename('b', 'c', 2) == 0
assert open(M + 'b').read() == 'a' and open(M + 'c').read() == 'b'
assert rename('b', 'c', 4) in (1, 22)
os.remove(M + 'b'); os.remove(M + 'c')`);
    });

    it('serves direct I/O, shared maps and locks', async () => {
      await python(`
import fcntl
for n in ('direct-x', 'plain'):
  fd = os.open(M + n, os.O_CREAT | os.O_RDWR)
  os.write(fd, bytes(range(256)) * 64); os.close(fd)
fd = os.open(M + 'plain', os.O_RDWR | os.O_DIRECT)
block = mmap.mmap(-1, 8192)
assert os.preadv(fd, [block], 4096) == 8192 and block[:256] == bytes(range(256))
block[:4] = b'DIRE'
assert os.pwritev(fd, [block], 0) == 8192
os.close(fd)
with open(M + 'plain', 'r+b') as f:
  m = mmap.mmap(f.fileno(), 16384)
  assert m[:4] == b'DIRE'
  m[5000:5004] = b'mmap'; m.flush(); m.close()
assert open(M + 'plain', 'rb').read()[5000:5004] == b'mmap'
assert open(M + 'direct-x', 'rb').read() == bytes(range(256)) * 64
a = open(M + 'plain'); b = open(M + 'plain')
fcntl.flock(a, fcntl.LOCK_EX)
try: fcntl.flock(b, fcntl.LOCK_EX | fcntl.LOCK_NB); assert False
except BlockingIOError: pass
fcntl.lockf(open(M + 'plain', 'r+'), fcntl.LOCK_EX | fcntl.LOCK_NB)
try: fcntl.ioctl(a, 0x1234); assert False
except OSError as e: assert e.errno == 25
try: os.open(M, os.O_TMPFILE | os.O_RDWR); assert False
except OSError as e: assert e.errno == 95
os.remove(M + 'plain'); os.remove(M + 'direct-x')`);
    });

    it('answers reads from another thread, and survives clients that give up', async () => {
      await shell('printf 0123456789 > mnt/slow-file');
      expect(await shell('cat mnt/slow-file & cat mnt/slow-file; wait')).toBe('01234567890123456789');
      await shell('sync; rm mnt/slow-file; printf abcdef > mnt/slower-next');
      const killed = await client(
        'timeout',
        ['-s', 'KILL', '0.05', 'cat', mount.path('slower-next')],
        options,
      );
      expect(killed.code).not.toBe(0);
      expect(await shell('cat mnt/slower-next; rm mnt/slower-next')).toBe('abcdef');
    });

    it('gives the right errors', async () => {
      const out = await client(
        'bash',
        ['-c', 'cd mnt; cat nope; mkdir d; mkdir d; touch d/f; rmdir d; cat d; ls d/f/g; rm -r d'],
        { ...options, cwd: mount.folder },
      );
      expect(out.stderr.match(/: [A-Z][^:\n]*$/gm)).toEqual([
        ': No such file or directory',
        ': File exists',
        ': Directory not empty',
        ': Is a directory',
        ': Not a directory',
      ]);
    });
  });
}

suite(
  'clients of a mount made by root',
  false,
  mountProblem() ?? (process.geteuid?.() === 0 ? undefined : 'not root'),
);
suite('clients of a mount made by a plain user', true, plainUserProblem());

describe.skipIf(plainUserProblem() !== undefined || process.geteuid?.() !== 0)('who may enter', () => {
  it('keeps other users out without allow_other, lets them in with it', async () => {
    const closed = await TestMount.start();
    try {
      const refused = await client('ls', [closed.mountpoint], { asPlainUser: true });
      expect(refused.stderr).toMatch(/Permission denied/);
    } finally {
      await closed.stop();
    }
    const open = await TestMount.start({ allowOther: true });
    try {
      await succeed('bash', ['-c', 'echo mine > mnt/file'], { asPlainUser: true, cwd: open.folder });
      expect(await succeed('stat', ['-c', '%u', open.path('file')])).toBe('65534\n');
    } finally {
      await open.stop();
    }
  });
});
