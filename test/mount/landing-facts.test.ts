import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
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

describe.skipIf(problem)(`what is known of results${why}`, () => {
  it('stands in their store: which file and rule made them, and what the plate says of their planes', async () => {
    await using mount = await PlateMount.start({
      plate: { wells: ['A01'], sites: 1, width: 48, height: 40, channels: ['DAPI', 'FITC'] },
      hooks: RULES,
    });
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
    // What a program writes over it is no longer the rule's.
    await mount.python(`
path = os.path.join(mnt, 'results', 'A01_s001_w1_z001_t001.csv')
open(path, 'w').write('a\\n1\\n')
assert 'user.platefs.made-by' not in os.listxattr(path)`);
    expect((await mount.flush()).kept).toEqual([]);
    expect(json('tables/results_A01_s001_w1_z001_t001').platefs.written.all.hook).toBeUndefined();
  }, 120_000);
});
