import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mountProblem } from './harness.ts';
import { PlateMount, PROGRESS } from './plate-mount.ts';

const problem = mountProblem();
const why = problem === undefined ? '' : ` (skipped: ${problem})`;

/** Statements every case begins with: a folder of its own `d`, paths in it, the errno of a call. */
const HEAD = `
import errno, mmap, ctypes, stat, fcntl, time
d = os.path.join(mnt, argv[0]); os.mkdir(d)
at = lambda *n: os.path.join(d, *n)
libc = ctypes.CDLL(None, use_errno=True)
def put(p, b):
    with open(p, 'wb') as f: f.write(b)
def get(p):
    with open(p, 'rb') as f: return f.read()
def no(call, *a, **k):
    try: call(*a, **k)
    except OSError as e: return errno.errorcode[e.errno]
    return 'done'
def eq(x, y): assert x == y, (x, y)
def renameat2(a, b, flags):
    if libc.renameat2(-100, a.encode(), -100, b.encode(), flags) != 0:
        e = ctypes.get_errno(); raise OSError(e, os.strerror(e))
`;

const CASES: Record<string, string> = {
  'times are kept to the nanosecond': `
put(at('f'), b'x'); os.utime(at('f'), ns=(1234567890_123456789, 987654321_987654321))
s = os.stat(at('f')); eq((s.st_atime_ns, s.st_mtime_ns), (1234567890_123456789, 987654321_987654321))
get(at('f')); eq(os.stat(at('f')).st_mtime_ns, 987654321_987654321)
before = time.time_ns(); os.utime(at('f')); assert os.stat(at('f')).st_mtime_ns >= before - 10**9
os.mkdir(at('sub')); os.utime(at('sub'), ns=(5, 7_000_000_001)); eq(os.stat(at('sub')).st_mtime_ns, 7_000_000_001)
p = os.path.join(mnt, 'images', 'A01_s001_w1_z001_t001.tif'); b = get(p)
os.utime(p, ns=(3, 4)); eq(os.stat(p).st_mtime_ns, 4); eq(get(p), b)`,
  'modes and owners': `
put(at('f'), b'x'); os.chmod(at('f'), 0o640); eq(stat.S_IMODE(os.stat(at('f')).st_mode), 0o640)
os.chmod(at('f'), 0o4755); eq(stat.S_IMODE(os.stat(at('f')).st_mode), 0o4755)
if os.getuid() == 0:
    os.chown(at('f'), 1000, 1001); s = os.stat(at('f')); eq((s.st_uid, s.st_gid), (1000, 1001))
old = os.umask(0o027); put(at('u'), b''); os.mkdir(at('ud')); os.umask(old)
eq(stat.S_IMODE(os.stat(at('u')).st_mode), 0o640); eq(stat.S_IMODE(os.stat(at('ud')).st_mode), 0o750)`,
  'symlinks, and several names of one file': `
put(at('f'), b'x'); os.symlink('f', at('l')); eq(os.readlink(at('l')), 'f'); eq(get(at('l')), b'x')
os.symlink('t' * 4095, at('long')); eq(os.readlink(at('long')), 't' * 4095)
os.symlink('nowhere', at('dangling')); eq(no(get, at('dangling')), 'ENOENT'); eq(os.lstat(at('l')).st_size, 1)
os.link(at('f'), at('g')); put(at('g'), b'both'); eq(get(at('f')), b'both'); eq(os.stat(at('f')).st_nlink, 2); eq(os.stat(at('f')).st_ino, os.stat(at('g')).st_ino)
os.mkdir(at('k')); os.link(at('f'), at('k', 'h')); os.unlink(at('f')); eq(get(at('k', 'h')), b'both'); eq(os.stat(at('g')).st_nlink, 2); eq(sorted(os.listdir(d)), ['dangling', 'g', 'k', 'l', 'long'])
p = os.path.join(mnt, 'images', 'A01_s001_w2_z002_t002.tif'); b = get(p); os.link(p, at('plane')); eq(get(at('plane')), b); eq(get(p), b); eq(os.stat(p).st_nlink, 2)
q = os.path.join(mnt, 'source'); q = os.path.join(q, [n for n in os.listdir(q) if os.path.isfile(os.path.join(q, n))][0]); eq(no(os.link, q, at('out')), 'EXDEV')`,
  'open flags: append, exclusive, truncating, directory': `
f = os.open(at('f'), os.O_CREAT | os.O_EXCL | os.O_WRONLY); os.write(f, b'0123456789'); os.close(f)
eq(no(os.open, at('f'), os.O_CREAT | os.O_EXCL | os.O_WRONLY), 'EEXIST')
a = os.open(at('f'), os.O_WRONLY | os.O_APPEND); b = os.open(at('f'), os.O_WRONLY | os.O_APPEND)
for i in range(20): os.write(a, b'a'); os.write(b, b'b')
os.close(a); os.close(b); eq(get(at('f')), b'0123456789' + b'ab' * 20)
f = os.open(at('f'), os.O_RDWR | os.O_TRUNC); eq(os.fstat(f).st_size, 0); os.close(f)
eq(no(os.open, d, os.O_WRONLY), 'EISDIR'); eq(no(os.open, at('f'), os.O_DIRECTORY), 'ENOTDIR'); eq(no(os.open, at('none'), os.O_RDONLY), 'ENOENT')
eq(no(os.open, at('f', 'x'), os.O_CREAT | os.O_WRONLY), 'ENOTDIR')`,
  'truncate shrinks and grows with zeros': `
put(at('f'), b'abcdefgh'); os.truncate(at('f'), 3); eq(get(at('f')), b'abc'); os.truncate(at('f'), 10); eq(get(at('f')), b'abc' + bytes(7))
with open(at('f'), 'r+b') as f: f.truncate(5000); f.seek(4990); f.write(b'z'); eq(os.fstat(f.fileno()).st_size, 5000)
g = get(at('f')); eq((len(g), g[4990:4991], g[:3]), (5000, b'z', b'abc'))
os.truncate(at('f'), 0); os.truncate(at('f'), 4); eq(get(at('f')), bytes(4))`,
  'holes: seek data and hole, few blocks': `
with open(at('f'), 'wb') as f: f.truncate(8 << 20); f.seek(4 << 20); f.write(b'd' * 4096)
f = os.open(at('f'), os.O_RDONLY)
eq(os.lseek(f, 0, os.SEEK_DATA), 4 << 20); eq(os.lseek(f, 4 << 20, os.SEEK_HOLE), (4 << 20) + 4096); eq(os.lseek(f, 0, os.SEEK_HOLE), 0)
eq(no(os.lseek, f, (4 << 20) + 4096, os.SEEK_DATA), 'ENXIO'); assert os.fstat(f).st_blocks * 512 < 1 << 20, os.fstat(f).st_blocks
eq(os.pread(f, 3, (4 << 20) - 1), b'\\0dd')
p = os.open(os.path.join(mnt, 'images', 'A01_s001_w1_z001_t002.tif'), os.O_RDONLY); n = os.fstat(p).st_size
eq(os.lseek(p, 5, os.SEEK_DATA), 5); eq(os.lseek(p, 5, os.SEEK_HOLE), n); eq(no(os.lseek, p, n, os.SEEK_DATA), 'ENXIO')`,
  'fallocate: reserve, keep size, punch, zero': `
put(at('f'), b'x' * 20000); f = os.open(at('f'), os.O_RDWR)
os.posix_fallocate(f, 0, 40000); eq(os.fstat(f).st_size, 40000)
def fa(mode, o, n):
    if libc.fallocate(f, mode, ctypes.c_int64(o), ctypes.c_int64(n)) != 0: raise OSError(ctypes.get_errno(), '')
fa(1, 0, 80000); eq(os.fstat(f).st_size, 40000)
fa(3, 4096, 8192); eq(os.fstat(f).st_size, 40000)
b = get(at('f')); eq(b, b'x' * 4096 + bytes(8192) + b'x' * (20000 - 12288) + bytes(20000))
fa(0x10, 39990, 100); eq(os.fstat(f).st_size, 40090); fa(0x11, 0, 5); eq(get(at('f'))[:8], bytes(5) + b'xxx'); eq(no(fa, 8, 0, 4096), 'ENOTSUP'); eq(no(fa, 32, 0, 4096), 'ENOTSUP')`,
  'copy_file_range and sendfile': `
put(at('a'), bytes(range(256)) * 4096); i = os.open(at('a'), os.O_RDONLY); o = os.open(at('b'), os.O_CREAT | os.O_RDWR)
left = 1 << 20
while left: n = os.copy_file_range(i, o, left); assert n > 0; left -= n
eq(get(at('b')), get(at('a')))
eq(os.copy_file_range(i, o, 300, 10, 5), 300); eq(os.pread(o, 300, 5), os.pread(i, 300, 10)); eq(os.copy_file_range(i, o, 10, 1 << 20), 0)
p = os.open(os.path.join(mnt, 'images', 'A01_s001_w2_z001_t001.tif'), os.O_RDONLY); n = os.fstat(p).st_size
o = os.open(at('c'), os.O_CREAT | os.O_RDWR); done = 0
while done < n: done += os.copy_file_range(p, o, n - done)
eq(get(at('c')), os.pread(p, n, 0))
o = os.open(at('e'), os.O_CREAT | os.O_RDWR); eq(os.sendfile(o, i, 0, 5000), 5000); eq(get(at('e')), get(at('a'))[:5000])`,
  'shared memory maps are written and seen': `
put(at('f'), bytes(70000)); f = os.open(at('f'), os.O_RDWR); m = mmap.mmap(f, 70000)
m[5:9] = b'mmap'; m[69990:] = b'y' * 10; m.flush(); eq(os.pread(f, 4, 5), b'mmap'); os.pwrite(f, b'write', 100); eq(m[100:105], b'write')
m.close(); os.close(f); b = get(at('f')); eq((b[5:9], b[69990:], b[100:105], len(b)), (b'mmap', b'y' * 10, b'write', 70000))
p = os.open(os.path.join(mnt, 'images', 'A01_s002_w1_z001_t001.tif'), os.O_RDONLY); m = mmap.mmap(p, 0, prot=mmap.PROT_READ); eq(m[:], os.pread(p, 1 << 20, 0))
q = os.path.join(mnt, 'images', 'A01_s002_w1_z001_t002.tif'); b = get(q); f = os.open(q, os.O_RDWR); m = mmap.mmap(f, 0); m[0:2] = b'ZZ'; m.flush(); m.close(); os.close(f); eq(get(q), b'ZZ' + b[2:])
x = mmap.mmap(os.open(q, os.O_RDONLY), 0, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_WRITE); x[0:2] = b'QQ'; eq(get(q)[:2], b'ZZ')`,
  'rename: over, exchange, no replace, into itself': `
put(at('a'), b'A'); put(at('b'), b'B'); eq(no(renameat2, at('a'), at('b'), 1), 'EEXIST'); renameat2(at('a'), at('b'), 2); eq((get(at('a')), get(at('b'))), (b'B', b'A'))
renameat2(at('a'), at('c'), 1); eq(sorted(os.listdir(d)), ['b', 'c']); os.rename(at('c'), at('b')); eq((get(at('b')), os.listdir(d)), (b'B', ['b']))
os.makedirs(at('x', 'y')); put(at('x', 'y', 'f'), b'f'); eq(no(os.rename, at('x'), at('x', 'y', 'z')), 'EINVAL'); os.mkdir(at('e'))
eq(no(os.rename, at('e'), at('x')), 'ENOTEMPTY'); eq(no(os.rename, at('b'), at('x')), 'EISDIR'); eq(no(os.rename, at('x'), at('b')), 'ENOTDIR')
os.rename(at('x'), at('e')); eq(get(at('e', 'y', 'f')), b'f'); renameat2(at('e'), at('b'), 2); eq(get(at('b', 'y', 'f')), b'f'); eq(get(at('e')), b'B')
i = os.path.join(mnt, 'images'); n = sorted(os.listdir(i))[8:10]; one, two = [os.path.join(i, x) for x in n]; p, q = get(one), get(two); assert p != q
renameat2(one, two, 2); eq((get(one), get(two)), (q, p)); renameat2(one, two, 2); eq((get(one), get(two)), (p, q))
os.rename(at('b'), at('b')); eq(no(os.rename, at('none'), at('q')), 'ENOENT')`,
  'an unlinked file lives while it is open': `
f = os.open(at('f'), os.O_CREAT | os.O_RDWR); os.write(f, b'one'); os.unlink(at('f')); eq(os.listdir(d), [])
os.write(f, b'two'); eq(os.pread(f, 10, 0), b'onetwo'); eq(os.fstat(f).st_nlink, 0); put(at('f'), b'other'); eq(os.pread(f, 10, 0), b'onetwo'); os.ftruncate(f, 2); eq(os.pread(f, 10, 0), b'on'); os.close(f); eq(get(at('f')), b'other')
put(at('g'), b'old'); g = os.open(at('g'), os.O_RDONLY); put(at('h'), b'new'); os.rename(at('h'), at('g')); eq(os.read(g, 9), b'old'); eq(get(at('g')), b'new')
p = os.path.join(mnt, 'images', 'A01_s002_w2_z001_t001.tif'); b = get(p); f = os.open(p, os.O_RDONLY); os.unlink(p); eq(os.pread(f, 1 << 20, 0), b); eq(no(os.stat, p), 'ENOENT'); put(p, b)
os.mkdir(at('dir')); c = os.open(at('dir'), os.O_RDONLY); os.rmdir(at('dir')); eq(no(os.open, 'x', os.O_CREAT | os.O_WRONLY, dir_fd=c), 'ENOENT')`,
  'long names, deep paths, odd names': `
n = 'n' * 255; put(at(n), b'long'); eq(get(at(n)), b'long'); eq(no(put, at('n' * 256), b''), 'ENAMETOOLONG'); eq(no(os.mkdir, at('é' * 128)), 'ENAMETOOLONG'); put(at('é' * 127), b'u'); eq(no(os.rename, at(n), at('m' * 256)), 'ENAMETOOLONG')
for o in ['with space', 'tab\\there', 'new\\nline', 'quote"\\'', '*?[x]', '-rf', '日本', 'a\\\\b', '.hidden', 'é', 'e\\u0301']: put(at(o), o.encode()); eq(get(at(o)), o.encode())
bad = d.encode() + b'/latin\\xe9'; r = no(put, bad, b'b')
if r == 'done': eq(get(bad), b'b'); assert b'latin\\xe9' in os.listdir(d.encode())
else: assert r in ('EILSEQ', 'EINVAL'), r
p = d
for i in range(60): p = os.path.join(p, 'deep%02d' % i); os.mkdir(p)
put(os.path.join(p, 'f'), b'bottom'); eq(get(os.path.join(p, 'f')), b'bottom'); assert len(p) > 400
import shutil; shutil.rmtree(at('deep00')); assert 'deep00' not in os.listdir(d)`,
  'directories: counts, refusals, parents': `
os.mkdir(at('a')); eq(no(os.mkdir, at('a')), 'EEXIST'); put(at('a', 'f'), b''); eq(no(os.rmdir, at('a')), 'ENOTEMPTY'); eq(no(os.rmdir, at('a', 'f')), 'ENOTDIR'); eq(no(os.unlink, at('a')), 'EISDIR'); os.unlink(at('a', 'f')); os.rmdir(at('a')); eq(no(os.rmdir, at('a')), 'ENOENT')
eq(no(os.mkdir, at('no', 'parent')), 'ENOENT'); eq(no(os.rmdir, os.path.join(mnt, 'source')), 'EROFS'); eq(no(os.rmdir, os.path.join(mnt, '.platefs')), 'EROFS')
put(at('f'), b''); t = os.stat(d).st_mtime_ns; time.sleep(0.02); os.unlink(at('f')); assert os.stat(d).st_mtime_ns > t
f = os.open(d, os.O_RDONLY); os.fsync(f); names = [e.name for e in os.scandir(d)]; eq(names, [])
ino = os.stat(d).st_ino; eq(os.stat(at('..')).st_ino, os.stat(mnt).st_ino); put(at('k'), b''); eq([e.inode() for e in os.scandir(d)], [os.stat(at('k')).st_ino])`,
  'extended attributes are set, listed, replaced, removed': `
put(at('f'), b'x'); os.setxattr(at('f'), 'user.colour', b'blue'); eq(os.getxattr(at('f'), 'user.colour'), b'blue'); assert 'user.colour' in os.listxattr(at('f'))
eq(no(os.setxattr, at('f'), 'user.colour', b'x', os.XATTR_CREATE), 'EEXIST'); os.setxattr(at('f'), 'user.colour', b'red', os.XATTR_REPLACE); eq(os.getxattr(at('f'), 'user.colour'), b'red'); eq(no(os.setxattr, at('f'), 'user.none', b'x', os.XATTR_REPLACE), 'ENODATA')
os.removexattr(at('f'), 'user.colour'); eq(no(os.getxattr, at('f'), 'user.colour'), 'ENODATA'); eq(no(os.removexattr, at('f'), 'user.colour'), 'ENODATA')
p = os.path.join(mnt, 'images', 'A01_s002_w2_z001_t002.tif'); b = get(p); os.setxattr(p, 'user.mine', b'1'); eq(os.getxattr(p, 'user.mine'), b'1'); eq(get(p), b)`,
  'locks, fsync, statvfs, special files': `
put(at('f'), b'x'); a = os.open(at('f'), os.O_RDWR); b = os.open(at('f'), os.O_RDWR); fcntl.flock(a, fcntl.LOCK_EX); eq(no(fcntl.flock, b, fcntl.LOCK_EX | fcntl.LOCK_NB), 'EAGAIN'); fcntl.flock(a, fcntl.LOCK_UN); fcntl.flock(b, fcntl.LOCK_EX | fcntl.LOCK_NB)
fcntl.lockf(a, fcntl.LOCK_EX | fcntl.LOCK_NB, 1); os.fsync(a); os.fdatasync(a); os.close(a); os.close(b)
v = os.statvfs(mnt); assert v.f_bavail > 0 and v.f_namemax == 255
os.mkfifo(at('p')); assert stat.S_ISFIFO(os.stat(at('p')).st_mode)
n = 300 << 10; put(at('w'), bytes(n)); f = os.open(at('w'), os.O_RDWR)
for i in range(0, n, 1000): os.pwrite(f, bytes([i // 1000 % 256]) * 1000, i)
got = get(at('w')); assert all(got[i] == i // 1000 % 256 for i in range(0, n, 997))`,
  'two writers and a reader of one file agree': `
f = os.open(at('f'), os.O_CREAT | os.O_RDWR); g = os.open(at('f'), os.O_RDWR); h = os.open(at('f'), os.O_RDONLY)
for i in range(64):
    os.pwrite(f if i % 2 else g, bytes([i]) * 3000, i * 3000); eq(os.pread(h, 3000, i * 3000), bytes([i]) * 3000); eq(os.fstat(h).st_size, (i + 1) * 3000)
os.close(f); r = open(at('f'), 'rb'); os.pwrite(g, b'late', 5); eq(os.pread(h, 4, 5), b'late'); eq(os.pread(r.fileno(), 4, 5), b'late'); os.ftruncate(g, 6); eq(os.pread(r.fileno(), 99, 0), b'\\0' * 5 + b'l')
os.close(g); s = open(at('f'), 'rb'); w = os.open(at('f'), os.O_WRONLY); os.pwrite(w, b'while sealed file is open', 0); eq(os.pread(s.fileno(), 25, 0), b'while sealed file is open'); eq(os.pread(r.fileno(), 25, 0), b'while sealed file is open')`,
};

describe.skipIf(problem).each([
  { title: 'with passthrough', args: [] },
  { title: 'without passthrough', args: ['-o', 'nopassthrough'] },
])(`file system calls in a mount, $title${why}`, ({ args }) => {
  let mount: PlateMount;
  beforeAll(async () => {
    mount = await PlateMount.start({ args });
  });
  afterAll(async () => {
    await mount?.remove();
  });

  it.each(Object.keys(CASES))('%s', async (name) => {
    await mount.python(HEAD + CASES[name], `case ${Object.keys(CASES).indexOf(name)}`);
  });

  it('all of it lands, and reads the same after mounting again', async () => {
    const sums = `
import hashlib, stat
out = {}
for d, ds, ns in os.walk(mnt.encode()):
    if b'/.platefs' in d: continue
    for n in ns:
        p = os.path.join(d, n)
        s = os.lstat(p)
        if stat.S_ISREG(s.st_mode): out[p.decode('utf8', 'backslashreplace')] = [hashlib.sha256(open(p, 'rb').read()).hexdigest(), s.st_size, s.st_mode, s.st_uid]
        # Rendered files carry the time of the mount.
        if stat.S_ISREG(s.st_mode) and n != b'openhcs_metadata.json': out[p.decode('utf8', 'backslashreplace')].append(s.st_mtime_ns)
        elif stat.S_ISLNK(s.st_mode): out[p.decode('utf8', 'backslashreplace')] = os.readlink(p.decode())
print(json.dumps(out))`;
    const before: unknown = JSON.parse(await mount.python(sums));
    expect((await mount.flush()).kept).toEqual([]);
    expect(JSON.parse(await mount.python(sums))).toEqual(before);
    const { code, stdout, stderr } = await mount.umount();
    expect({ code, stderr }, stdout).toEqual({ code: 0, stderr: expect.stringMatching(PROGRESS) });
    await mount.mount();
    expect(JSON.parse(await mount.python(sums))).toEqual(before);
  });
});
