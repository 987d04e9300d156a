import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { client, mountProblem, PLAIN_USER, plainUserProblem } from './harness.ts';
import { PlateMount, PYTHON, SMALL_PLATE } from './plate-mount.ts';

const plainProblem =
  plainUserProblem() ?? (process.geteuid?.() === 0 ? undefined : 'only root can become another user');
const rootProblem = mountProblem() ?? (process.geteuid?.() === 0 ? undefined : 'needs root');
const hasPython = spawnSync(PYTHON, ['-c', 'import tifffile']).status === 0;
const note = (problem: string | undefined): string => (problem === undefined ? '' : ` (skipped: ${problem})`);

/** Writes, reads and reopens, reads planes and stacks; prints the SHA-256 of all that is shown. */
const WORK = `
import hashlib, mmap
i = os.path.join(mnt, 'images'); sums = {}
for f in ('images', 'stacks'):
    for n in sorted(os.listdir(os.path.join(mnt, f))):
        p = os.path.join(mnt, f, n); b = open(p, 'rb').read(); sums[f + '/' + n] = hashlib.sha256(b).hexdigest()
        with open(p, 'rb') as h:
            m = mmap.mmap(h.fileno(), 0, prot=mmap.PROT_READ); assert m[:] == b
            for at in range(0, len(b), 997): assert os.pread(h.fileno(), 13, at) == b[at:at + 13]
p = os.path.join(mnt, 'written'); open(p, 'wb').write(bytes(range(256)) * 1000); assert open(p, 'rb').read() == bytes(range(256)) * 1000
# A sealed file with readers is written by somebody else: all of them see the new bytes.
r = [os.open(p, os.O_RDONLY) for _ in range(3)]; assert all(os.pread(x, 4, 0) == bytes(range(4)) for x in r)
m = mmap.mmap(r[0], 0, prot=mmap.PROT_READ); assert m[:4] == bytes(range(4))
w = os.open(p, os.O_RDWR); os.pwrite(w, b'NEW!', 0); assert all(os.pread(x, 4, 0) == b'NEW!' for x in r), [os.pread(x, 4, 0) for x in r]
os.pwrite(w, b'tail', 256000); assert all(os.pread(x, 9, 256000) == b'tail' for x in r); assert m[:4] == b'NEW!', m[:4]
os.close(w); late = os.open(p, os.O_RDONLY); assert os.pread(late, 4, 0) == b'NEW!'
w2 = os.open(p, os.O_WRONLY); os.pwrite(w2, b'TWICE', 8); assert all(os.pread(x, 5, 8) == b'TWICE' for x in r + [late])
sums['written'] = hashlib.sha256(open(p, 'rb').read()).hexdigest()
print(json.dumps(sums))`;

describe.skipIf(rootProblem)(`root${note(rootProblem)}`, () => {
  it('sees the same bytes with passthrough and without, also while others write', async () => {
    const seen: unknown[] = [];
    for (const args of [[], ['-o', 'nopassthrough']]) {
      await using mount = await PlateMount.start({ args });
      seen.push(JSON.parse(await mount.python(WORK)));
    }
    expect(seen[1]).toEqual(seen[0]);
  });

  it('a writer and readers of one file in several processes agree', async () => {
    await using mount = await PlateMount.start();
    await mount.python(
      `
import subprocess, time
p = os.path.join(mnt, 'log'); block = 5000; count = 200
open(p, 'wb').close()
# How many writes have returned: before, the kernel may show a file's new size and not yet its end.
done = argv[0]
open(done, 'w').write('0')
reader = '''
import os, sys, time
p, done, block, count = sys.argv[1], sys.argv[2], 5000, 200
seen = 0; end = time.monotonic() + 80
while seen < count:
    assert time.monotonic() < end, seen
    seen = int(open(done).read() or 0)
    f = os.open(p, os.O_RDONLY); n = os.fstat(f).st_size
    assert n >= seen * block, (n, seen)
    for i in range(seen):
        b = os.pread(f, block, i * block); assert b == bytes([i]) * block, (i, n, len(b), b[:10])
    rest = os.pread(f, n, seen * block)
    assert all(x == seen + j // block for j, x in enumerate(rest)), (seen, n, len(rest))
    os.close(f)
'''
readers = [subprocess.Popen([sys.executable, '-c', reader, p, done]) for _ in range(2)]
for i in range(count):
    with open(p, 'ab', buffering=0) as f: f.write(bytes([i]) * block)
    with open(done + '.new', 'w') as f: f.write(str(i + 1))
    os.rename(done + '.new', done)
assert [r.wait(90) for r in readers] == [0, 0]`,
      join(mount.folder, 'done'),
    );
  });

  it('mounted with allow_other, other users read and are held to the modes', async () => {
    await using mount = await PlateMount.start({ args: ['-o', 'allow_other'] });
    await mount.shell(
      'mkdir open closed; chmod 777 open; chmod 700 closed; echo x > closed/f; echo y > open/f',
    );
    const asNobody = (script: string) =>
      client('sh', ['-c', `cd ${mount.mountpoint}; ${script}`], { asPlainUser: true });
    expect((await asNobody('cat images/* | wc -c; cat open/f')).stdout).toMatch(/^\d{4,}\ny\n$/);
    expect((await asNobody('cat closed/f')).stderr).toContain('Permission denied');
    expect((await asNobody('echo z > images/new')).stderr).toContain('Permission denied');
    expect((await asNobody('echo z > open/f')).stderr).toContain('Permission denied');
    expect(await asNobody('echo z > open/own; cat open/own; stat -c %u:%g open/own')).toMatchObject({
      stdout: `z\n${PLAIN_USER.uid}:${PLAIN_USER.gid}\n`,
      stderr: '',
    });
  });
});

describe.skipIf(plainProblem)(`a plain user${note(plainProblem)}`, () => {
  it('mounts, reads, writes, flushes, unmounts and mounts again', async () => {
    await using mount = await PlateMount.start({ asPlainUser: true });
    const first = JSON.parse(await mount.python(WORK)) as Record<string, string>;
    const { uid } = PLAIN_USER;
    expect(await mount.shell('stat -c %u . images written source .platefs/status.json | sort -u')).toBe(
      `${uid}\n`,
    );
    // Nobody else sees anything of it, root included.
    const root = await client('ls', [mount.mountpoint]);
    expect(root.stderr).toContain('Permission denied');
    await mount.shell(
      'tar cf all.tar stacks; mkdir t; tar xf all.tar -C t; diff -r stacks t/stacks; rm -r t',
    );
    expect((await mount.flush()).kept).toEqual([]);
    expect((await mount.umount()).code).toBe(0);
    await mount.mount();
    expect(JSON.parse(await mount.python(WORK))).toEqual(first);
    expect((await mount.status()).resumedCount).toBe(0);
  });

  it.skipIf(!hasPython)('runs rules on what is written (needs tifffile)', async () => {
    await using mount = await PlateMount.start({
      asPlainUser: true,
      plate: { ...SMALL_PLATE, wells: ['A01'], width: 200, height: 160 },
      hooks: `
  - name: cells
    on: "inbox/*.tif"
    steps: [gaussian: { sigma: 1 }, otsu, label, measure]
    outputs: { label: "results/{stem}_labels.tif", measure: "results/objects.csv" }
`,
    });
    await mount.python(`
import time, tifffile
os.mkdir(os.path.join(mnt, 'inbox')); r = os.path.join(mnt, 'results')
open(os.path.join(mnt, 'inbox', 'a.tif'), 'wb').write(open(os.path.join(mnt, 'images', 'A01_s001_w1_z001_t001.tif'), 'rb').read())
end = time.monotonic() + 80
while not os.path.exists(os.path.join(r, 'a_labels.tif')): assert time.monotonic() < end; time.sleep(0.02)
assert tifffile.imread(os.path.join(r, 'a_labels.tif')).max() > 0 and open(os.path.join(r, 'objects.csv')).readline().startswith('label,area')`);
    expect((await mount.umount()).code).toBe(0);
  });
});
