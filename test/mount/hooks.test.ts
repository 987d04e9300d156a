import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mountProblem } from './harness.ts';
import { PlateMount, PROGRESS, PYTHON, SMALL_PLATE } from './plate-mount.ts';
import { untilLogged } from './told.ts';

const problem =
  mountProblem() ??
  (spawnSync(PYTHON, ['-c', 'import scipy.ndimage, skimage, tifffile']).status === 0
    ? undefined
    : `${PYTHON} with tifffile, scipy and skimage is missing`);
const why = problem === undefined ? '' : ` (skipped: ${problem})`;

const RULES = `
  - name: nuclei
    on: "inbox/*.tif"
    steps:
      - gaussian: { sigma: 2 }
      - otsu
      - binary-opening: { radius: 3 }
      - label: { connectivity: 4 }
      - measure
    outputs:
      label: "results/{stem}_labels.tif"
      measure: "results/{stem}_objects.csv"
`;

/** `expected(image)`: labels and table rows by scipy and skimage; `wait(path, …)` until a file is there. */
const HEAD = `
import tifffile, csv, time, warnings
warnings.simplefilter('ignore')
import scipy.ndimage as nd
from skimage import filters, morphology, measure
def expected(x):
    g = nd.gaussian_filter(x, 2, output=np.float32)
    m = morphology.binary_opening(g > filters.threshold_otsu(g), morphology.disk(3))
    labels, n = nd.label(m)
    rows = [[r.label, r.area, *r.centroid, *r.bbox, r.intensity_mean, r.intensity_min, r.intensity_max, x[labels == r.label].astype(float).sum()] for r in measure.regionprops(labels, x)]
    return labels, np.array(rows, float)
def wait(what, test, s=80):
    end = time.monotonic() + s
    while not test():
        assert time.monotonic() < end, 'did not happen: ' + what
        time.sleep(0.02)
def check(stem, x):
    l, t = [os.path.join(mnt, 'results', stem + e) for e in ('_labels.tif', '_objects.csv')]
    wait(l, lambda: os.path.exists(l))
    assert os.path.exists(t), 'the table is there when the labels are'
    labels, rows = expected(x)
    got = tifffile.imread(l)
    assert got.shape == labels.shape and np.array_equal(got, labels), (got.max(), labels.max(), int((got != labels).sum()))
    table = list(csv.reader(open(t, newline='')))
    assert table[0] == 'label,area,centroid_y,centroid_x,bbox_min_y,bbox_min_x,bbox_max_y,bbox_max_x,intensity_mean,intensity_min,intensity_max,intensity_sum'.split(',')
    assert len(rows) > 0
    np.testing.assert_allclose(np.array(table[1:], float), rows, rtol=1e-9)
inbox = os.path.join(mnt, 'inbox'); os.makedirs(inbox, exist_ok=True)
plane = lambda n: tifffile.imread(os.path.join(mnt, 'images', n))
def status(): return json.load(open(os.path.join(mnt, '.platefs', 'status.json')))
`;

describe.skipIf(problem)(`a rule runs on what is written into a mount${why}`, () => {
  let mount: PlateMount;
  beforeAll(async () => {
    mount = await PlateMount.start({
      plate: { ...SMALL_PLATE, wells: ['A01'], width: 320, height: 256 },
      hooks: RULES,
    });
  });
  afterAll(async () => {
    await mount?.remove();
  });

  it('labels and table equal what scipy and skimage make of the same image; the input stays as written', async () => {
    await mount.python(`${HEAD}
import shutil
for i, n in enumerate(sorted(os.listdir(os.path.join(mnt, 'images')))[:4]):
    shutil.copy(os.path.join(mnt, 'images', n), os.path.join(inbox, 'cells%d.tif' % i))
for i, n in enumerate(sorted(os.listdir(os.path.join(mnt, 'images')))[:4]):
    check('cells%d' % i, plane(n))
    assert open(os.path.join(inbox, 'cells%d.tif' % i), 'rb').read() == open(os.path.join(mnt, 'images', n), 'rb').read()
wait('all done', lambda: status()['hooks']['running'] + status()['hooks']['waiting'] == 0)
assert status()['hooks']['failed'] == 0`);
  });

  it('both outputs appear at once', async () => {
    await mount.python(`${HEAD}
x = plane('A01_s001_w2_z001_t001.tif'); r = os.path.join(mnt, 'results')
tifffile.imwrite(os.path.join(inbox, 'once.tif'), x)
end = time.monotonic() + 80
while True:
    seen = [n for n in os.listdir(r) if n.startswith('once')]
    assert len(seen) in (0, 2), seen
    if seen: break
    assert time.monotonic() < end
check('once', x)`);
  });

  it('garbage fails visibly, hurts nothing else and stays as it is', async () => {
    await mount.python(`${HEAD}
junk = b'II*\\0 this is no image at all' * 40
open(os.path.join(inbox, 'junk.tif'), 'wb').write(junk); open(os.path.join(inbox, 'empty.tif'), 'wb').close()
x = plane('A01_s001_w1_z002_t001.tif'); tifffile.imwrite(os.path.join(inbox, 'after.tif'), x); check('after', x)
wait('the failures are told', lambda: {'inbox/junk.tif', 'inbox/empty.tif'} <= {f['file'] for f in status()['hookFailures']})
assert all(f['message'] and f['rule'] == 'nuclei' for f in status()['hookFailures'])
assert open(os.path.join(inbox, 'junk.tif'), 'rb').read() == junk and not [n for n in os.listdir(os.path.join(mnt, 'results')) if n.startswith(('junk', 'empty'))]
assert 'junk.tif' in open(os.path.join(mnt, '.platefs', 'warnings.json')).read()
# Mended, it works.
tifffile.imwrite(os.path.join(inbox, 'junk.tif'), x); check('junk', x)`);
    await untilLogged(mount, 'inbox/junk.tif');
  });

  it('a file written anew or patched is done anew', async () => {
    await mount.python(`${HEAD}
p = os.path.join(inbox, 'twice.tif'); l = os.path.join(mnt, 'results', 'twice_labels.tif')
x = plane('A01_s002_w1_z001_t001.tif'); y = plane('A01_s001_w2_z002_t002.tif'); assert not np.array_equal(expected(x)[0], expected(y)[0])
tifffile.imwrite(p, x); check('twice', x)
tifffile.imwrite(p, y); wait('new labels', lambda: np.array_equal(tifffile.imread(l), expected(y)[0])); check('twice', y)
m = tifffile.memmap(p); m[20:60, 20:60] = 9000; m.flush(); z = np.array(m); del m
wait('labels of the patched image', lambda: np.array_equal(tifffile.imread(l), expected(z)[0])); check('twice', z)`);
  });

  it('a file renamed into the folder is done; others are not', async () => {
    await mount.python(`${HEAD}
x = plane('A01_s002_w2_z001_t001.tif'); e = os.path.join(mnt, 'elsewhere'); os.mkdir(e)
tifffile.imwrite(os.path.join(e, 'moved.tif'), x); tifffile.imwrite(os.path.join(inbox, 'other.tiff'), x); tifffile.imwrite(os.path.join(inbox, '.part.tmp'), x)
os.rename(os.path.join(inbox, '.part.tmp'), os.path.join(inbox, 'part.tif')); os.rename(os.path.join(e, 'moved.tif'), os.path.join(inbox, 'moved.tif'))
check('moved', x); check('part', x)
wait('idle', lambda: status()['hooks']['running'] + status()['hooks']['waiting'] == 0)
assert not [n for n in os.listdir(os.path.join(mnt, 'results')) if n.startswith(('other', '.part'))]`);
  });

  it('outputs land, and are there after mounting again, without running the rules again', async () => {
    const listing = await mount.shell('cd results; sha256sum *');
    const { code, stderr } = await mount.umount();
    expect([code, stderr]).toEqual([0, expect.stringMatching(PROGRESS)]);
    await mount.mount();
    expect(await mount.shell('cd results; sha256sum *')).toBe(listing);
    await mount.shell(
      'rm results/after_labels.tif; ls inbox > /dev/null; test ! -e results/after_labels.tif',
    );
    expect((await mount.status()).hooks).toMatchObject({ running: 0, waiting: 0 });
  });
});
