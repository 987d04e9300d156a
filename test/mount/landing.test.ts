import { spawnSync } from 'node:child_process';
import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { mountProblem } from './harness.ts';
import { PlateMount, PYTHON } from './plate-mount.ts';

const problem =
  mountProblem() ??
  (spawnSync(PYTHON, ['-c', 'import tifffile, zarr']).status === 0
    ? undefined
    : `${PYTHON} with tifffile and zarr is missing`);
const why = problem === undefined ? '' : ` (skipped: ${problem})`;
const MIB = 2 ** 20;
const BUDGET_MIB = 32;

/** Memory that a tmpfs folder takes. */
function usedBytes(folder: string): number {
  if (!existsSync(folder)) return 0;
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => lstatSync(join(folder, name), { throwIfNoEntry: false })?.blocks ?? 0)
    .reduce((sum, blocks) => sum + blocks * 512, 0);
}

/** The most that `work` made the folder hold, looked at from outside every few milliseconds. */
async function peakDuring(folder: string, work: () => Promise<unknown>): Promise<number> {
  let peak = 0;
  const timer = setInterval(() => (peak = Math.max(peak, usedBytes(folder))), 5);
  try {
    await work();
  } finally {
    clearInterval(timer);
  }
  return peak;
}

describe.skipIf(problem)(`written files land in the output folder${why}`, () => {
  it('five times the budget of planes: memory stays within it, pixels and bytes are right', async () => {
    await using mount = await PlateMount.start({ args: ['--budget', `${BUDGET_MIB}MiB`] });
    const image = `
rng = np.random.default_rng(5); noise = rng.integers(90, 700, (2048, 2048), dtype=np.uint16)
def plane(t):
    x = noise.copy(); x[:, (t * 61) % 1900:(t * 61) % 1900 + 100] += np.uint16(t * 300); x[0, 0] = t
    return x
name = lambda t: os.path.join(mnt, 'processed', 'A01_s001_w1_z001_t%03d.tif' % t)
import tifffile
`;
    const peak = await peakDuring(mount.memoryFolder, () =>
      mount.python(`${image}
os.mkdir(os.path.join(mnt, 'processed'))
for t in range(1, 21): tifffile.imwrite(name(t), plane(t))`),
    );
    expect(peak).toBeGreaterThan(4 * MIB);
    expect(peak).toBeLessThanOrEqual((BUDGET_MIB + 1) * MIB);
    const check = `${image}
for t in range(1, 21): assert np.array_equal(tifffile.imread(name(t)), plane(t)), t`;
    await mount.python(check);
    const { files, kept } = await mount.flush();
    expect(kept).toEqual([]);
    const status = await mount.status();
    expect(status['landed']).toMatchObject({ files: 20 });
    expect(files).toBeLessThan(20);
    expect(status.memory.openFilesBytes + status.memory.closedFilesBytes).toBe(0);
    // What is left are notes: which handles are open, and room for checksums.
    expect(usedBytes(mount.memoryFolder)).toBeLessThan(MIB);
    await mount.python(check);
    // Not the mount, but the store on disk, read by zarr-python.
    await mount.python(
      `${image}
import zarr
root = zarr.open(argv[0], mode='r')
plate = root.attrs['plate']
assert plate['version'] == '0.4' and [w['path'] for w in plate['wells']] == ['A/01'], plate
well = root['A/01'].attrs['well']; [field] = well['images']; group = root['A/01'][field['path']]
[m] = group.attrs['multiscales']; assert [a['name'] for a in m['axes']] == ['t', 'c', 'z', 'y', 'x'], m
a = group[m['datasets'][0]['path']]; assert a.shape == (20, 1, 1, 2048, 2048) and a.dtype == np.uint16 and a.chunks == (1, 1, 1, 2048, 2048), (a.shape, a.chunks)
for t in range(1, 21): assert np.array_equal(a[t - 1, 0, 0], plane(t)), t`,
      join(mount.output, 'results.ome.zarr'),
    );
    expect((await mount.umount()).code).toBe(0);
    expect(existsSync(mount.memoryFolder)).toBe(false);
    await mount.mount();
    await mount.python(check);
  });

  it('one file larger than the budget is written, read, changed and landed', async () => {
    await using mount = await PlateMount.start({ args: ['--budget', '16MiB'] });
    const content = `
import hashlib
rng = np.random.default_rng(9); part = rng.bytes(1 << 20)
p = os.path.join(mnt, 'large.bin')
def want(i): return bytes([i]) + part[1:]
`;
    const peak = await peakDuring(mount.memoryFolder, () =>
      mount.python(`${content}
with open(p, 'wb') as f:
    for i in range(48): f.write(want(i))
    f.flush(); os.pwrite(f.fileno(), b'patch', 30 << 20)
with open(p, 'rb') as f:
    for i in range(48): assert f.read(1 << 20) == (b'patch' + part[5:] if i == 30 else want(i)), i`),
    );
    expect(peak).toBeLessThanOrEqual(17 * MIB);
    expect((await mount.flush()).kept).toEqual([]);
    await mount.python(`${content}
with open(p, 'rb') as f:
    for i in range(48): assert f.read(1 << 20) == (b'patch' + part[5:] if i == 30 else want(i)), i
with open(p, 'r+b') as f: f.seek(40 << 20); f.write(b'again')
with open(p, 'ab') as f: f.write(b'end')
with open(p, 'rb') as f:
    for i in range(48): assert f.read(1 << 20) == (b'patch' + part[5:] if i == 30 else b'again' + part[5:] if i == 40 else want(i)), i
    assert f.read() == b'end'`);
    expect((await mount.umount()).code).toBe(0);
    const landed = readFileSync(join(mount.output, 'large.bin'));
    expect(landed.length).toBe(48 * MIB + 3);
    expect(landed.subarray(40 * MIB, 40 * MIB + 5).toString()).toBe('again');
  });

  it('fields, channels, z and t go to their places on the plate; other images and files beside it', async () => {
    await using mount = await PlateMount.start();
    await mount.python(`
import tifffile
d = os.path.join(mnt, 'out'); os.mkdir(d)
for well in ['A01', 'C11']:
    for s in (1, 3):
        for c in (1, 2):
            for z in (1, 2):
                for t in (1, 2):
                    tifffile.imwrite(os.path.join(d, '%s_s%03d_w%d_z%03d_t%03d.tif' % (well, s, c, z, t)), np.full((24, 30), ord(well[0]) * 100 + s * 27 + c * 9 + z * 3 + t, np.uint16))
tifffile.imwrite(os.path.join(mnt, 'stack.tif'), np.arange(5 * 20 * 22, dtype=np.float32).reshape(5, 20, 22))
open(os.path.join(mnt, 'table.csv'), 'w').write('a,b\\n1,2\\n')
os.makedirs(os.path.join(mnt, 'deep', 'er')); open(os.path.join(mnt, 'deep', 'er', 'notes.txt'), 'w').write('notes')`);
    expect((await mount.flush()).kept).toEqual([]);
    await mount.python(
      `
import zarr
root = zarr.open(os.path.join(argv[0], 'results.ome.zarr'), mode='r')
plate = root.attrs['plate']
assert sorted(w['path'] for w in plate['wells']) == ['A/01', 'C/11'], plate
assert {r['name'] for r in plate['rows']} >= {'A', 'C'} and {c['name'] for c in plate['columns']} >= {'01', '11'}
for w in plate['wells']:
    row, column = w['path'].split('/')
    assert plate['rows'][w['rowIndex']]['name'] == row and plate['columns'][w['columnIndex']]['name'] == column
    images = root[w['path']].attrs['well']['images']; assert len(images) == 2
    for field, s in zip(images, (1, 3)):
        g = root[w['path']][field['path']]; a = g[g.attrs['multiscales'][0]['datasets'][0]['path']]
        assert a.shape == (2, 2, 2, 24, 30), a.shape
        for t in (1, 2):
            for c in (1, 2):
                for z in (1, 2): assert (a[t - 1, c - 1, z - 1] == ord(row) * 100 + s * 27 + c * 9 + z * 3 + t).all()
def arrays(g): return [a for _, a in g.arrays()] + [x for _, h in g.groups() for x in arrays(h)]
assert any(a.dtype == np.float32 and a.size == 5 * 20 * 22 and np.array_equal(a[:].ravel(), np.arange(5 * 20 * 22)) for a in arrays(root))
assert open(os.path.join(argv[0], 'table.csv')).read() == 'a,b\\n1,2\\n' and open(os.path.join(argv[0], 'deep', 'er', 'notes.txt')).read() == 'notes'`,
      mount.output,
    );
  });
});
