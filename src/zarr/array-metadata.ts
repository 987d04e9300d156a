import { basename, dirname } from 'node:path';
import { BadZarrError, UnsupportedZarrError } from '../core/errors.ts';
import { type CodecChain, v2Chain, v3Chain } from './codec-chain.ts';
import { type ElementType, elementBytes, parseV2Dtype, parseV3Dtype } from './element.ts';
import { parseFillValue } from './fill-value.ts';
import { asInteger, asObject, asString, type JsonObject, readJsonObject } from './json.ts';

/** What an array's own metadata says: Zarr v2 `.zarray` or Zarr v3 `zarr.json`. */
export interface ArrayMetadata {
  /** The metadata file. */
  readonly path: string;
  /** The folder the chunks' keys are below. */
  readonly folder: string;
  readonly sizeBytes: number;
  readonly mtimeMs: number;
  readonly zarrFormat: 2 | 3;
  /** Without lanes. */
  readonly shape: readonly number[];
  /** Without lanes; every extent at least 1, and larger than the array's where the file says so. */
  readonly chunkShape: readonly number[];
  readonly element: ElementType;
  /** One element, little-endian. */
  readonly fill: Uint8Array;
  readonly chain: CodecChain;
  /** Relative paths of a chunk; the second is tried where the metadata does not say which separator it uses. */
  chunkKeys(position: readonly number[]): readonly string[];
  /** Zarr v3's `dimension_names`, where every one is given. */
  readonly dimensionNames?: readonly string[];
}

/** Axes of an array; numpy allows 64. */
const MAX_RANK = 32;
/** One decoded chunk: it has to be in memory whole. */
const MAX_CHUNK_BYTES = 2 ** 30;

/** Whether a file of this name describes an array (or, for `zarr.json`, may). */
export function isArrayMetadataName(path: string): boolean {
  const name = basename(path);
  return name === '.zarray' || name === 'zarr.json';
}

/** @throws UnreadableSourceError, BadZarrError, UnsupportedZarrError naming `path`. */
export function readArrayMetadata(path: string): ArrayMetadata {
  const document = readJsonObject(path);
  const zarrFormat = document.value['zarr_format'];
  const parse = zarrFormat === 2 ? parseV2 : zarrFormat === 3 ? parseV3 : undefined;
  if (!parse)
    throw new BadZarrError(path, `zarr_format ${String(zarrFormat).slice(0, 20)} instead of 2 or 3`);
  const { sizeBytes, mtimeMs } = document;
  return { ...parse(document.value, path), path, folder: dirname(path), sizeBytes, mtimeMs };
}

function extents(value: unknown, what: string, path: string): number[] {
  if (!Array.isArray(value)) throw new BadZarrError(path, `${what} is no list`);
  if (value.length > MAX_RANK) throw new BadZarrError(path, `${value.length} axes, more than ${MAX_RANK}`);
  return (value as unknown[]).map((extent) => {
    const number = asInteger(extent);
    if (number === undefined || number < 0)
      throw new BadZarrError(path, `${what} has an extent ${String(extent).slice(0, 40)}`);
    return number;
  });
}

/** Checks shape and chunk shape against each other. */
function checkShapes(shape: readonly number[], chunks: number[], element: ElementType, path: string): void {
  if (chunks.length !== shape.length)
    throw new BadZarrError(path, `${shape.length} axes in chunks of ${chunks.length} axes`);
  const sizeBytes = shape.reduce((product, extent) => product * extent, elementBytes(element));
  if (sizeBytes > Number.MAX_SAFE_INTEGER)
    throw new BadZarrError(path, `an array of [${shape}] elements is larger than any disk`);
  for (let axis = 0; axis < chunks.length; axis++) {
    // zarr-python writes chunks of 0 for axes of 0.
    if (chunks[axis] === 0 && shape[axis] === 0) chunks[axis] = 1;
    if (chunks[axis] === 0) throw new BadZarrError(path, `chunks of [${chunks}] elements`);
  }
}

/** Checks that what has to be decoded at once, a chunk or a shard's inner chunk, can be in memory. */
function checkDecodedSize(
  chain: CodecChain,
  chunk: readonly number[],
  element: ElementType,
  path: string,
): void {
  if (chain.shard && chain.steps.length === 0) {
    // Its lanes are the inner shape's last axis.
    const inner = element.lanes > 1 ? chain.shard.innerShape.slice(0, -1) : chain.shard.innerShape;
    checkDecodedSize(chain.shard.inner, inner, element, path);
    return;
  }
  const sizeBytes = chunk.reduce((product, extent) => product * extent, elementBytes(element));
  if (sizeBytes > MAX_CHUNK_BYTES)
    throw new UnsupportedZarrError(
      path,
      `a chunk of [${chunk}] elements has more than ${MAX_CHUNK_BYTES} bytes`,
    );
}

/** What the document says, without what is known of its file. */
type Described = Omit<ArrayMetadata, 'path' | 'folder' | 'sizeBytes' | 'mtimeMs'>;

function parseV2(document: JsonObject, path: string): Described {
  const element = parseV2Dtype(document['dtype'], path);
  const shape = extents(document['shape'], 'shape', path);
  const chunkShape = extents(document['chunks'], 'chunks', path);
  checkShapes(shape, chunkShape, element, path);
  const chain = v2Chain(document, shape.length, element, path);
  checkDecodedSize(chain, chunkShape, element, path);
  const separator = document['dimension_separator'];
  if (separator !== undefined && separator !== '.' && separator !== '/')
    throw new BadZarrError(path, `dimension_separator ${String(separator).slice(0, 20)}`);
  const separators = separator === undefined ? ['.', '/'] : [separator];
  return {
    zarrFormat: 2,
    shape,
    chunkShape,
    element,
    fill: parseFillValue(document['fill_value'], element, path),
    chain,
    chunkKeys: (position) =>
      position.length === 0
        ? ['0']
        : separators.slice(0, position.length > 1 ? 2 : 1).map((between) => position.join(between)),
  };
}

/** Keys of `zarr.json` that this code knows; any other must say that it may be ignored (Zarr v3 spec, "Extensions"). */
const V3_KEYS = new Set([
  'zarr_format',
  'node_type',
  'shape',
  'data_type',
  'chunk_grid',
  'chunk_key_encoding',
  'fill_value',
  'codecs',
  'attributes',
  'storage_transformers',
  'dimension_names',
  'consolidated_metadata',
]);

function parseV3(document: JsonObject, path: string): Described {
  if (document['node_type'] !== 'array') throw new BadZarrError(path, 'the node is no array');
  for (const [key, value] of Object.entries(document))
    if (!V3_KEYS.has(key) && asObject(value)?.['must_understand'] !== false)
      throw new UnsupportedZarrError(path, `the extension ${JSON.stringify(key.slice(0, 60))}`);
  const transformers = document['storage_transformers'];
  if (Array.isArray(transformers) && transformers.length > 0)
    throw new UnsupportedZarrError(path, 'storage transformers');
  const element = parseV3Dtype(document['data_type'], path);
  const shape = extents(document['shape'], 'shape', path);
  const grid = asObject(document['chunk_grid']);
  if (grid?.['name'] !== 'regular')
    throw new UnsupportedZarrError(path, `chunk grid ${String(grid?.['name']).slice(0, 40)}`);
  const chunkShape = extents(asObject(grid['configuration'])?.['chunk_shape'], 'chunk_shape', path);
  checkShapes(shape, chunkShape, element, path);
  const chain = v3Chain(document['codecs'], chunkShape, element, path);
  checkDecodedSize(chain, chunkShape, element, path);
  const names = document['dimension_names'];
  return {
    zarrFormat: 3,
    shape,
    chunkShape,
    element,
    fill: parseFillValue(document['fill_value'], element, path),
    chain,
    chunkKeys: v3Keys(asObject(document['chunk_key_encoding']), path),
    ...(Array.isArray(names) &&
    names.length === shape.length &&
    names.every((name) => asString(name) !== undefined)
      ? { dimensionNames: names as string[] }
      : {}),
  };
}

/** Chunk keys: `c/0/0` or, of arrays that were v2, `0.0` (Zarr v3 spec, "Chunk key encoding"). */
function v3Keys(encoding: JsonObject | undefined, path: string): ArrayMetadata['chunkKeys'] {
  const name = encoding?.['name'];
  if (name !== 'default' && name !== 'v2')
    throw new UnsupportedZarrError(path, `chunk key encoding ${String(name).slice(0, 40)}`);
  const separator = asObject(encoding?.['configuration'])?.['separator'] ?? (name === 'v2' ? '.' : '/');
  if (separator !== '.' && separator !== '/')
    throw new BadZarrError(path, `separator ${String(separator).slice(0, 20)}`);
  return name === 'default'
    ? (position) => [['c', ...position].join(separator)]
    : (position) => [position.length === 0 ? '0' : position.join(separator)];
}
