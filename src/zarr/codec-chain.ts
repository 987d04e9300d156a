import { BadZarrError, UnsupportedZarrError } from '../core/errors.ts';
import { asObject, type JsonObject } from '../core/json-text.ts';
import { itemSizeBytes } from '../core/nd-array.ts';
import {
  ADLER32,
  BLOSC,
  type CodecStep,
  CRC32,
  CRC32C,
  LZ4,
  shuffleStep,
  streamStep,
  swapStep,
  unsupported,
} from './codec-step.ts';
import { type ElementType, parseAnyDtype } from './element.ts';
import { asInteger, asString, shown } from './json.ts';
import { BITROUND, castStep, deltaStep, PACKBITS, scaleOffsetStep } from './value-filter.ts';

/** How a chunk's items become its stored bytes. */
export interface CodecChain {
  /** Stored axis i is axis `order[i]` of the array; undefined when they are the same. */
  readonly order: readonly number[] | undefined;
  /** From items to bytes, in the order of encoding; behind the shard where there is one. */
  readonly steps: readonly CodecStep[];
  /** Set when the bytes are a shard. */
  readonly shard?: Shard;
  /** How texts of variable length become bytes; set for arrays of them, and only for those. */
  readonly texts?: TextCodec;
}

/** numcodecs' VLenUTF8, VLenBytes and JSON. */
export type TextCodec = (typeof TEXT_CODECS)[number];
const TEXT_CODECS = ['vlen-utf8', 'vlen-bytes', 'json2'] as const;

const asTextCodec = (name: string): TextCodec | undefined => TEXT_CODECS.find((codec) => codec === name);

/** A chunk that holds smaller chunks and an index of them (Zarr v3 `sharding_indexed`). */
export interface Shard {
  /** Of an inner chunk, axes as stored. */
  readonly innerShape: readonly number[];
  readonly inner: CodecChain;
  readonly indexBigEndian: boolean;
  /** Whether a crc32c follows the index. */
  readonly indexChecked: boolean;
  readonly indexAtStart: boolean;
}

/** Codecs from bytes to bytes and filters of values that numcodecs and Zarr v3 share, by their bare names. */
export function numcodecsStep(name: string, config: JsonObject, path: string): CodecStep | undefined {
  const values = (key: string, otherwise?: unknown) => {
    const { dtype, bigEndian, lanes } = parseAnyDtype(config[key] ?? otherwise, path);
    if (lanes !== 1) throw unsupported(`${name} of ${shown(config[key])}`, path);
    return { dtype, bigEndian };
  };
  const number = (key: string): number => {
    const value = config[key];
    if (typeof value !== 'number') throw new BadZarrError(path, `codec ${name} has no number ${key}`);
    return value;
  };
  switch (name) {
    case 'blosc':
      return BLOSC;
    case 'lz4':
      return LZ4;
    case 'zlib':
    case 'gzip':
    case 'zstd':
      return streamStep(name);
    case 'crc32':
      return CRC32;
    case 'adler32':
      return ADLER32;
    case 'shuffle':
      return shuffleStep(Math.max(1, asInteger(config['elementsize']) ?? 4));
    case 'delta':
      return deltaStep(values('dtype'), values('astype', config['dtype']));
    case 'fixedscaleoffset':
      return scaleOffsetStep(
        values('dtype'),
        values('astype', config['dtype']),
        number('scale'),
        number('offset'),
      );
    case 'quantize':
      return castStep(name, values('dtype'), values('astype', config['dtype']));
    case 'astype':
      return castStep(name, values('decode_dtype'), values('encode_dtype'));
    case 'bitround':
      return BITROUND;
    case 'packbits':
      return PACKBITS;
    default:
      return undefined;
  }
}

/** Reverse order of `rank` axes and, with lanes, the lanes last as ever; undefined when nothing changes. */
function reversed(rank: number, lanes: number): readonly number[] | undefined {
  if (rank < 2) return undefined;
  const order = Array.from({ length: rank }, (_, axis) => rank - 1 - axis);
  return lanes > 1 ? [...order, rank] : order;
}

/**
 * The chain of a Zarr v2 array: `order`, `filters`, `compressor` (Zarr v2 spec, "Metadata"; numcodecs' names).
 * @throws BadZarrError, UnsupportedZarrError
 */
export function v2Chain(document: JsonObject, rank: number, element: ElementType, path: string): CodecChain {
  const { order, filters, compressor } = document;
  if (order !== 'C' && order !== 'F') throw new BadZarrError(path, `order ${shown(order)}`);
  const listed = filters === null || filters === undefined ? [] : filters;
  if (!Array.isArray(listed) || listed.length > MAX_CODECS)
    throw new BadZarrError(path, 'filters are no list');
  const named: unknown[] = compressor === null || compressor === undefined ? listed : [...listed, compressor];
  let texts: TextCodec | undefined;
  const steps: CodecStep[] = [];
  named.forEach((entry, place) => {
    const config = asObject(entry);
    const id = asString(config?.['id']);
    if (!config || id === undefined) throw new BadZarrError(path, 'a filter or compressor without an id');
    if (place === 0 && element.kind === 'string') texts = asTextCodec(id);
    if (place === 0 && texts !== undefined) return;
    const step = numcodecsStep(id, config, path);
    if (!step) throw unsupported(id, path);
    steps.push(step);
  });
  if (element.kind === 'string' && texts === undefined) {
    const filter = shown(asObject(named[0])?.['id']);
    throw new UnsupportedZarrError(
      path,
      `data type "|O" with ${named.length === 0 ? 'no filter' : `filter ${filter}`}`,
    );
  }
  const reorder = order === 'F' ? reversed(rank, element.lanes) : undefined;
  if (reorder && texts === 'json2') throw unsupported('json2 in order F', path);
  const swap = element.bigEndian ? [swapStep(itemSizeBytes(element.dtype))] : [];
  return { order: reorder, steps: [...swap, ...steps], ...(texts === undefined ? {} : { texts }) };
}

/** Codecs in a row, and shards inside one another: more are no real file's. */
const MAX_CODECS = 16;
const MAX_SHARD_DEPTH = 4;

/** Names of filters that work on values, before the `bytes` codec. */
const VALUE_FILTERS = new Set(['delta', 'fixedscaleoffset', 'quantize', 'astype', 'bitround', 'packbits']);

/**
 * The chain of a Zarr v3 array (Zarr v3 spec, "Codecs"; zarr-extensions; `numcodecs.*` as zarr-python 3 writes them).
 * `shape` is the chunk's, without lanes.
 * @throws BadZarrError, UnsupportedZarrError
 */
export function v3Chain(
  codecs: unknown,
  shape: readonly number[],
  element: ElementType,
  path: string,
  depth = 0,
): CodecChain {
  if (!Array.isArray(codecs) || codecs.length === 0 || codecs.length > MAX_CODECS)
    throw new BadZarrError(path, 'codecs are no list');
  let order: readonly number[] | undefined;
  let shard: Shard | undefined;
  let texts: TextCodec | undefined;
  let serialised = false;
  let item = element;
  const steps: CodecStep[] = [];
  for (const entry of codecs as unknown[]) {
    const object = asObject(entry);
    const name = asString(object?.['name']) ?? asString(entry) ?? '';
    const config = asObject(object?.['configuration']) ?? {};
    const bare = name.replace(/^numcodecs\./, '');
    if (name === 'bytes') {
      if (element.kind === 'string')
        throw new BadZarrError(path, 'the bytes codec can’t hold text of variable length');
      if (serialised) throw new BadZarrError(path, 'bytes are turned into bytes twice');
      serialised = true;
      const itemBytes = itemSizeBytes(item.dtype);
      const { endian } = config;
      if (itemBytes > 1 && endian !== 'little' && endian !== 'big')
        throw new BadZarrError(path, 'the bytes codec does not say which byte order');
      if (itemBytes > 1 && endian === 'big') steps.push(swapStep(itemBytes));
    } else if (name === 'transpose') {
      if (serialised || steps.length > 0) throw unsupported('transpose behind another codec', path);
      order = composed(order, transposition(config['order'], shape.length, path));
    } else if (name === 'sharding_indexed') {
      if (serialised || steps.length > 0) throw unsupported('sharding behind a filter', path);
      if (depth >= MAX_SHARD_DEPTH)
        throw unsupported(`more than ${MAX_SHARD_DEPTH} shards inside one another`, path);
      serialised = true;
      shard = parseShard(config, stored(shape, order), element, path, depth);
    } else if (asTextCodec(bare) && element.kind === 'string') {
      if (serialised || steps.length > 0)
        throw new BadZarrError(path, `codec ${name} stands in the wrong place`);
      serialised = true;
      texts = asTextCodec(bare);
    } else if (name === 'crc32c' || name === 'numcodecs.crc32c') {
      steps.push(CRC32C);
    } else {
      const step = numcodecsStep(bare, config, path);
      if (!step) throw unsupported(name, path);
      const filters = VALUE_FILTERS.has(bare);
      if (filters === serialised) throw new BadZarrError(path, `codec ${name} stands in the wrong place`);
      if (filters) item = encodedType(bare, config, item, path);
      steps.push(step);
    }
  }
  if (!serialised)
    throw unsupported(`${asString(asObject(codecs[0])?.['name']) ?? 'none'} without bytes`, path);
  const withLanes = order && element.lanes > 1 ? [...order, shape.length] : order;
  return {
    order: withLanes,
    steps,
    ...(shard ? { shard } : {}),
    ...(texts === undefined ? {} : { texts }),
  };
}

function encodedType(name: string, config: JsonObject, item: ElementType, path: string): ElementType {
  if (name === 'bitround') return item;
  if (name === 'packbits') return { ...item, dtype: 'uint8', lanes: 1 };
  const key = name === 'astype' ? config['encode_dtype'] : (config['astype'] ?? config['dtype']);
  return parseAnyDtype(key, path);
}

const stored = (shape: readonly number[], order: readonly number[] | undefined): readonly number[] =>
  order === undefined ? shape : order.map((axis) => shape[axis] ?? 0);

const composed = (first: readonly number[] | undefined, second: readonly number[]): readonly number[] =>
  first === undefined ? second : second.map((axis) => first[axis] ?? 0);

function transposition(value: unknown, rank: number, path: string): readonly number[] {
  // 'C' and 'F' are of drafts of Zarr v3 that zarr-python 2.x and early tensorstore wrote.
  if (value === 'C') return Array.from({ length: rank }, (_, axis) => axis);
  if (value === 'F') return Array.from({ length: rank }, (_, axis) => rank - 1 - axis);
  const order = Array.isArray(value) ? (value as unknown[]).map((axis) => asInteger(axis) ?? -1) : [];
  const valid =
    order.length === rank && new Set(order).size === rank && order.every((a) => a >= 0 && a < rank);
  if (!valid) throw new BadZarrError(path, 'the transpose codec has no order of all axes');
  return order;
}

function parseShard(
  config: JsonObject,
  shape: readonly number[],
  element: ElementType,
  path: string,
  depth: number,
): Shard {
  const given = config['chunk_shape'];
  const innerShape = Array.isArray(given) ? (given as unknown[]).map((extent) => asInteger(extent) ?? 0) : [];
  if (innerShape.length !== shape.length || innerShape.some((extent) => extent < 1))
    throw new BadZarrError(path, 'a shard without a chunk shape');
  if (shape.some((extent, axis) => extent % (innerShape[axis] ?? 1) !== 0))
    throw new BadZarrError(path, `chunks of ${innerShape} don't divide a shard of ${shape}`);
  const location = config['index_location'] ?? 'end';
  if (location !== 'start' && location !== 'end')
    throw new BadZarrError(path, 'a shard index in no known place');
  const index = v3Chain(config['index_codecs'], [1], INDEX_ELEMENT, path, MAX_SHARD_DEPTH);
  const names = index.steps.map(({ name }) => name);
  const plain = names.filter((name) => name !== 'big-endian' && name !== 'crc32c');
  if (plain.length > 0 || index.order)
    throw new UnsupportedZarrError(path, `a shard index with codec ${plain[0]}`);
  return {
    innerShape: element.lanes > 1 ? [...innerShape, element.lanes] : innerShape,
    inner: v3Chain(config['codecs'], innerShape, element, path, depth + 1),
    indexBigEndian: names.includes('big-endian'),
    indexChecked: names.includes('crc32c'),
    indexAtStart: location === 'start',
  };
}

const INDEX_ELEMENT: ElementType = { dtype: 'uint64', lanes: 1, bigEndian: false, kind: 'integer' };
