import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { client, eventually, mountProblem } from './harness.ts';
import { PlateMount, PYTHON } from './plate-mount.ts';
import { untilLogged } from './told.ts';

const problem = mountProblem();
const why = problem === undefined ? '' : ` (skipped: ${problem})`;
const MIB = 2 ** 20;

/**
 * Reads stacks in parts, past the kernel's page cache, until the stop file is there, and compares each with how it
 * was read first. Keeps a file open that it wrote.
 */
const READ_ON = `
import hashlib, os, sys
mnt, stop = sys.argv[1:]
def read(p):
    h, fd = hashlib.sha256(), os.open(p, os.O_RDONLY)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_RANDOM)
    while b := os.read(fd, 100000): h.update(b)
    os.close(fd)
    return h.hexdigest()
d = os.path.join(mnt, 'stacks')
first = {n: read(os.path.join(d, n)) for n in sorted(os.listdir(d))}
fd = os.open(os.path.join(mnt, 'open.bin'), os.O_RDWR | os.O_CREAT)
part = bytes(range(256)) * 4096
for _ in range(20): os.write(fd, part)
mtime = os.fstat(fd).st_mtime_ns
print('reading', flush=True)
rounds = 0
while not os.path.exists(stop) or rounds == 0:
    for n, h in first.items(): assert read(os.path.join(d, n)) == h, n
    with open(os.path.join(mnt, 'closed.bin'), 'rb') as f: assert f.read() == part
    rounds += 1
assert os.fstat(fd).st_mtime_ns == mtime, (os.fstat(fd).st_mtime_ns, mtime)
for at in range(20): assert os.pread(fd, 1 << 20, at << 20) == part, at
os.pwrite(fd, b'!' * 5000, 7 << 20)
assert os.pread(fd, 5001, 7 << 20) == b'!' * 5000 + part[5000:5001]
os.close(fd)
print(rounds)
`;

/** Writes a file of so many MiB, reading what it wrote before as it goes, then reads all of it. */
const WRITE_LARGE = `
import os, sys
mnt, mib = sys.argv[1], int(sys.argv[2])
block = lambda n: bytes([n & 255, n >> 8, 7, n * 13 & 255]) * (1 << 18)
fd = os.open(os.path.join(mnt, 'large.bin'), os.O_RDWR | os.O_CREAT | os.O_EXCL)
for n in range(mib):
    assert os.write(fd, block(n)) == 1 << 20
    old = n * 7 % (n + 1)
    assert os.pread(fd, 5000, (old << 20) + 4000) == block(old)[4000:9000], (n, old)
os.close(fd)
with open(os.path.join(mnt, 'large.bin'), 'rb', buffering=0) as f:
    for n in range(mib): assert f.read(1 << 20) == block(n), n
    assert f.read(1) == b''
`;

describe.skipIf(problem)(`the memory of a mount${why}`, () => {
  it('decoded pixels, closed and resting files give it up when the system is short of it; reads stay right', async () => {
    const plate = { wells: ['A01', 'A02'], sites: 1, channels: ['DAPI'], zSteps: 2, timePoints: 1 };
    await using mount = await PlateMount.make({
      plate: { ...plate, width: 1024, height: 1024, compression: 'deflate' },
      hasPlenty: true,
      args: ['--budget', '64MiB'],
    });
    const stop = join(mount.folder, 'stop');
    await mount.mount();
    const script = `import sys; open(sys.argv[1] + '/closed.bin', 'wb').write(bytes(range(256)) * 4096)`;
    expect(await client(PYTHON, ['-c', script, mount.mountpoint])).toMatchObject({ code: 0, stderr: '' });
    const reader = client(PYTHON, ['-c', READ_ON, mount.mountpoint, stop], { timeoutMs: 180_000 });
    try {
      await eventually('pixels are kept decoded, and files are held', async () => {
        const { memory } = await mount.status();
        return memory.decodedBytes > 0 && memory.openFilesBytes >= 20 * MIB;
      });
      const before = await mount.status();
      expect(before.waiting).toEqual({ files: 1, sizeBytes: MIB });
      expect(before.memory).toMatchObject({
        budgetBytes: 64 * MIB,
        closedFilesBytes: MIB,
        isTight: false,
        lastReclaim: null,
      });
      // A quarter of what pins and working threads leave.
      expect(before.memory.decodedBoundBytes).toBeGreaterThanOrEqual(6 * MIB);
      mount.sayMemory(64);
      await eventually('all give way', async () => {
        const { memory, waiting } = await mount.status();
        return waiting.files === 0 && memory.openFilesBytes <= 4096 && memory.decodedBoundBytes <= 4 * MIB;
      });
      const { memory, landed } = await mount.status();
      expect(landed).toEqual({ files: 1, sizeBytes: MIB });
      expect(memory).toMatchObject({ isTight: true, closedFilesBytes: 0 });
      expect(memory.reasons).toEqual(['only 64 MiB of memory are available']);
      expect(memory.lastReclaim?.reasons).toEqual(memory.reasons);
      // One plane of a reader may be larger than its bound, while it is being read.
      expect(memory.decodedBytes).toBeLessThanOrEqual(memory.decodedBoundBytes + 4 * 2 * MIB);
      await untilLogged(mount, /memory is tight: only 64 MiB of memory are available/);
      expect(await mount.shell('cat .platefs/metrics')).toMatch(/^platefs_memory_tight 1$/m);
    } finally {
      writeFileSync(stop, '');
      expect(await reader).toMatchObject({ code: 0, stderr: '' });
    }
    mount.sayMemory(8192);
    const { kept } = await mount.flush();
    expect(kept).toEqual([]);
  });

  it('a file of several times the budget is written, read back meanwhile, and lands', async () => {
    await using mount = await PlateMount.make({ args: ['--budget', '24MiB'] });
    await mount.mount();
    const writing = client(PYTHON, ['-c', WRITE_LARGE, mount.mountpoint, '96']);
    let most = 0;
    let isOver = false;
    void writing.finally(() => {
      isOver = true;
    });
    while (!isOver) {
      const { memory } = await mount.status();
      most = Math.max(most, memory.openFilesBytes + memory.closedFilesBytes);
      await new Promise((done) => setTimeout(done, 20));
    }
    expect(await writing).toMatchObject({ code: 0, stderr: '' });
    expect(most).toBeLessThanOrEqual(24 * MIB);
    expect((await mount.flush()).kept).toEqual([]);
    expect(await mount.shell('stat -c %s large.bin && rm large.bin')).toBe(`${96 * MIB}\n`);
  });
});
