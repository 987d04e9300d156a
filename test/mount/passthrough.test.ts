import { describe, expect, it } from 'vitest';
import { client, mountProblem, succeed, TestMount } from './harness.ts';

const problem = mountProblem() ?? (process.geteuid?.() === 0 ? undefined : 'not root');

describe.skipIf(problem !== undefined)(`passthrough${problem === undefined ? '' : ` (${problem})`}`, () => {
  it('reads and writes the backing file without the daemon', async () => {
    const mount = await TestMount.start();
    try {
      await succeed(
        'bash',
        ['-c', 'head -c 3000000 /dev/urandom > ref; cp ref mnt/pt-file; cmp ref mnt/pt-file'],
        {
          cwd: mount.folder,
        },
      );
      // A stopped daemon serves nothing: what is read from an open file then comes from the backing file.
      const script = `
import os, signal
f = os.open('mnt/pt-file', os.O_RDWR)
os.pwrite(f, b'first', 0)  # the kernel asks for capabilities before the first write only
os.kill(${await mount.daemonPid()}, signal.SIGSTOP)
try:
  assert os.pread(f, 1000000, 1000000) == open('ref', 'rb').read()[1000000:2000000]
  os.pwrite(f, b'written', 5)
  assert os.pread(f, 7, 5) == b'written'
finally:
  os.kill(${await mount.daemonPid()}, signal.SIGCONT)`;
      const kernel = await succeed('uname', ['-r']);
      const [major = 0, minor = 0] = kernel.split('.').map(Number);
      const stopped = await client('/usr/bin/python3', ['-c', script], {
        cwd: mount.folder,
        timeoutMs: 30_000,
      });
      if (major > 6 || (major === 6 && minor >= 9)) expect(stopped).toMatchObject({ code: 0, stderr: '' });
      expect(await succeed('tail', ['-c', '10', mount.path('pt-file')])).toBe(
        await succeed('tail', ['-c', '10', `${mount.folder}/ref`]),
      );
    } finally {
      await mount.stop();
    }
  });

  it('has one mode per node: a name that changes its mode is refused while it is open', async () => {
    const mount = await TestMount.start();
    try {
      const script = `
import os, errno
open('pt-a', 'w').write('bytes')
held = os.open('pt-a', os.O_RDONLY)
os.rename('pt-a', 'plain')
try: os.close(os.open('plain', os.O_RDONLY)); print('opened')
except OSError as e: print(errno.errorcode[e.errno])
os.close(held)
print(open('plain').read())`;
      const out = await client('/usr/bin/python3', ['-c', script], { cwd: mount.mountpoint });
      expect(out).toMatchObject({ code: 0 });
      expect(['EIO\nbytes\n', 'opened\nbytes\n']).toContain(out.stdout);
    } finally {
      await mount.stop();
    }
  });
});
