import { describe, expect, it } from 'vitest';
import { BadMetadataError, SourceChangedError } from '../../../src/core/errors.ts';
import { AnnDataSource, catalogOf } from '../../../src/sources/shared/anndata-source.ts';
import type { SourceCatalog, SourceItem } from '../../../src/sources.ts';
import {
  booleans,
  type MemoryArray,
  MemoryHierarchy,
  type MemoryNodes,
  numbers,
  texts,
} from '../../fixtures/memory-hierarchy.ts';

const frame = (...columns: string[]) => ({
  attributes: { 'encoding-type': 'dataframe', _index: '_index', 'column-order': columns },
});
const BASE: MemoryNodes = {
  '': { attributes: { 'encoding-type': 'anndata' } },
  obs: frame(),
  'obs/_index': texts('c1', 'c2', 'c3'),
  var: frame(),
  'var/_index': texts('g1', 'g2'),
};

/** A source over a tree in memory, opened anew each time it is needed; it stands for a file that is there. */
function sourceOf(nodes: MemoryNodes, format: 'hdf5' | 'zarr' = 'hdf5') {
  const opener = {
    file: import.meta.filename,
    format,
    version: () => '',
    open: () => new MemoryHierarchy({ ...BASE, ...nodes }, format),
  } as const;
  const catalog = catalogOf(opener);
  if (!catalog) throw new Error('not taken for AnnData');
  return { catalog, source: new AnnDataSource(opener, catalog) };
}

const itemsOf = ({ items }: SourceCatalog, path: string): SourceItem[] =>
  items.filter((item) => item.path === path);
const json = (catalog: SourceCatalog): unknown => {
  const [item] = itemsOf(catalog, 'uns.json');
  return item?.kind === 'text' ? JSON.parse(item.text) : undefined;
};

describe('AnnData data frames', () => {
  it('decode categories, leave masked and missing cells empty, in the order of the columns', () => {
    const { catalog, source } = sourceOf({
      obs: frame('z', 'type', 'n', 'yes', 'size', 'word'),
      'obs/z': numbers(Float32Array.of(0.5, Number.NaN, -0)),
      'obs/type': { attributes: { 'encoding-type': 'categorical', ordered: false } },
      'obs/type/codes': numbers(Int8Array.of(1, -1, 0)),
      'obs/type/categories': texts('B cell', 'T, "cell"'),
      'obs/n': { attributes: { 'encoding-type': 'nullable-integer' } },
      'obs/n/values': numbers(BigInt64Array.of(1n, 2n, 9_007_199_254_740_993n)),
      'obs/n/mask': booleans(true, false, false),
      'obs/yes': { attributes: { 'encoding-type': 'nullable-boolean' } },
      'obs/yes/values': booleans(true, false, true),
      'obs/yes/mask': booleans(false, false, true),
      'obs/size': { attributes: { 'encoding-type': 'categorical' } },
      'obs/size/codes': numbers(Int8Array.of(0, 1, 1)),
      'obs/size/categories': numbers(Int32Array.of(10, 20)),
      'obs/word': { attributes: { 'encoding-type': 'nullable-string-array' } },
      'obs/word/values': texts('a', 'b', 'c'),
      'obs/word/mask': booleans(false, true, false),
    });
    const [obs] = itemsOf(catalog, 'obs');
    expect(catalog.warnings).toEqual([]);
    expect(obs).toEqual({
      kind: 'table',
      path: 'obs',
      rowCount: 3,
      columns: [
        { name: 'index', type: 'text' },
        { name: 'z', type: 'float32' },
        { name: 'type', type: 'text' },
        { name: 'n', type: 'int64' },
        { name: 'yes', type: 'boolean' },
        { name: 'size', type: 'int32' },
        { name: 'word', type: 'text' },
      ],
    });
    expect(source.readRows('obs', 0, 3).columns).toEqual([
      ['c1', 'c2', 'c3'],
      [0.5, Number.NaN, -0],
      ['T, "cell"', undefined, 'B cell'],
      [undefined, 2n, 9_007_199_254_740_993n],
      [true, false, undefined],
      [10, 20, 20],
      ['a', undefined, 'c'],
    ]);
    expect(source.readRows('obs', 1, 1).columns[2]).toEqual([undefined]);
    expect(source.readRows('obs', 3, 0).columns.flat()).toEqual([]);
  });

  it('find the categories of 0.7 by reference (HDF5) and by path (Zarr)', () => {
    for (const [format, place] of [
      ['hdf5', 'obs/__categories/t'],
      ['zarr', '__categories/t'],
    ] as const) {
      const { source } = sourceOf(
        {
          obs: frame('t'),
          'obs/t': { ...numbers(Int8Array.of(1, 0, -1)), attributes: { categories: place } },
          'obs/__categories/t': texts('x', 'y'),
        },
        format,
      );
      expect(source.readRows('obs', 0, 3).columns[1]).toEqual(['y', 'x', undefined]);
    }
  });

  const compound = (
    fields: readonly (readonly [string, 'text' | 'int8' | 'float32'])[],
    rows: MemoryArray['values'],
  ): MemoryArray => ({
    shape: [rows.length],
    type: {
      kind: 'compound',
      fields: fields.map(([name, type]) => ({
        name,
        type: type === 'text' ? { kind: 'text' } : { kind: 'number', dtype: type },
      })),
    },
    values: rows,
  });

  it('of before 0.7 are compounds, their categories in uns; raw and embeddings have their old places', () => {
    const { catalog, source } = sourceOf({
      '': { attributes: {} },
      obs: compound(
        [
          ['index', 'text'],
          ['louvain', 'int8'],
          ['n', 'int8'],
        ],
        [
          ['a', 1, 5],
          ['b', -1, 6],
        ],
      ),
      var: compound(
        [
          ['index', 'text'],
          ['n', 'int8'],
        ],
        [['g', 7]],
      ),
      'uns/louvain_categories': texts('0', '1'),
      'uns/n_categories': texts('only'),
      X: { attributes: { h5sparse_format: 'csr', h5sparse_shape: [2n, 1n] } },
      'X/data': numbers(Float32Array.of(3)),
      'X/indices': numbers(Int32Array.of(0)),
      'X/indptr': numbers(Int32Array.of(0, 0, 1)),
      'raw.X': numbers(Float32Array.of(1, 2), [2, 1]),
      'raw.var': compound([['index', 'text']], [['g']]),
      obsm: {
        shape: [2],
        type: {
          kind: 'compound',
          fields: [{ name: 'X_pca', type: { kind: 'number', dtype: 'float32' }, shape: [3] }],
        },
        values: [[[1, 2, 3]], [[4, 5, 6]]],
      },
    });
    expect(catalog.title).toBe('AnnData of before 0.7 (HDF5)');
    expect(catalog.warnings).toEqual([]);
    // A code of n is beyond its categories: they are not meant for it.
    expect(source.readRows('obs', 0, 2).columns).toEqual([
      ['a', 'b'],
      ['1', undefined],
      [5, 6],
    ]);
    expect(source.readRows('genes', 0, 2, 0).columns).toEqual([
      ['a', 'b'],
      [0, 3],
    ]);
    expect(source.readRows('raw/var', 0, 1).columns).toEqual([['g']]);
    const bytes = new Uint8Array(16);
    source.readRegion('obsm/X_pca', { start: [0, 1], shape: [2, 2] }, bytes);
    expect([...new Float32Array(bytes.buffer)]).toEqual([2, 3, 5, 6]);
    expect(json(catalog)).toEqual({});
  });

  it('warn of a column that can’t be shown, and show the others', () => {
    const { catalog, source } = sourceOf({
      obs: frame('gone', 'short', 'wide', 'odd', 'packed', 'fine'),
      'obs/short': numbers(Int8Array.of(1, 2)),
      'obs/wide': numbers(Int8Array.of(1, 2, 3, 4, 5, 6), [3, 2]),
      'obs/odd': { attributes: { 'encoding-type': 'awkward-array' } },
      'obs/packed': { ...numbers(Int8Array.of(1, 2, 3)), unreadable: 'filter 32013 (zfp)' },
      'obs/fine': numbers(Int8Array.of(1, 2, 3)),
    });
    expect(catalog.warnings.map(({ path }) => path)).toEqual([
      'obs/gone',
      'obs/short',
      'obs/wide',
      'obs/odd',
      'obs/packed',
    ]);
    expect(catalog.warnings[1]?.message).toContain('obs/short: has 2 rows, the index 3');
    expect(catalog.warnings[4]?.message).toContain('filter 32013 (zfp)');
    expect(source.readRows('obs', 0, 3).columns).toEqual([
      ['c1', 'c2', 'c3'],
      [1, 2, 3],
    ]);
  });

  it('refuse codes beyond the categories, and masks of another length', () => {
    const categorical = (codes: MemoryArray): MemoryNodes => ({
      obs: frame('t'),
      'obs/t': { attributes: { 'encoding-type': 'categorical' } },
      'obs/t/codes': codes,
      'obs/t/categories': texts('x'),
    });
    const { source } = sourceOf(categorical(numbers(Int8Array.of(0, 1, 0))));
    expect(() => source.readRows('obs', 0, 3)).toThrow(BadMetadataError);
    expect(() => source.readRows('obs', 1, 2)).toThrow(/obs\/t\/codes: row 1 has code 1 of 1 categories/);
    expect(sourceOf(categorical(numbers(Float32Array.of(0, 0, 0)))).catalog.warnings[0]?.message).toMatch(
      /codes/,
    );
    const { catalog } = sourceOf({
      obs: frame('n'),
      'obs/n': { attributes: { 'encoding-type': 'nullable-integer' } },
      'obs/n/values': numbers(Int8Array.of(1, 2, 3)),
      'obs/n/mask': booleans(true),
    });
    expect(catalog.warnings[0]?.message).toContain('obs/n/mask: has shape [1] for 3 values');
  });

  it('refuse more rows than can be looked at, without reading one', () => {
    const { catalog } = sourceOf({
      'obs/_index': { shape: [2 ** 40], type: { kind: 'text' }, values: [] },
    });
    expect(itemsOf(catalog, 'obs')).toEqual([]);
    expect(catalog.warnings[0]?.message).toContain('obs: 1099511627776 rows');
  });

  it('keep the index’s own name where a column has the usual one', () => {
    const { catalog } = sourceOf({ obs: frame('index'), 'obs/index': numbers(Int8Array.of(1, 2, 3)) });
    const [obs] = itemsOf(catalog, 'obs');
    expect(obs?.kind === 'table' && obs.columns.map(({ name }) => name)).toEqual(['_index', 'index']);
  });

  it('refuse more categories than fit in memory before reading one', () => {
    const { catalog } = sourceOf({
      obs: frame('t'),
      'obs/t': { attributes: { 'encoding-type': 'categorical' } },
      'obs/t/codes': numbers(Int32Array.of(0, 0, 0)),
      'obs/t/categories': { shape: [2 ** 40], type: { kind: 'text' }, values: [] },
    });
    expect(catalog.warnings[0]?.message).toContain('1099511627776 categories');
  });
});

describe('AnnData matrices and families', () => {
  const X = numbers(Int32Array.of(1, 2, 3, 4, 5, 6), [3, 2]);

  it('make a table of every gene and every cell, named by the indexes', () => {
    const { catalog, source } = sourceOf({ X });
    expect(itemsOf(catalog, 'genes')).toEqual([
      {
        kind: 'family',
        path: 'genes',
        memberCount: 2,
        rowCount: 3,
        columns: [
          { name: 'name', type: 'text' },
          { name: 'value', type: 'int32' },
        ],
      },
    ]);
    expect(source.memberNames('genes', 0, 2)).toEqual(['g1', 'g2']);
    expect(source.readRows('genes', 1, 2, 1).columns).toEqual([
      ['c2', 'c3'],
      [4, 6],
    ]);
    expect(source.readRows('cells', 0, 2, 2).columns).toEqual([
      ['g1', 'g2'],
      [5, 6],
    ]);
    expect(source.readRows('genes', 1, 2).columns).toEqual([['c2', 'c3'], []]);
    expect(() => source.readRows('genes', 0, 3, 2)).toThrow(RangeError);
    expect(() => source.readRows('genes', 1, 3, 0)).toThrow(RangeError);
    expect(() => source.memberNames('genes', 1, 2)).toThrow(RangeError);
    expect(() => source.readRows('nothing', 0, 1)).toThrow(RangeError);
    expect(() => source.readRegion('X', { start: [0, 0], shape: [4, 2] }, new Uint8Array(32))).toThrow(
      RangeError,
    );
    expect(() => source.readRegion('X', { start: [0, 0], shape: [3, 2] }, new Uint8Array(23))).toThrow(
      RangeError,
    );
  });

  it('make no families of a matrix that doesn’t fit the indexes, and say so', () => {
    const { catalog } = sourceOf({ X: numbers(Int32Array.of(1, 2), [1, 2]) });
    expect(itemsOf(catalog, 'genes')).toEqual([]);
    expect(catalog.warnings[0]).toMatchObject({ path: 'X' });
    expect(catalog.warnings[0]?.message).toContain('has shape [1,2] for 3 observations and 2 variables');
  });

  it('show embeddings as arrays and as tables with the names of the rows', () => {
    const { catalog, source } = sourceOf({
      'obsm/X_umap': numbers(Float32Array.of(1, 2, 3, 4, 5, 6), [3, 2]),
    });
    expect(itemsOf(catalog, 'obsm/X_umap').map(({ kind }) => kind)).toEqual(['array', 'table']);
    expect(source.readRows('obsm/X_umap', 1, 2).columns).toEqual([
      ['c2', 'c3'],
      [3, 5],
      [4, 6],
    ]);
    const table = itemsOf(catalog, 'obsm/X_umap')[1];
    expect(table?.kind === 'table' && table.columns.map(({ name }) => name)).toEqual([
      'index',
      'X_umap1',
      'X_umap2',
    ]);
  });

  it('stay open only while they are read, and tell of a change', async () => {
    const opened: MemoryHierarchy[] = [];
    const nodes: MemoryNodes = { ...BASE, X };
    const opener = {
      file: import.meta.filename,
      format: 'hdf5',
      version: () => '',
      open: () => {
        opened.push(new MemoryHierarchy(nodes));
        return opened.at(-1)!;
      },
    } as const;
    const catalog = catalogOf(opener)!;
    expect(opened.map(({ isDisposed }) => isDisposed)).toEqual([true]);
    using source = new AnnDataSource(opener, catalog, 20);
    source.readRows('genes', 0, 3, 1);
    expect(source.isOpen).toBe(true);
    await expect.poll(() => source.isOpen, { interval: 5 }).toBe(false);
    expect(opened[1]?.isDisposed).toBe(true);
    expect(source.readRows('genes', 0, 3, 1).columns[1]).toEqual([2, 4, 6]);
    expect(opened.length).toBe(3);
    const other = { ...catalog, items: catalog.items.slice(1) };
    expect(() => new AnnDataSource(opener, other)).toThrow(SourceChangedError);
    expect(opened.at(-1)?.isDisposed).toBe(true);
  });
});

describe('unstructured AnnData', () => {
  it('are one JSON document; what is large is a file of its own', () => {
    const { catalog, source } = sourceOf({
      'uns/method': { shape: [], type: { kind: 'text' }, values: ['louvain'] },
      'uns/n': numbers(BigInt64Array.of(9_007_199_254_740_993n), []),
      'uns/p': { ...numbers(Float64Array.of(Number.NaN), []) },
      'uns/yes': { ...booleans(true), shape: [] },
      'uns/names': texts('a', 'b"'),
      'uns/nothing': { ...numbers(new Float32Array(0)), attributes: { 'encoding-type': 'null' } },
      'uns/grid': numbers(Float32Array.of(1, 2, 3, 4), [2, 2]),
      'uns/pca/variance': numbers(Float32Array.from({ length: 100 }, (_, at) => at)),
      'uns/colors': { attributes: { 'encoding-type': 'categorical' } },
      'uns/colors/codes': numbers(Int8Array.of(0, -1)),
      'uns/colors/categories': texts('red'),
      'uns/df': { attributes: { 'encoding-type': 'dataframe', _index: 'i', 'column-order': [] } },
      'uns/df/i': texts('r'),
      'uns/odd': { attributes: { 'encoding-type': 'awkward-array' } },
      'uns/many': texts(...Array.from({ length: 2000 }, (_, at) => (at === 1 ? '' : `t${at}`))),
    });
    expect(json(catalog)).toEqual({
      method: 'louvain',
      n: 9_007_199_254_740_992,
      p: 'NaN',
      yes: true,
      names: ['a', 'b"'],
      nothing: null,
      grid: [
        [1, 2],
        [3, 4],
      ],
      pca: { variance: { array: 'uns/pca/variance', shape: [100], dtype: 'float32' } },
      colors: ['red', null],
      df: { table: 'uns/df', rows: 1, columns: ['i'] },
      many: { table: 'uns/many', rows: 2000, columns: ['row', 'value'] },
    });
    expect(source.readRows('uns/many', 1, 2).columns).toEqual([
      [1, 2],
      ['', 't2'],
    ]);
    const [text] = itemsOf(catalog, 'uns.json');
    expect(text?.kind === 'text' && text.text).toContain('"n": 9007199254740993');
    expect(catalog.warnings.map(({ path }) => path)).toEqual(['uns/odd']);
    const bytes = new Uint8Array(8);
    source.readRegion('uns/pca/variance', { start: [98], shape: [2] }, bytes);
    expect([...new Float32Array(bytes.buffer)]).toEqual([98, 99]);
  });

  it('are bounded in number and depth', () => {
    const many = Object.fromEntries(
      Array.from({ length: 10_050 }, (_, at) => [`uns/m${at}`, numbers(Int8Array.of(1), [])]),
    );
    const deep = `uns/${Array.from({ length: 60 }, () => 'd').join('/')}`;
    expect(sourceOf(many).catalog.warnings[0]?.message).toContain('more than 10000 elements');
    expect(sourceOf({ [deep]: numbers(Int8Array.of(1), []) }).catalog.warnings[0]?.message).toContain(
      'nested',
    );
  });

  it('are bounded in length, and say what is left out', () => {
    const long = Object.fromEntries(
      Array.from({ length: 100 }, (_, at) => [`uns/m${at}`, texts('x'.repeat(60_000))]),
    );
    const { catalog } = sourceOf(long);
    const [text] = itemsOf(catalog, 'uns.json');
    expect(text?.kind === 'text' && text.text.length).toBeLessThan(4.3e6);
    expect(catalog.warnings[0]?.message).toContain('uns.json would have more than');
  });

  it('of shapes that no memory holds are arrays, not read', () => {
    const { catalog } = sourceOf({
      'uns/bomb': numbers(new Float32Array(0), [2 ** 30, 2 ** 30]),
      'uns/list': { shape: [2 ** 40], type: { kind: 'text' }, values: [] },
    });
    expect(catalog.warnings.map(({ path }) => path)).toEqual(['uns/list']);
    expect(json(catalog)).toEqual({
      bomb: { array: 'uns/bomb', shape: [2 ** 30, 2 ** 30], dtype: 'float32' },
    });
  });
});

describe('files that are no AnnData', () => {
  it('are left to others', () => {
    const opener = {
      file: import.meta.filename,
      format: 'hdf5',
      version: () => '',
      open: () => new MemoryHierarchy({ image: numbers(new Uint8Array(4), [2, 2]) }),
    } as const;
    expect(catalogOf(opener)).toBeUndefined();
  });

  it('without observations show what they have', () => {
    const opener = {
      file: import.meta.filename,
      format: 'hdf5',
      version: () => '',
      open: () =>
        new MemoryHierarchy({
          '': { attributes: { 'encoding-type': 'anndata' } },
          obs: { attributes: { 'encoding-type': 'dataframe' } },
          X: numbers(Float32Array.of(1, 2), [1, 2]),
        }),
    } as const;
    const catalog = catalogOf(opener)!;
    expect(catalog.items.map(({ path }) => path)).toEqual(['X']);
    expect(catalog.warnings[0]?.message).toContain('obs: has no attribute _index');
  });
});
