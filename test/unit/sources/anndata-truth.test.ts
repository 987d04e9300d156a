import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { elementCount, fromBytes, itemSizeBytes } from '../../../src/core/nd-array.ts';
import { wholeRegion } from '../../../src/core/region.ts';
import anndata from '../../../src/sources/anndata.ts';
import type { OpenSource, SourceCatalog } from '../../../src/sources.ts';
import { type CatalogSample, sourceCatalogConformance } from '../../conformance/source-catalogs.ts';

const DATA = new URL('../../../../shared/data/', import.meta.url).pathname;
const TRUTH = `${DATA}h5ad.tables.truth.json`;

interface ColumnTruth {
  readonly kind: string;
  readonly categories?: readonly string[];
  readonly codes_sha256?: string;
  readonly values_sha256_f64?: string;
}
interface FrameTruth {
  readonly n: number;
  readonly names_sha256: string;
  readonly columns: Readonly<Record<string, ColumnTruth>>;
}
interface MatrixTruth {
  readonly kind: string;
  readonly shape: readonly number[];
  readonly dtype: string;
  readonly nnz?: number;
  readonly sha256_dense_f64: string;
  readonly columns?: readonly string[];
}
interface FileTruth {
  readonly file: string;
  readonly n_obs: number;
  readonly n_vars: number;
  readonly X: MatrixTruth | null;
  readonly obs: FrameTruth;
  readonly var: FrameTruth;
  readonly obsm: Readonly<Record<string, MatrixTruth>>;
  readonly varm: readonly string[];
  readonly layers: Readonly<Record<string, MatrixTruth>>;
  readonly obsp: readonly string[];
  readonly uns: readonly string[];
  readonly raw: { readonly n_vars: number; readonly X: MatrixTruth } | null;
}

const sha = (data: string | NodeJS.ArrayBufferView): string =>
  createHash('sha256').update(data).digest('hex');
const truths: readonly FileTruth[] = existsSync(TRUTH) ? JSON.parse(readFileSync(TRUTH, 'utf8')).files : [];
const cases = truths.flatMap((truth) => {
  const twin = `anndata-zarr/${truth.file.replace(/\.h5ad$/, '.zarr')}`;
  const files = [`h5ad/${truth.file}`, ...(existsSync(DATA + twin) ? [twin] : [])];
  return files.map((file) => [file, truth] as const);
});

async function open(file: string): Promise<{ catalog: SourceCatalog; source: OpenSource }> {
  await anndata.prepare?.();
  const catalog = await anndata.catalog?.(DATA + file, { root: DATA }, new AbortController().signal);
  if (!catalog || !anndata.openSync) throw new Error(`${file} is not taken for AnnData`);
  return { catalog, source: anndata.openSync(DATA + file, catalog) };
}

function expectFrame(source: OpenSource, catalog: SourceCatalog, path: string, truth: FrameTruth): void {
  const item = catalog.items.find((candidate) => candidate.kind === 'table' && candidate.path === path);
  if (item?.kind !== 'table') throw new Error(`no table ${path}`);
  expect(item.rowCount).toBe(truth.n);
  expect(item.columns.slice(1).map(({ name }) => name)).toEqual(Object.keys(truth.columns));
  const [names, ...columns] = source.readRows(path, 0, truth.n).columns;
  expect(sha(names!.join('\n'))).toBe(truth.names_sha256);
  for (const [at, { kind, ...known }] of Object.values(truth.columns).entries()) {
    const cells = columns[at]!;
    if (known.categories) {
      const codes = BigInt64Array.from(cells, (cell) => BigInt(known.categories!.indexOf(String(cell))));
      expect(sha(codes)).toBe(known.codes_sha256);
    } else {
      expect(item.columns[at + 1]?.type).toBe(kind);
      expect(sha(Float64Array.from(cells, Number))).toBe(known.values_sha256_f64);
    }
  }
}

/** The elements of a matrix as float64, read as the array `path`. */
function denseOf(source: OpenSource, catalog: SourceCatalog, path: string): Float64Array {
  const item = catalog.items.find((candidate) => candidate.kind === 'array' && candidate.path === path);
  if (item?.kind !== 'array') throw new Error(`no array ${path}`);
  const bytes = new Uint8Array(elementCount(item.shape) * itemSizeBytes(item.dtype));
  source.readRegion(path, wholeRegion(item.shape), bytes);
  return Float64Array.from(fromBytes(item.dtype, item.shape, bytes).data, Number);
}

function expectMatrix(source: OpenSource, catalog: SourceCatalog, path: string, truth: MatrixTruth): void {
  expect(sha(denseOf(source, catalog, path))).toBe(truth.sha256_dense_f64);
  const item = catalog.items.find((candidate) => candidate.path === path);
  expect(item).toMatchObject({ shape: truth.shape, dtype: truth.dtype });
  const sparse = catalog.items.find((candidate) => candidate.kind === 'sparse' && candidate.path === path);
  expect(sparse?.kind === 'sparse' ? sparse.entryCount : undefined).toBe(truth.nnz);
  if (sparse?.kind !== 'sparse') return;
  // The entries alone make the same matrix.
  const { rows, columns, values } = source.readEntries(path, 0, sparse.entryCount);
  const dense = new Float64Array(elementCount(truth.shape));
  for (const [at, row] of rows.entries()) dense[row * truth.shape[1]! + columns[at]!]! += Number(values[at]);
  expect(sha(dense)).toBe(truth.sha256_dense_f64);
}

/** The files, each in a folder of its own. */
function samples(folder: string): CatalogSample[] {
  return cases.map(([file], at) => {
    const root = join(folder, `sample${at}`);
    const path = join(root, basename(file));
    cpSync(DATA + file, path, { recursive: true });
    execFileSync('chmod', ['-R', 'u+w', root]);
    const mainFile = file.endsWith('.zarr') ? `${basename(file)}/obs/.zattrs` : basename(file);
    return { path, root, mainFile, pixels: [] };
  });
}

if (cases.length > 0) sourceCatalogConformance(anndata, samples);

describe.skipIf(cases.length === 0)('AnnData files of the world', () => {
  it.each(cases)('%s has the tables and matrices that anndata reads', async (file, truth) => {
    const { catalog, source } = await open(file);
    using _ = source;
    expect(catalog.warnings).toEqual([]);
    expectFrame(source, catalog, 'obs', truth.obs);
    expectFrame(source, catalog, 'var', truth.var);
    const places = new Map<string, MatrixTruth>();
    if (truth.X) places.set('X', truth.X);
    if (truth.raw) places.set('raw/X', truth.raw.X);
    for (const [name, layer] of Object.entries(truth.layers)) places.set(`layers/${name}`, layer);
    for (const [name, embedding] of Object.entries(truth.obsm)) {
      if (embedding.kind !== 'dataframe') places.set(`obsm/${name}`, embedding);
      else {
        const table = catalog.items.find(({ path }) => path === `obsm/${name}`);
        expect(table?.kind === 'table' && table.columns.slice(1).map((column) => column.name)).toEqual(
          embedding.columns,
        );
      }
    }
    for (const [path, matrix] of places) expectMatrix(source, catalog, path, matrix);
    const paths = new Set(catalog.items.map(({ path }) => path));
    for (const name of truth.varm) expect(paths).toContain(`varm/${name}`);
    for (const name of truth.obsp) expect(paths).toContain(`obsp/${name}`);
    const uns = catalog.items.find(({ path }) => path === 'uns.json');
    expect(uns?.kind === 'text' && Object.keys(JSON.parse(uns.text)).sort()).toEqual([...truth.uns].sort());
  });

  it.each(cases.filter(([, { X }]) => X))('%s has a table per gene and per cell', async (file, truth) => {
    const { catalog, source } = await open(file);
    using _ = source;
    const { n_obs: obs, n_vars: vars } = truth;
    const dense = denseOf(source, catalog, 'X');
    const names = source.readRows('obs', 0, obs).columns[0];
    for (let gene = 0; gene < vars; gene += 1) {
      const { columns } = source.readRows('genes', 0, obs, gene);
      expect(columns[0]).toEqual(names);
      expect(columns[1]).toEqual(Array.from({ length: obs }, (_, cell) => dense[cell * vars + gene]));
    }
    for (const cell of [0, Math.floor(obs / 2), obs - 1])
      expect(source.readRows('cells', 0, vars, cell).columns[1]).toEqual([
        ...dense.subarray(cell * vars, (cell + 1) * vars),
      ]);
    expect(source.memberNames('cells', 0, obs)).toEqual(names);
  });
});
