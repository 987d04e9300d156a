import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ngffProblems } from '../interop/landing/ngff-problems.ts';
import { mountProblem } from './harness.ts';
import { PlateMount, PYTHON } from './plate-mount.ts';

const problem =
  mountProblem() ??
  (spawnSync(PYTHON, ['-c', 'import tifffile']).status === 0
    ? undefined
    : `${PYTHON} with tifffile is missing`);
const why = problem === undefined ? '' : ` (skipped: ${problem})`;

describe.skipIf(problem)(`results in the format that was asked for${why}`, () => {
  it('shards of OME-NGFF 0.5 with levels: each file says where it is, and reads as it was written', async () => {
    const args = ['--output-chunks', 'sharded', '-o', 'output-codec=zstd:1', '--output-levels', '2'];
    await using mount = await PlateMount.start({ args });
    const content = `
import tifffile
rng = np.random.default_rng(21)
plane = lambda t: np.random.default_rng(t).integers(0, 4000, (64, 80), dtype=np.uint16)
name = lambda t: os.path.join(mnt, 'o', 'A01_s001_w1_z001_t%03d.tif' % t)
where = lambda n: os.getxattr(os.path.join(mnt, n), 'user.platefs.residency').decode()
`;
    await mount.python(`${content}
os.mkdir(os.path.join(mnt, 'o'))
for t in range(1, 6): tifffile.imwrite(name(t), plane(t))
tifffile.imwrite(os.path.join(mnt, 'small.tif'), plane(9), compression='zlib')
open(os.path.join(mnt, 'notes.csv'), 'w').write('a,b\\n1,2\\n')
assert where('notes.csv') == 'memory', where('notes.csv')`);
    expect((await mount.flush()).kept).toEqual([]);
    const check = `${content}
for t in (1, 2, 4, 5): assert np.array_equal(tifffile.imread(name(t)), plane(t)), t
assert np.array_equal(tifffile.imread(name(3)), plane(argv and 33 or 3))
assert np.array_equal(tifffile.imread(os.path.join(mnt, 'small.tif')), plane(9))
assert where('o/A01_s001_w1_z001_t001.tif') == 'zarr: put together from its pixels in results.ome.zarr/A/01/0 and its other bytes', where('o/A01_s001_w1_z001_t001.tif')
assert where('small.tif').startswith('verbatim: a copy in .platefs/verbatim/') and where('small.tif').endswith('(it is compressed)'), where('small.tif')
assert where('notes.csv') == 'plain: notes.csv', where('notes.csv')`;
    await mount.python(check);
    expect(ngffProblems(join(mount.output, 'results.ome.zarr'))).toEqual([]);
    await mount.python(`${content}
tifffile.imwrite(name(3), plane(33)); os.rename(name(5), name(7)); os.rename(name(7), name(5))`);
    expect((await mount.flush()).kept).toEqual([]);
    await mount.python(check, 'changed');
    expect((await mount.umount()).code).toBe(0);
    expect(ngffProblems(join(mount.output, 'results.ome.zarr'))).toEqual([]);
    await mount.mount();
    await mount.python(check, 'changed');
  });
});
