import type { ChunkCodec } from '../model/landing-format.ts';
import { type NgffVersion, ZARR_V2_GROUP, ZARR_V3_BYTES, zarrV3Group } from '../model/ngff.ts';
import { jsonBytes } from './atomic-json.ts';
import { codecsMetadata, compressorMetadata, encodeChunk } from './chunk-codec.ts';
import type { TableColumn } from './table-columns.ts';

/** How a table of the store is written. */
export interface TableFormat {
  readonly version: NgffVersion;
  readonly codec: ChunkCodec;
}

/** A file below the table's group. Its bytes are valid until the next is asked for. */
export interface TableFile {
  readonly path: string;
  readonly bytes: Uint8Array;
}

const CHUNK_BYTES = 8 << 20;
const F64_BYTES = 8;

/** Attributes of an element of AnnData (anndata docs, "On-disk format"). */
const encoding = (type: string, version: string): object => ({
  'encoding-type': type,
  'encoding-version': version,
});

/** What an array holds, and how Zarr calls it. */
interface Elements {
  readonly shape: readonly number[];
  readonly chunkShape: readonly number[];
  readonly kind: 'number' | 'text';
}

/** Names that can be those of an array below `obs`; others get `_` in place of what can't be. */
export function arrayNames(names: readonly string[]): Map<string, string> {
  const taken = new Set(['_index']);
  return new Map(
    names.map((name) => {
      const plain = name.replaceAll(/[/\\]/g, '_').replace(/^\.+|^__+/, '_');
      let own = plain === '' ? '_' : plain;
      while (taken.has(own) || (own !== name && names.includes(own))) own += '_';
      taken.add(own);
      return [name, own];
    }),
  );
}

/**
 * The files of a table as AnnData in Zarr: columns of numbers are `X` (rows × columns, float64) with their names as
 * index of `var`, texts are columns of `obs`, whose index is the row's number from 0. `own` goes into the group's
 * `platefs` attribute.
 */
export function* tableFiles(
  columns: readonly TableColumn[],
  format: TableFormat,
  own: object,
): Generator<TableFile> {
  const rows = columns[0]?.values.length ?? 0;
  const numbers = columns.filter((column) => column.kind === 'number');
  const texts = columns.filter((column) => column.kind === 'text');
  const names = arrayNames(texts.map(({ name }) => name));
  const renamed = [...names].filter(([name, used]) => name !== used).map(([name, used]) => [used, name]);
  const platefs = { ...own, ...(renamed.length > 0 ? { columnNames: Object.fromEntries(renamed) } : {}) };
  yield* group(format, '', { ...encoding('anndata', '0.1.0'), platefs });
  if (numbers.length > 0)
    yield* matrix(
      format,
      numbers.map(({ values }) => values),
      rows,
    );
  yield* frame(format, 'obs', [...names.values()]);
  const numbered = Array.from({ length: rows }, (_, row) => String(row));
  yield* textArray(format, 'obs/_index', numbered);
  for (const { name, values } of texts) yield* textArray(format, `obs/${names.get(name) ?? name}`, values);
  yield* frame(format, 'var', []);
  yield* textArray(
    format,
    'var/_index',
    numbers.map(({ name }) => name),
  );
}

function* frame(format: TableFormat, path: string, columnOrder: readonly string[]): Generator<TableFile> {
  const attributes = { ...encoding('dataframe', '0.2.0'), _index: '_index', 'column-order': columnOrder };
  yield* group(format, path, attributes);
}

const below = (folder: string, name: string): string => (folder === '' ? name : `${folder}/${name}`);

function* group({ version }: TableFormat, path: string, attributes: object): Generator<TableFile> {
  if (version === '0.5') {
    yield { path: below(path, 'zarr.json'), bytes: jsonBytes(zarrV3Group(undefined, attributes)) };
    return;
  }
  yield { path: below(path, '.zgroup'), bytes: jsonBytes(ZARR_V2_GROUP) };
  yield { path: below(path, '.zattrs'), bytes: jsonBytes(attributes) };
}

function* arrayDocuments(
  { version, codec }: TableFormat,
  path: string,
  { shape, chunkShape, kind }: Elements,
  attributes: object,
): Generator<TableFile> {
  const isText = kind === 'text';
  if (version === '0.5') {
    const codecs = [
      isText ? { name: 'vlen-utf8' } : ZARR_V3_BYTES,
      ...codecsMetadata(codec, isText ? 1 : F64_BYTES),
    ];
    const document = {
      zarr_format: 3,
      node_type: 'array',
      shape,
      data_type: isText ? 'string' : 'float64',
      chunk_grid: { name: 'regular', configuration: { chunk_shape: chunkShape } },
      chunk_key_encoding: { name: 'default', configuration: { separator: '/' } },
      fill_value: isText ? '' : 'NaN',
      codecs,
      attributes,
    };
    yield { path: `${path}/zarr.json`, bytes: jsonBytes(document) };
    return;
  }
  const document = {
    chunks: chunkShape,
    compressor: compressorMetadata(codec),
    dimension_separator: '/',
    dtype: isText ? '|O' : '<f8',
    fill_value: isText ? '' : 'NaN',
    filters: isText ? [{ id: 'vlen-utf8' }] : null,
    order: 'C',
    shape,
    zarr_format: 2,
  };
  yield { path: `${path}/.zarray`, bytes: jsonBytes(document) };
  yield { path: `${path}/.zattrs`, bytes: jsonBytes(attributes) };
}

const chunkPath = ({ version }: TableFormat, path: string, position: readonly number[]): string =>
  `${path}/${version === '0.5' ? 'c/' : ''}${position.join('/')}`;

function* matrix(format: TableFormat, columns: readonly Float64Array[], rows: number): Generator<TableFile> {
  const width = columns.length;
  const chunkRows = Math.max(1, Math.min(rows, Math.floor(CHUNK_BYTES / (F64_BYTES * width))));
  const elements = { shape: [rows, width], chunkShape: [chunkRows, width], kind: 'number' } as const;
  yield* arrayDocuments(format, 'X', elements, encoding('array', '0.2.0'));
  for (let from = 0; from < rows; from += chunkRows) {
    // Chunks at the end are whole; what lies beyond the last row is not looked at.
    const values = new Float64Array(chunkRows * width).fill(Number.NaN);
    for (let row = from; row < Math.min(rows, from + chunkRows); row++)
      for (let column = 0; column < width; column++)
        values[(row - from) * width + column] = columns[column]?.[row] ?? Number.NaN;
    const path = chunkPath(format, 'X', [from / chunkRows, 0]);
    yield { path, bytes: encodeChunk(format.codec, new Uint8Array(values.buffer), F64_BYTES, path) };
  }
}

function* textArray(format: TableFormat, path: string, texts: readonly string[]): Generator<TableFile> {
  const elements = { shape: [texts.length], chunkShape: [Math.max(1, texts.length)], kind: 'text' } as const;
  yield* arrayDocuments(format, path, elements, encoding('string-array', '0.2.0'));
  if (texts.length === 0) return;
  const chunk = chunkPath(format, path, [0]);
  yield { path: chunk, bytes: encodeChunk(format.codec, variableTexts(texts), 1, chunk) };
}

/** Codec `vlen-utf8` of numcodecs and zarr-extensions: their number, then each with its length in bytes before it. */
function variableTexts(texts: readonly string[]): Buffer {
  let sizeBytes = 4;
  for (const text of texts) sizeBytes += 4 + Buffer.byteLength(text);
  const bytes = Buffer.allocUnsafe(sizeBytes);
  bytes.writeUInt32LE(texts.length, 0);
  let at = 4;
  for (const text of texts) {
    const length = bytes.write(text, at + 4, 'utf8');
    bytes.writeUInt32LE(length, at);
    at += 4 + length;
  }
  return bytes;
}
