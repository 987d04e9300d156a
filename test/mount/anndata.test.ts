import { cpSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { mountProblem } from './harness.ts';
import { PlateMount, SHARED_DATA } from './plate-mount.ts';

const problem = mountProblem();
const hasData = existsSync(join(SHARED_DATA, 'h5ad'));
const why = problem ?? (hasData ? undefined : '../shared/data is absent');

/** What Python reads through the mount, compared with what anndata reads of the file `argv[0]`. */
const COMPARE = `
import anndata, glob, random, warnings
import pandas as pd, scipy.io
warnings.simplefilter('ignore')
path = argv[0]
a = anndata.read_zarr(path) if path.endswith('.zarr') else anndata.read_h5ad(path)
dense = lambda m: np.asarray(m.todense() if hasattr(m, 'todense') else m)
csv = lambda name, **more: pd.read_csv(mnt + '/tables/' + name, float_precision='round_trip', **more)
same = lambda x, y: np.array_equal(x, y) or sys.exit('differs: %s %s' % (x, y))
for name, frame in (('obs.csv', a.obs), ('var.csv', a.var)):
  table = csv(name, index_col=0, dtype={0: str})
  assert table.index.tolist() == frame.index.tolist() and table.columns.tolist() == frame.columns.tolist()
  for column in frame:
    same(table[column].astype(str).values, frame[column].astype(str).values)
X = dense(a.X)
same(np.load(mnt + '/arrays/X.npy'), X)
same(np.load(mnt + '/arrays/X.npy', mmap_mode='r')[3:7, 2:5], X[3:7, 2:5])
if os.path.exists(mnt + '/tables/X.mtx'):
  same(scipy.io.mmread(mnt + '/tables/X.mtx').toarray().astype(X.dtype), X)
for i, gene in enumerate(a.var_names):
  table = csv('genes/%s.csv' % gene, dtype={'name': str})
  assert table.columns.tolist() == ['name', 'value'] and table.name.tolist() == a.obs_names.tolist()
  same(table.value.values.astype(X.dtype), X[:, i])
for i, cell in list(enumerate(a.obs_names))[::37]:
  same(csv('cells/%s.csv' % cell).value.values.astype(X.dtype), X[i])
for key in a.obsm:
  if isinstance(a.obsm[key], np.ndarray):
    same(np.load(mnt + '/arrays/obsm/%s.npy' % key), a.obsm[key])
    same(csv('obsm/%s.csv' % key, index_col=0).values, a.obsm[key])
if a.raw is not None:
  same(scipy.io.mmread(mnt + '/tables/raw/X.mtx').toarray().astype(X.dtype), dense(a.raw.X))
told = {f for w in json.load(open(mnt + '/.platefs/warnings.json'))['plate'] if w['kind'] == 'not-shown' for f in w['files']}
assert sorted(json.load(open(mnt + '/tables/uns.json'))) == sorted(k for k in a.uns if 'uns/' + k not in told)
random.seed(5)
files = [f for top in ('tables', 'arrays') for f in glob.glob(mnt + '/' + top + '/**/*', recursive=True) if os.path.isfile(f)]
for f in random.sample(files, min(60, len(files))):
  whole = open(f, 'rb').read()
  assert len(whole) == os.stat(f).st_size, f
  with open(f, 'rb', buffering=0) as file:
    for _ in range(5):
      at = random.randrange(len(whole) + 1); size = random.randrange(1, 3000)
      assert os.pread(file.fileno(), size, at) == whole[at:at + size], (f, at, size)
print(len(files))
`;

describe.skipIf(why)(`AnnData mounted${why === undefined ? '' : ` (skipped: ${why})`}`, () => {
  it.each([
    'h5ad/anndata-0.7.0.h5ad',
    'h5ad/zellkonverter-krumsiek11.h5ad',
    'anndata-zarr/anndata-0.7.0.zarr',
  ])('%s: pandas, scipy and numpy read what anndata reads, in any pieces', async (name) => {
    const path = join(SHARED_DATA, name);
    await using mount = await PlateMount.start({ plate: path });
    expect(Number(await mount.python(COMPARE, path))).toBeGreaterThan(20);
  });

  it('has any name of an HDF5 file', async () => {
    await using mount = await PlateMount.make({ plate: 'unset' });
    const folder = join(mount.folder, 'several');
    mkdirSync(folder);
    const names = ['a.h5', 'b.hdf5', 'c.he5'];
    for (const name of names)
      cpSync(join(SHARED_DATA, 'h5ad/zellkonverter-krumsiek11.h5ad'), join(folder, name));
    writeFileSync(join(folder, 'text.h5'), 'no HDF5 file');
    cpSync(join(SHARED_DATA, 'ilastik-h5/probabilities.h5'), join(folder, 'image.h5'));
    const report = await mount.json<{ sources: { name: string; driver: string }[] }>(['inspect', folder]);
    expect(Object.fromEntries(report.sources.map(({ name, driver }) => [name, driver]))).toEqual({
      'a.h5': 'anndata',
      'b.hdf5': 'anndata',
      'c.he5': 'anndata',
      'image.h5': 'hdf5',
    });
    await mount.json(mount.mountWords().map((word) => (word === 'unset' ? folder : word)));
    for (const name of names)
      expect(await mount.shell('cd "$1"; head -1 tables/genes/Gata1.csv; ls source', name)).toBe(
        `name,value\n${name}\n`,
      );
    expect(await mount.shell('cat text.h5')).toBe('no HDF5 file');
  });

  it('is held by nobody while nobody reads: Python writes to the file, and later reads say that it changed', async () => {
    await using mount = await PlateMount.make({ plate: 'unset' });
    const path = join(mount.folder, 'mine.h5ad');
    cpSync(join(SHARED_DATA, 'h5ad/zellkonverter-krumsiek11.h5ad'), path);
    await mount.json(mount.mountWords().map((word) => (word === 'unset' ? path : word)));
    const before = await mount.shell('head -2 tables/genes/Gata1.csv');
    expect(before).toContain('name,value\n0,');
    await mount.python(
      `
import time, h5py
def holders():
  found = []
  for pid in filter(str.isdigit, os.listdir('/proc')):
    try:
      found += [pid for fd in os.listdir('/proc/%s/fd' % pid) if os.path.realpath('/proc/%s/fd/%s' % (pid, fd)) == argv[0]]
    except OSError: pass
  return found
deadline = time.monotonic() + 80
while holders():
  assert time.monotonic() < deadline, 'still open'
  time.sleep(0.1)
with h5py.File(argv[0], 'r+') as file: file['X'][0, 0] = 77
`,
      path,
    );
    const after = await mount.run('cat', [mount.path('tables/cells/5.csv')]);
    expect(after.code).not.toBe(0);
    await mount.umount();
    await mount.json(mount.mountWords().map((word) => (word === 'unset' ? path : word)));
    expect(await mount.shell('head -2 tables/genes/Gata2.csv')).toMatch(/name,value\n0, +77\.0\n/);
  });
});
