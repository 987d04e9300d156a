import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ngffProblems } from '../interop/landing/ngff-problems.ts';
import { mountProblem } from './harness.ts';
import { PlateMount, PYTHON } from './plate-mount.ts';

const problem =
  mountProblem() ??
  (spawnSync(PYTHON, ['-c', 'import tifffile']).status === 0
    ? undefined
    : `${PYTHON} with tifffile is missing`);
const why = problem === undefined ? '' : ` (skipped: ${problem})`;

const RULES = `
  - name: count
    on: inbox/*_w1_*001.tif
    steps:
      - gaussian: { sigma: 1.5 }
      - otsu
      - label
      - measure
    outputs:
      label: results/{stem}_labels.tif
      measure: results/{stem}.csv`;

const FILES = `
import tifffile
def plane(seed): return np.random.default_rng(seed).integers(0, 4000, (40, 48), dtype=np.uint16)
names = ['A01_s001_w1_z001_t001.tif', 'A01_s001_w2_z001_t001.tif', 'A01_s001_w1_z002_t002.tif', 'A01_s002_w1_z001_t001.tif', 'B03_s001_w1_z001_t001.tif']
`;

describe.skipIf(problem)(`what is known of results${why}`, () => {
  let mount: PlateMount;
  beforeAll(async () => {
    mount = await PlateMount.start({
      plate: { wells: ['A01', 'B03'], sites: 2, width: 48, height: 40, channels: ['DAPI', 'FITC'] },
      hooks: RULES,
      args: ['-o', 'output-layout=openhcs'],
    });
    await mount.python(`${FILES}
os.mkdir(os.path.join(mnt, 'corrected'))
for i, name in enumerate(names): tifffile.imwrite(os.path.join(mnt, 'corrected', name), plane(10 + i))
tifffile.imwrite(os.path.join(mnt, 'corrected', 'A01_s001_w1_z009_t001.tif'), plane(9))`);
    expect((await mount.flush()).kept).toEqual([]);
  });
  afterAll(async () => {
    await mount?.remove();
  });

  it('stands in their store: which file and rule made them, and what the plate says of their planes', async () => {
    await mount.python(`
import tifffile, time
os.mkdir(os.path.join(mnt, 'inbox'))
for name in ('A01_s001_w1_z001_t001.tif', 'A01_s001_w2_z001_t001.tif'):
    tifffile.imwrite(os.path.join(mnt, 'inbox', name), tifffile.imread(os.path.join(mnt, 'images', name)))
tifffile.imwrite(os.path.join(mnt, 'inbox', 'A01_s001_w1_z001_t001_half.tif'), np.zeros((20, 24), np.uint16))
label = os.path.join(mnt, 'results', 'A01_s001_w1_z001_t001_labels.tif')
end = time.monotonic() + 80
while not os.path.exists(label): time.sleep(0.02); assert time.monotonic() < end
made = json.loads(os.getxattr(label, 'user.platefs.made-by'))
assert made['rule'] == 'count' and made['input']['path'] == 'inbox/A01_s001_w1_z001_t001.tif', made
assert 'user.platefs.made-by' in os.listxattr(label) and len(set(os.listxattr(label))) == len(os.listxattr(label))
try: os.setxattr(label, 'user.platefs.made-by', b'me'); assert False
except OSError: pass`);
    expect((await mount.flush()).kept).toEqual([]);
    const store = join(mount.output, 'results.ome.zarr');
    // biome-ignore lint/suspicious/noExplicitAny: the metadata under test has any shape
    const json = (path: string): any => JSON.parse(readFileSync(join(store, path, '.zattrs'), 'utf8'));
    expect(ngffProblems(store)).toEqual([]);
    const fields: string[] = json('A/01').well.images.map(({ path }: { path: string }) => path);
    const images = fields.map((path) => json(`A/01/${path}`));
    const [image, half] = ['inbox', 'inbox _half'].map((group) =>
      images.find(({ platefs }) => platefs.group === group),
    );
    const [, , , y, x] = image.multiscales[0].datasets[0].coordinateTransformations[0].scale;
    expect([y, x]).toEqual([0.6842, 0.6842]);
    expect(image.multiscales[0].axes[4]).toEqual({ name: 'x', type: 'space', unit: 'micrometer' });
    expect(image.omero.channels.map(({ label }: { label: string }) => label)).toEqual(['DAPI', 'FITC']);
    expect(Object.keys(image.platefs.written)).toEqual(['0.0.0', '0.1.0']);
    expect(image.platefs.written['0.1.0']).toMatchObject({ file: 'inbox/A01_s001_w2_z001_t001.tif' });
    expect(image.platefs.written['0.1.0'].hook).toBeUndefined();
    // It has other pixels than the plate.
    expect(half.multiscales[0].axes[4]).toEqual({ name: 'x', type: 'space' });
    const at = fields.find((path) => json(`A/01/${path}`).platefs.group === 'inbox');
    const label = json(
      `A/01/${at}/labels/A01_s001_w1_z001_t001_labels`.replace('A01_s001_w1_z001_t001_', ''),
    );
    const hook = {
      rule: 'count',
      input: { path: 'inbox/A01_s001_w1_z001_t001.tif' },
      steps: [
        { hook: 'gaussian', params: { sigma: 1.5 } },
        { hook: 'otsu' },
        { hook: 'label' },
        { hook: 'measure' },
      ],
    };
    expect(label.platefs.written['0.0.0']).toMatchObject({
      file: 'results/A01_s001_w1_z001_t001_labels.tif',
      hook,
    });
    expect(label.multiscales[0].datasets).toEqual(image.multiscales[0].datasets);
    const table = json('tables/results_A01_s001_w1_z001_t001');
    expect(table.platefs.written.all).toMatchObject({ file: 'results/A01_s001_w1_z001_t001.csv', hook });
    // It comes along with a name.
    await mount.python(`
os.rename(label := os.path.join(mnt, 'results', 'A01_s001_w1_z001_t001_labels.tif'), label.replace('_labels', '_masks'))`);
    expect((await mount.flush()).kept).toEqual([]);
    expect(json(`A/01/${at}/labels/masks`).platefs.written['0.0.0']).toMatchObject({ hook });
    expect(json(`A/01/${at}/labels/masks`).multiscales[0].datasets).toEqual(image.multiscales[0].datasets);
    // What a program writes over it is no longer the rule's.
    await mount.python(`
path = os.path.join(mnt, 'results', 'A01_s001_w1_z001_t001.csv')
open(path, 'w').write('a\\n1\\n')
assert 'user.platefs.made-by' not in os.listxattr(path)`);
    expect((await mount.flush()).kept).toEqual([]);
    expect(json('tables/results_A01_s001_w1_z001_t001').platefs.written.all.hook).toBeUndefined();
  }, 120_000);

  it('lie there for OpenHCS: folders are its subdirectories, names those that were written', async () => {
    await mount.python(`${FILES}
for at, folder in ((20, 'deep/other'), (30, 'masks')):
    os.makedirs(os.path.join(mnt, folder))
    for i, name in enumerate(names): tifffile.imwrite(os.path.join(mnt, folder, name), plane(at + i))
tifffile.imwrite(os.path.join(mnt, 'corrected', 'A01_s001_w1_z001_t001_filtered.tif'), plane(1))
os.remove(os.path.join(mnt, 'corrected', 'A01_s001_w1_z009_t001.tif'))`);
    expect((await mount.flush()).kept).toEqual([]);
    await mount.python(`${FILES}
import io
for at, folder in ((10, 'corrected'), (20, 'deep/other'), (30, 'masks')):
    for i, name in enumerate(names):
        written = io.BytesIO(); tifffile.imwrite(written, plane(at + i))
        assert written.getvalue() == open(os.path.join(mnt, folder, name), 'rb').read(), (folder, name)`);
    expect(ngffProblems(join(mount.output, 'results.ome.zarr'))).toEqual([]);
    expect((await mount.umount()).code).toBe(0);
    const document = JSON.parse(readFileSync(join(mount.output, 'openhcs_metadata.json'), 'utf8'));
    const { subdirectories } = document;
    expect(Object.keys(subdirectories).toSorted()).toEqual([
      'deep/other',
      'inbox',
      'masks',
      'results.ome.zarr',
    ]);
    expect(subdirectories['results.ome.zarr']).toMatchObject({
      main: true,
      available_backends: { zarr: true },
      pixel_size: 0.6842,
      channels: { 1: 'DAPI', 2: 'FITC' },
      wells: { A01: null, B03: null },
      z_indexes: { 1: null, 2: null },
    });
    const { workspace_mapping: mapping } = subdirectories['deep/other'];
    expect(mapping['deep/other/A01_s001_w1_z002_t002.tif'].source_axis_indices).toEqual([1, 0, 1]);
    // Its planes as a plate of their own: those of the store itself, and then those of a virtual workspace.
    for (const seed of [10, 20]) {
      if (seed === 20) {
        delete subdirectories['results.ome.zarr'];
        subdirectories['deep/other'].main = true;
        writeFileSync(join(mount.output, 'openhcs_metadata.json'), JSON.stringify(document));
      }
      await using plate = await PlateMount.start({ plate: mount.output });
      await plate.python(`${FILES}
images = os.path.join(mnt, 'images')
assert sorted(os.listdir(images)) == sorted(names), os.listdir(images)
for i, name in enumerate(names): assert np.array_equal(tifffile.imread(os.path.join(images, name)), plane(${seed} + i)), name`);
    }
  }, 120_000);
});
