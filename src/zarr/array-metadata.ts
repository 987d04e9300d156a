import { basename } from 'node:path';
import { BadZarrError, UnsupportedZarrError } from '../core/errors.ts';
import { asObject, type JsonObject } from '../core/json-text.ts';
import { type ChunkLayout, parseChunkLayout } from './chunk-layout.ts';
import { type CodecChain, v2Chain, v3Chain } from './codec-chain.ts';
import { type ElementType, elementBytes, parseV2Dtype, parseV3Dtype } from './element.ts';
import { parseFillText, parseFillValue } from './fill-value.ts';
import { asString, readJsonObject } from './json.ts';

/** What an array's own metadata says: Zarr v2 `.zarray` or Zarr v3 `zarr.json`. Shapes are without lanes. */
export interface ArrayMetadata extends ChunkLayout {
  /** The metadata file. */
  readonly path: string;
  readonly element: ElementType;
  /** One element, little-endian. */
  readonly fill: Uint8Array;
  /** One element of text of variable length. */
  readonly fillText?: string;
  readonly chain: CodecChain;
  /** Zarr v3's `dimension_names`, where every one is given. */
  readonly dimensionNames?: readonly string[];
}

/** What stands in a metadata file, and which version of the file it was. */
export interface ArrayFileMetadata extends ArrayMetadata {
  readonly sizeBytes: number;
  readonly mtimeMs: number;
}

/** One decoded chunk: it has to be in memory whole. */
const MAX_CHUNK_BYTES = 2 ** 30;

/** Whether a file of this name describes an array (or, for `zarr.json`, may). */
export function isArrayMetadataName(path: string): boolean {
  const name = basename(path);
  return name === '.zarray' || name === 'zarr.json';
}

/**
 * The metadata of an array of numbers. @throws UnreadableSourceError, BadZarrError, UnsupportedZarrError naming `path`.
 */
export function readArrayMetadata(path: string): ArrayFileMetadata {
  const { value, sizeBytes, mtimeMs } = readJsonObject(path);
  const metadata = parseArrayMetadata(value, path);
  const { kind } = metadata.element;
  if (kind === 'string' || kind === 'compound')
    throw new UnsupportedZarrError(
      path,
      `${kind === 'string' ? 'text of variable length' : 'a structured data type'} is no array of numbers`,
    );
  return { ...metadata, sizeBytes, mtimeMs };
}

/** What the document at `path` says of an array of any kind. @throws BadZarrError, UnsupportedZarrError naming `path`. */
export function parseArrayMetadata(document: JsonObject, path: string): ArrayMetadata {
  const layout = parseChunkLayout(document, path);
  const parse = layout.zarrFormat === 2 ? parseV2 : parseV3;
  const { shape, chunkShape } = layout;
  const described = parse(document, layout, path);
  const { element, chain } = described;
  if (shape.reduce((product, extent) => product * extent, elementBytes(element)) > Number.MAX_SAFE_INTEGER)
    throw new BadZarrError(path, `an array of [${shape}] elements is larger than any disk`);
  checkDecodedSize(chain, chunkShape, element, path);
  return { ...layout, ...described, path };
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

/** What a document says of the items. */
type Items = Pick<ArrayMetadata, 'element' | 'fill' | 'fillText' | 'chain' | 'dimensionNames'>;

function parseFills(value: unknown, element: ElementType, path: string): Pick<Items, 'fill' | 'fillText'> {
  return {
    fill: parseFillValue(value, element, path),
    ...(element.kind === 'string' ? { fillText: parseFillText(value, path) } : {}),
  };
}

function parseV2(document: JsonObject, { shape }: ChunkLayout, path: string): Items {
  const element = parseV2Dtype(document['dtype'], path);
  return {
    element,
    ...parseFills(document['fill_value'], element, path),
    chain: v2Chain(document, shape.length, element, path),
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

function parseV3(document: JsonObject, { shape, chunkShape }: ChunkLayout, path: string): Items {
  for (const [key, value] of Object.entries(document))
    if (!V3_KEYS.has(key) && asObject(value)?.['must_understand'] !== false)
      throw new UnsupportedZarrError(path, `the extension ${JSON.stringify(key.slice(0, 60))}`);
  const transformers = document['storage_transformers'];
  if (Array.isArray(transformers) && transformers.length > 0)
    throw new UnsupportedZarrError(path, 'storage transformers');
  const element = parseV3Dtype(document['data_type'], path);
  const names = document['dimension_names'];
  return {
    element,
    ...parseFills(document['fill_value'], element, path),
    chain: v3Chain(document['codecs'], chunkShape, element, path),
    ...(Array.isArray(names) &&
    names.length === shape.length &&
    names.every((name) => asString(name) !== undefined)
      ? { dimensionNames: names as string[] }
      : {}),
  };
}
