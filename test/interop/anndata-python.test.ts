import { execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PlateFsError, SourceChangedError } from '../../src/core/errors.ts';
import { elementCount, fromBytes, itemSizeBytes } from '../../src/core/nd-array.ts';
import { wholeRegion } from '../../src/core/region.ts';
import mtx from '../../src/encoders/mtx.ts';
import anndata from '../../src/sources/anndata.ts';
import type { OpenSource, SourceCatalog, SourceItem } from '../../src/sources.ts';

const PYTHON = '/usr/bin/python3';
const hasPython =
  existsSync(PYTHON) && spawnSync(PYTHON, ['-c', 'import anndata, zarr'], { stdio: 'ignore' }).status === 0;
const folder = mkdtempSync(join(tmpdir(), 'platefs-interop-anndata-'));
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** Files of every kind of matrix and column, and what anndata itself reads of them. */
const WRITE = `
import json, sys, warnings
warnings.simplefilter('ignore')
import anndata as ad, numpy as np, pandas as pd, scipy.sparse as sp
folder = sys.argv[1]
rng = np.random.default_rng(7)

def plain(values):
    return [None if v is None or v is pd.NA or (isinstance(v, float) and np.isnan(v)) else
            v.item() if hasattr(v, 'item') else v for v in values]

def columns(frame):
    return [[name, plain(frame[name].astype(object).tolist())] for name in frame.columns]

def dense(m):
    return np.asarray(m.todense() if sp.issparse(m) else m, dtype='float64').tolist()

def make(kind, n, m, dtype):
    values = np.round(rng.normal(size=(n, m)) * 50) * (rng.random((n, m)) < 0.4)
    values = values.astype(dtype)
    X = {'dense': np.asarray, 'csr': sp.csr_matrix, 'csc': sp.csc_matrix}[kind](values)
    obs = pd.DataFrame(index=['cell, "%d"' % i for i in range(n)])
    obs['kind'] = pd.Categorical([None if i % 4 == 0 else 'abc'[i % 3] for i in range(n)], categories=['c', 'b', 'a'])
    obs['grade'] = pd.Categorical([i % 3 for i in range(n)], categories=[0, 1, 2], ordered=True)
    obs['count'] = pd.array([None if i % 3 == 0 else i for i in range(n)], dtype='Int64')
    obs['yes'] = pd.array([None if i % 5 == 0 else i % 2 == 0 for i in range(n)], dtype='boolean')
    obs['flag'] = np.arange(n) % 2 == 0
    obs['size'] = rng.normal(size=n).astype('float32')
    obs['word'] = ['word é %d' % i for i in range(n)]
    var = pd.DataFrame({'mean': rng.normal(size=m)}, index=['gene/%d' % i for i in range(m)])
    a = ad.AnnData(X=X, obs=obs, var=var, dtype=dtype)
    a.layers['raw counts'] = sp.csc_matrix(values)
    a.obsm['X_pca'] = rng.normal(size=(n, 3))
    a.obsp['near'] = sp.csr_matrix((n, n), dtype='float64')
    a.uns['pca'] = {'variance': rng.normal(size=200), 'n': 3, 'name': 'x', 'names': np.array(['a', 'b'], dtype=object)}
    return a

truth = []
for kind, n, m, dtype in [('dense', 7, 5, 'float32'), ('csr', 40, 30, 'float32'), ('csc', 40, 30, 'float64'),
                          ('csr', 9, 4, 'int64'), ('csc', 5, 6, 'uint8'), ('dense', 0, 4, 'float32'),
                          ('csr', 0, 4, 'float32'), ('csc', 3, 0, 'float32'), ('csr', 20000, 3, 'float32')]:
    a = make(kind, n, m, dtype)
    for suffix in ('h5ad', 'zarr'):
        name = '%s-%dx%d-%s.%s' % (kind, n, m, dtype, suffix)
        path = folder + '/' + name
        a.write_h5ad(path, compression='gzip') if suffix == 'h5ad' else a.write_zarr(path)
        truth.append(dict(name=name, kind=kind, shape=[n, m], dtype=dtype, X=dense(a.X) if n < 1000 else None,
            sums=np.asarray(a.X.sum(axis=0)).ravel().astype('float64').tolist(),
            layer=dense(a.layers['raw counts']) if n < 1000 else None, obs_names=a.obs_names.tolist(),
            var_names=a.var_names.tolist(), obs=columns(a.obs), var=columns(a.var),
            pca=a.obsm['X_pca'].tolist(), variance=a.uns['pca']['variance'].tolist()))
json.dump(truth, open(folder + '/truth.json', 'w'))

# As anndata 0.6 wrote it: compounds with text of fixed length, categories in uns, embeddings in one compound.
import h5py
with h5py.File(folder + '/old.h5ad', 'w') as f:
    f.create_dataset('obs', data=np.array([(b'c0', 1, 2.5), (b'c1', 0, -1.0), (b'c2', 1, 0.1)],
                     dtype=[('index', 'S2'), ('louvain', 'i1'), ('size', 'f4')]))
    f.create_dataset('var', data=np.array([(b'g0', 3), (b'g1', 4)], dtype=[('index', 'S2'), ('n', 'i8')]))
    f.create_dataset('uns/louvain_categories', data=np.array([b'B', b'NK cells']))
    X = sp.csr_matrix(np.array([[0, 1], [2, 0], [0, 3]], dtype='f4'))
    g = f.create_group('X')
    g.attrs['h5sparse_format'] = b'csr'
    g.attrs['h5sparse_shape'] = np.array([3, 2])
    for part in ('data', 'indices', 'indptr'): g.create_dataset(part, data=getattr(X, part))
    obsm = np.zeros(3, dtype=[('X_pca', 'f4', (2,))])
    obsm['X_pca'] = [[1, 2], [3, 4], [5, 6]]
    f.create_dataset('obsm', data=obsm)
    f.create_dataset('raw.X', data=np.arange(9, dtype='f4').reshape(3, 3))
    f.create_dataset('raw.var', data=np.array([(b'r0',), (b'r1',), (b'r2',)], dtype=[('index', 'S2')]))
old = ad.read_h5ad(folder + '/old.h5ad')
json.dump(dict(X=dense(old.X), obs=columns(old.obs), names=old.obs_names.tolist(), pca=old.obsm['X_pca'].tolist(),
               raw=dense(old.raw.X), raw_names=old.raw.var_names.tolist()), open(folder + '/old.json', 'w'))
`;

interface Truth {
  readonly name: string;
  readonly kind: string;
  readonly shape: readonly [number, number];
  readonly dtype: string;
  readonly X: number[][] | null;
  readonly sums: number[];
  readonly layer: number[][] | null;
  readonly obs_names: string[];
  readonly var_names: string[];
  readonly obs: [string, unknown[]][];
  readonly var: [string, unknown[]][];
  readonly pca: number[][];
  readonly variance: number[];
}

const NAMES = [
  'dense-7x5-float32',
  'csr-40x30-float32',
  'csc-40x30-float64',
  'csr-9x4-int64',
  'csc-5x6-uint8',
]
  .concat(['dense-0x4-float32', 'csr-0x4-float32', 'csc-3x0-float32', 'csr-20000x3-float32'])
  .flatMap((name) => [`${name}.h5ad`, `${name}.zarr`]);

const never = new AbortController().signal;

async function open(name: string): Promise<{ catalog: SourceCatalog; source: OpenSource }> {
  const path = join(folder, name);
  await anndata.prepare?.();
  const catalog = await anndata.catalog?.(path, { root: folder }, never);
  if (!catalog || !anndata.openSync) throw new Error(`${name} is not taken for AnnData`);
  return { catalog, source: anndata.openSync(path, catalog) };
}

const find = <K extends SourceItem['kind']>(catalog: SourceCatalog, kind: K, path: string) => {
  const found = catalog.items.find((item) => item.kind === kind && item.path === path);
  return found as Extract<SourceItem, { kind: K }> | undefined;
};

/** An array as nested numbers. */
function denseOf(source: OpenSource, catalog: SourceCatalog, path: string): number[][] {
  const item = find(catalog, 'array', path)!;
  const bytes = new Uint8Array(elementCount(item.shape) * itemSizeBytes(item.dtype));
  source.readRegion(path, wholeRegion(item.shape), bytes);
  const values = [...fromBytes(item.dtype, item.shape, bytes).data].map(Number);
  const [rows = 0, columns = 0] = item.shape;
  return Array.from({ length: rows }, (_, row) => values.slice(row * columns, (row + 1) * columns));
}

const plain = (cells: readonly unknown[]): unknown[] =>
  cells.map((cell) => (cell === undefined ? null : typeof cell === 'bigint' ? Number(cell) : cell));

describe.skipIf(!hasPython)('AnnData as Python writes it', () => {
  let truths: Truth[] = [];
  beforeAll(() => {
    execFileSync(PYTHON, ['-c', WRITE, folder], { timeout: 200_000, stdio: ['ignore', 'ignore', 'inherit'] });
    truths = JSON.parse(readFileSync(join(folder, 'truth.json'), 'utf8'));
  });

  it.each(NAMES)('%s has the same names, columns, matrices and slices', async (name) => {
    const truth = truths.find((item) => item.name === name)!;
    const [rows, columns] = truth.shape;
    const { catalog, source } = await open(name);
    using _ = source;
    expect(catalog.warnings).toEqual([]);

    const obs = source.readRows('obs', 0, rows).columns;
    expect(find(catalog, 'table', 'obs')!.columns.map((column) => column.name)).toEqual([
      'index',
      ...truth.obs.map(([column]) => column),
    ]);
    expect(obs[0]).toEqual(truth.obs_names);
    for (const [at, [, cells]] of truth.obs.entries()) expect(plain(obs[at + 1]!)).toEqual(cells);
    const vars = source.readRows('var', 0, columns).columns;
    expect(vars[0]).toEqual(truth.var_names);
    expect(plain(vars[1]!)).toEqual(truth.var[0]![1]);

    if (truth.X) expect(denseOf(source, catalog, 'X')).toEqual(truth.X);
    if (truth.layer) expect(denseOf(source, catalog, 'layers/raw counts')).toEqual(truth.layer);
    expect(denseOf(source, catalog, 'obsm/X_pca')).toEqual(truth.pca);
    expect(source.readRows('obsm/X_pca', 0, rows).columns.slice(1)).toEqual(
      [0, 1, 2].map((column) => truth.pca.map((line) => line[column])),
    );

    expect(source.memberNames('genes', 0, columns)).toEqual(truth.var_names);
    for (let gene = 0; gene < columns; gene += 1) {
      const [names, values] = source.readRows('genes', 0, rows, gene).columns;
      expect(names).toEqual(truth.obs_names);
      if (truth.X) expect(values?.map(Number)).toEqual(truth.X.map((line) => line[gene]));
      expect(values?.reduce<number>((sum, value) => sum + Number(value), 0)).toBe(truth.sums[gene]);
    }
    for (let cell = 0; cell < Math.min(rows, 10); cell += 1) {
      const { columns: read } = source.readRows('cells', 0, columns, cell);
      expect(read[0]).toEqual(truth.var_names);
      if (truth.X) expect(read[1]?.map(Number)).toEqual(truth.X[cell]);
    }

    const uns = find(catalog, 'text', 'uns.json')!;
    expect(JSON.parse(uns.text)).toEqual({
      pca: {
        variance: { array: 'uns/pca/variance', shape: [200], dtype: 'float64' },
        n: 3,
        name: 'x',
        names: ['a', 'b'],
      },
    });
  });

  it.each(['csr-40x30-float32.h5ad', 'csc-40x30-float64.zarr', 'csr-9x4-int64.h5ad', 'csr-0x4-float32.h5ad'])(
    '%s as .mtx is what scipy reads of X',
    async (name) => {
      const truth = truths.find((item) => item.name === name)!;
      const { catalog, source } = await open(name);
      using _ = source;
      const item = find(catalog, 'sparse', 'X')!;
      const path = join(folder, `${name}.mtx`);
      const entries = source.readEntries('X', 0, item.entryCount);
      writeFileSync(path, Buffer.concat([mtx.header(item), mtx.lines(item, entries)]));
      const read = execFileSync(
        PYTHON,
        [
          '-c',
          'import json, sys, scipy.io\nprint(json.dumps(scipy.io.mmread(sys.argv[1]).todense().astype("float64").tolist()))',
          path,
        ],
        { encoding: 'utf8', timeout: 200_000 },
      );
      expect(JSON.parse(read)).toEqual(truth.X);
    },
  );

  it('of before 0.7 has what anndata reads of it', async () => {
    const truth = JSON.parse(readFileSync(join(folder, 'old.json'), 'utf8')) as {
      X: number[][];
      obs: [string, unknown[]][];
      names: string[];
      pca: number[][];
      raw: number[][];
      raw_names: string[];
    };
    const { catalog, source } = await open('old.h5ad');
    using _ = source;
    expect(catalog.title).toBe('AnnData of before 0.7 (HDF5)');
    expect(catalog.warnings).toEqual([]);
    expect(source.readRows('obs', 0, 3).columns).toEqual([
      truth.names,
      ...truth.obs.map(([column, cells]) =>
        column === 'size' ? Array.from(Float32Array.from(cells as number[])) : cells,
      ),
    ]);
    expect(denseOf(source, catalog, 'X')).toEqual(truth.X);
    expect(denseOf(source, catalog, 'obsm/X_pca')).toEqual(truth.pca);
    expect(denseOf(source, catalog, 'raw/X')).toEqual(truth.raw);
    expect(source.readRows('raw/var', 0, 3).columns[0]).toEqual(truth.raw_names);
    expect(source.readRows('genes', 0, 3, 1).columns).toEqual([truth.names, truth.X.map((line) => line[1])]);
  });

  it('is held by nobody once it rests: Python opens the file for writing, and the change is told', async () => {
    const { source } = await open('dense-7x5-float32.h5ad');
    using _ = source;
    const path = join(folder, 'dense-7x5-float32.h5ad');
    const isHeld = (): boolean =>
      readdirSync('/proc/self/fd').some((fd) => {
        try {
          return readlinkSync(`/proc/self/fd/${fd}`) === path;
        } catch {
          return false;
        }
      });
    source.readRows('genes', 0, 7, 0);
    await expect.poll(isHeld).toBe(false);
    const script = `import h5py, sys
with h5py.File(sys.argv[1], 'r+') as f: f['X'][0, 0] = 77`;
    const child = spawn(PYTHON, ['-c', script, path], { stdio: 'inherit' });
    expect(await new Promise((done) => child.on('exit', done))).toBe(0);
    expect(() => source.readRows('genes', 0, 7, 0)).toThrow(SourceChangedError);
    const { source: again } = await open('dense-7x5-float32.h5ad');
    using __ = again;
    expect(again.readRows('genes', 0, 1, 0).columns[1]).toEqual([77]);
  });

  it('cut short at any place is refused or read right, with the file’s name', async () => {
    const path = join(folder, 'cut.h5ad');
    const whole = join(folder, 'csr-40x30-float32.h5ad');
    const sizeBytes = Number(execFileSync('stat', ['-c', '%s', whole], { encoding: 'utf8' }));
    for (let part = 0; part < 24; part += 1) {
      execFileSync('cp', [whole, path]);
      truncateSync(path, Math.floor((sizeBytes * part) / 24));
      let error: unknown;
      try {
        const { catalog, source } = await open('cut.h5ad');
        using _ = source;
        for (const item of catalog.items) {
          if (item.kind === 'table') source.readRows(item.path, 0, item.rowCount);
          if (item.kind === 'sparse') source.readEntries(item.path, 0, item.entryCount);
        }
      } catch (caught) {
        error = caught;
      }
      expect(error).toBeInstanceOf(PlateFsError);
      expect((error as Error).message).toContain('cut.h5ad');
    }
  });
});
