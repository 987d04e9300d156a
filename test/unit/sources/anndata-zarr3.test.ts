import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { bytesOf, type Dtype, type TypedArray } from '../../../src/core/nd-array.ts';
import anndata from '../../../src/sources/anndata.ts';

const folder = mkdtempSync(join(tmpdir(), 'platefs-anndata-zarr3-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Writes a node of a Zarr v3 store (Zarr core specification 3.0). */
function writeNode(path: string, metadata: object, chunk?: Uint8Array): void {
  mkdirSync(join(path, 'c'), { recursive: true });
  writeFileSync(join(path, 'zarr.json'), JSON.stringify({ zarr_format: 3, attributes: {}, ...metadata }));
  if (chunk) writeFileSync(join(path, 'c/0'), chunk);
}

const writeGroup = (path: string, attributes: object): void =>
  writeNode(path, { node_type: 'group', attributes });

function writeArray(
  path: string,
  count: number,
  type: string,
  chunk: Uint8Array,
  attributes: object = {},
): void {
  const isText = type === 'string';
  writeNode(
    path,
    {
      node_type: 'array',
      shape: [count],
      data_type: type,
      chunk_grid: { name: 'regular', configuration: { chunk_shape: [Math.max(1, count)] } },
      chunk_key_encoding: { name: 'default', configuration: { separator: '/' } },
      fill_value: isText ? '' : type === 'bool' ? false : 0,
      codecs: [isText ? { name: 'vlen-utf8' } : { name: 'bytes', configuration: { endian: 'little' } }],
      attributes,
    },
    chunk,
  );
}

function writeNumbers(path: string, type: Dtype, data: TypedArray): void {
  writeArray(path, data.length, type, bytesOf({ dtype: type, shape: [data.length], data }));
}

/** Text as the codec vlen-utf8 has it: the number of texts, then each with its length before it. */
function writeTexts(path: string, ...texts: string[]): void {
  const u32 = (value: number): Buffer => Buffer.from(Uint32Array.of(value).buffer);
  const parts = texts.map((text) => Buffer.concat([u32(Buffer.byteLength(text)), Buffer.from(text)]));
  writeArray(path, texts.length, 'string', Buffer.concat([u32(texts.length), ...parts]), {
    'encoding-type': 'string-array',
    'encoding-version': '0.2.0',
  });
}

describe('AnnData in Zarr v3', () => {
  it('has its tables, sparse matrix and unstructured data', async () => {
    const store = join(folder, 'v3.zarr');
    const frame = (columns: string[]) => ({
      'encoding-type': 'dataframe',
      'encoding-version': '0.2.0',
      _index: 'names',
      'column-order': columns,
    });
    writeGroup(store, { 'encoding-type': 'anndata', 'encoding-version': '0.1.0' });
    writeGroup(join(store, 'obs'), frame(['type', 'n', 'yes']));
    writeTexts(join(store, 'obs/names'), 'a', 'b', 'ç');
    writeGroup(join(store, 'obs/type'), { 'encoding-type': 'categorical', ordered: false });
    writeNumbers(join(store, 'obs/type/codes'), 'int8', Int8Array.of(1, -1, 0));
    writeTexts(join(store, 'obs/type/categories'), 'x', 'y');
    writeGroup(join(store, 'obs/n'), { 'encoding-type': 'nullable-integer' });
    writeNumbers(join(store, 'obs/n/values'), 'int64', BigInt64Array.of(1n, 2n, 3n));
    writeArray(join(store, 'obs/n/mask'), 3, 'bool', Uint8Array.of(0, 1, 0));
    writeArray(join(store, 'obs/yes'), 3, 'bool', Uint8Array.of(1, 0, 1));
    writeGroup(join(store, 'var'), frame([]));
    writeTexts(join(store, 'var/names'), 'g1', 'g2');
    writeGroup(join(store, 'X'), { 'encoding-type': 'csc_matrix', shape: [3, 2] });
    writeNumbers(join(store, 'X/data'), 'float32', Float32Array.of(1, 2, 3));
    writeNumbers(join(store, 'X/indices'), 'int32', Int32Array.of(0, 2, 1));
    writeNumbers(join(store, 'X/indptr'), 'int64', BigInt64Array.of(0n, 2n, 3n));
    writeGroup(join(store, 'uns'), { 'encoding-type': 'dict' });
    writeTexts(join(store, 'uns/colors'), '#fff', '#000');

    await anndata.prepare?.();
    const catalog = (await anndata.catalog!(store, { root: folder }, new AbortController().signal))!;
    expect(catalog.title).toBe('AnnData (Zarr)');
    expect(catalog.warnings).toEqual([]);
    using source = anndata.openSync!(store, catalog);
    expect(source.readRows('obs', 0, 3).columns).toEqual([
      ['a', 'b', 'ç'],
      ['y', undefined, 'x'],
      [1n, undefined, 3n],
      [true, false, true],
    ]);
    expect(source.readRows('genes', 0, 3, 0).columns[1]).toEqual([1, 0, 2]);
    expect(source.readRows('cells', 0, 2, 1).columns[1]).toEqual([0, 3]);
    expect([...source.readEntries('X', 1, 2).columns]).toEqual([0, 1]);
    const uns = catalog.items.find(({ kind }) => kind === 'text');
    expect(uns?.kind === 'text' && JSON.parse(uns.text)).toEqual({ colors: ['#fff', '#000'] });
  });
});
