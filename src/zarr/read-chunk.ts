import { countDecoded } from '../core/decode-count.ts';
import { BadZarrError } from '../core/errors.ts';
import {
  contiguousStrides,
  copyBox,
  fillBox,
  forEachPosition,
  type Items,
  isOneRun,
  offsetOf,
  permuted,
} from './box.ts';
import { crc32c } from './codec/crc32c.ts';
import type { CodecChain, Shard } from './codec-chain.ts';
import { bufferOf } from './codec-step.ts';
import { DecodedChunks } from './decoded-chunks.ts';
import { memoryBytes, partOf, type StoredBytes } from './stored-bytes.ts';

/** Per thread. */
const KEPT_BYTES = 32 * 1024 * 1024;
const kept = new DecodedChunks(KEPT_BYTES);

/** A box of a chunk, and where it goes. */
export interface ChunkBox {
  readonly start: readonly number[];
  readonly shape: readonly number[];
  readonly target: Items;
}

/** What every chunk of an array shares. */
export interface ChunkItems {
  readonly itemBytes: number;
  /** One element. */
  readonly fill: Uint8Array;
}

const product = (extents: readonly number[]): number => extents.reduce((total, extent) => total * extent, 1);

/**
 * Reads a box of one chunk of `shape` into the box's target.
 * @throws BadZarrError, UnsupportedZarrError naming the file.
 */
export function readChunkBox(
  bytes: StoredBytes,
  chain: CodecChain,
  shape: readonly number[],
  items: ChunkItems,
  box: ChunkBox,
): void {
  const { order, shard } = chain;
  const storedShape = permuted(shape, order);
  const storedBox: ChunkBox = {
    start: permuted(box.start, order),
    shape: permuted(box.shape, order),
    target: { ...box.target, strides: permuted(box.target.strides, order) },
  };
  if (shard) {
    readShardBox(throughSteps(bytes, chain, storedShape, items), shard, storedShape, items, storedBox);
    return;
  }
  const { itemBytes } = items;
  const { target } = storedBox;
  const sizeBytes = product(storedShape) * itemBytes;
  const isWhole = product(storedBox.shape) * itemBytes === sizeBytes;
  if (isWhole && isOneRun(storedShape, target.strides)) {
    const from = target.offset * itemBytes;
    decodeChunk(bytes, chain, sizeBytes, target.bytes.subarray(from, from + sizeBytes));
    return;
  }
  const { identity } = bytes;
  let decoded = isWhole || identity === undefined ? undefined : kept.get(identity);
  if (decoded?.length !== sizeBytes) {
    decoded = new Uint8Array(sizeBytes);
    decodeChunk(bytes, chain, sizeBytes, decoded);
    if (!isWhole && identity !== undefined) kept.set(identity, decoded);
  }
  const strides = contiguousStrides(storedShape);
  const source = { bytes: decoded, offset: offsetOf(storedBox.start, strides), strides };
  copyBox(storedBox.shape, source, target, itemBytes);
}

/** The shard's own bytes, when codecs lie around it; decoded whole. */
function throughSteps(
  bytes: StoredBytes,
  { steps }: CodecChain,
  shape: readonly number[],
  { itemBytes }: ChunkItems,
): StoredBytes {
  if (steps.length === 0) return bytes;
  const maxBytes = encodedLimit(product(shape) * itemBytes);
  const decoded = undoSteps(readWhole(bytes, encodedLimit(maxBytes)), steps, undefined, maxBytes, bytes.path);
  return memoryBytes(bytes.path, decoded);
}

/** More than any codec makes of `decodedBytes`, so that a wrong file costs no more memory than a right one. */
function encodedLimit(decodedBytes: number): number {
  return 2 * decodedBytes + 1024 * 1024;
}

function readWhole(bytes: StoredBytes, maxBytes: number): Buffer {
  if (bytes.sizeBytes > maxBytes)
    throw new BadZarrError(bytes.path, `${bytes.sizeBytes} bytes, more than a chunk here can have`);
  const encoded = Buffer.allocUnsafeSlow(bytes.sizeBytes);
  bytes.readInto(encoded, 0);
  return encoded;
}

/** Decodes a whole chunk into `output`, axes as stored. */
function decodeChunk(bytes: StoredBytes, { steps }: CodecChain, sizeBytes: number, output: Uint8Array): void {
  const { path } = bytes;
  countDecoded(sizeBytes);
  if (steps.every((step) => step.name === 'big-endian')) {
    if (bytes.sizeBytes !== sizeBytes)
      throw new BadZarrError(path, `${bytes.sizeBytes} bytes instead of ${sizeBytes}`);
    bytes.readInto(output, 0);
    for (const step of steps) step.decode(bufferOf(output), { path, sizeBytes, maxBytes: sizeBytes });
    return;
  }
  const decoded = undoSteps(readWhole(bytes, encodedLimit(sizeBytes)), steps, output, sizeBytes, path);
  if (decoded.length !== sizeBytes)
    throw new BadZarrError(path, `decodes to ${decoded.length} bytes instead of ${sizeBytes}`);
  if (decoded !== output) output.set(decoded);
}

function undoSteps(
  encoded: Buffer,
  steps: CodecChain['steps'],
  output: Uint8Array | undefined,
  decodedBytes: number,
  path: string,
): Uint8Array {
  // Sizes before each step, as far as the first codec whose output depends on the content.
  const sizes: (number | undefined)[] = [];
  let known: number | undefined = output === undefined ? undefined : decodedBytes;
  for (const step of steps) {
    sizes.push(known);
    known = known === undefined ? undefined : step.encodedBytes(known);
  }
  if (known !== undefined && encoded.length !== known)
    throw new BadZarrError(path, `${encoded.length} bytes instead of ${known}`);
  let current: Uint8Array = encoded;
  for (let index = steps.length - 1; index >= 0; index--) {
    current =
      steps[index]?.decode(bufferOf(current), {
        path,
        sizeBytes: sizes[index],
        maxBytes: sizes[index] ?? encodedLimit(decodedBytes),
        ...(output && index === 0 ? { into: output } : {}),
      }) ?? current;
  }
  return current;
}

/** In an index: this inner chunk is not there (Zarr v3 spec, sharding codec 1.0). */
const ABSENT = 2n ** 64n - 1n;

/** Inner chunks a shard can have: the index is in memory whole. */
const MAX_INNER_CHUNKS = 16 * 1024 * 1024;

function readIndex(bytes: StoredBytes, shard: Shard, count: number): BigUint64Array {
  const { path } = bytes;
  const checksumBytes = shard.indexChecked ? 4 : 0;
  const indexBytes = 16 * count + checksumBytes;
  if (count > MAX_INNER_CHUNKS) throw new BadZarrError(path, `a shard of ${count} chunks`);
  if (bytes.sizeBytes < indexBytes)
    throw new BadZarrError(
      path,
      `${bytes.sizeBytes} bytes can't hold the shard's index of ${indexBytes} bytes`,
    );
  const stored = Buffer.allocUnsafeSlow(indexBytes);
  bytes.readInto(stored, shard.indexAtStart ? 0 : bytes.sizeBytes - indexBytes);
  const entries = stored.subarray(0, 16 * count);
  if (shard.indexChecked && crc32c(entries) !== stored.readUInt32LE(16 * count))
    throw new BadZarrError(path, "the checksum of the shard's index is wrong");
  if (shard.indexBigEndian) entries.swap64();
  return new BigUint64Array(stored.buffer, stored.byteOffset, 2 * count);
}

/** The inner chunk at `number`, undefined when it is not there. */
function innerBytes(bytes: StoredBytes, index: BigUint64Array, number: number): StoredBytes | undefined {
  const offset = index[2 * number] ?? ABSENT;
  const length = index[2 * number + 1] ?? ABSENT;
  if (offset === ABSENT && length === ABSENT) return undefined;
  if (offset + length > BigInt(bytes.sizeBytes))
    throw new BadZarrError(bytes.path, `chunk ${number} of the shard lies beyond its end`);
  return partOf(bytes, Number(offset), Number(length));
}

function readShardBox(
  bytes: StoredBytes,
  shard: Shard,
  shape: readonly number[],
  items: ChunkItems,
  box: ChunkBox,
): void {
  const { innerShape, inner } = shard;
  const grid = shape.map((extent, axis) => extent / (innerShape[axis] ?? 1));
  const gridStrides = contiguousStrides(grid);
  const index = readIndex(bytes, shard, product(grid));
  forEachChunk(box, innerShape, (position, part) => {
    const found = innerBytes(bytes, index, offsetOf(position, gridStrides));
    if (found) readChunkBox(found, inner, innerShape, items, part);
    else fillPart(part, items);
  });
}

/** Fills a box whose chunk is not there. */
export function fillPart({ start, shape, target }: ChunkBox, { itemBytes, fill }: ChunkItems): void {
  fillBox(shape, target, itemBytes, fill, start.at(-1) ?? 0);
}

/** Cuts a box along a grid of chunks; `visit` gets each chunk's position and the part of the box in it. */
export function forEachChunk(
  { start, shape, target }: ChunkBox,
  chunkShape: readonly number[],
  visit: (position: readonly number[], part: ChunkBox) => void,
): void {
  if (shape.includes(0)) return;
  const first = start.map((at, axis) => Math.floor(at / (chunkShape[axis] ?? 1)));
  const counts = start.map(
    (at, axis) =>
      Math.floor((at + (shape[axis] ?? 0) - 1) / (chunkShape[axis] ?? 1)) - (first[axis] ?? 0) + 1,
  );
  forEachPosition(first, counts, (position) => {
    const partStart: number[] = [];
    const partShape: number[] = [];
    let offset = target.offset;
    for (let axis = 0; axis < shape.length; axis++) {
      const chunk = chunkShape[axis] ?? 1;
      const origin = (position[axis] ?? 0) * chunk;
      const boxStart = start[axis] ?? 0;
      const from = Math.max(boxStart, origin);
      const to = Math.min(boxStart + (shape[axis] ?? 0), origin + chunk);
      partStart.push(from - origin);
      partShape.push(to - from);
      offset += (from - boxStart) * (target.strides[axis] ?? 0);
    }
    visit(position, { start: partStart, shape: partShape, target: { ...target, offset } });
  });
}

/** A run of bytes in a file. */
export interface StoredRun {
  readonly path: string;
  readonly offsetBytes: number;
  readonly sizeBytes: number;
}

/**
 * Where a box lies in the chunk's file as it is wanted: uncompressed, little-endian, C order, in one run.
 * Undefined when it does not. @throws BadZarrError when it should, but the file has another size.
 */
export function storedRun(
  bytes: StoredBytes,
  chain: CodecChain,
  shape: readonly number[],
  { itemBytes }: ChunkItems,
  box: { readonly start: readonly number[]; readonly shape: readonly number[] },
): StoredRun | undefined {
  if (chain.steps.length > 0 || chain.order !== undefined || bytes.fileOffset === undefined) return undefined;
  const { shard } = chain;
  if (shard) {
    const { innerShape } = shard;
    const position = box.start.map((at, axis) => Math.floor(at / (innerShape[axis] ?? 1)));
    const start = box.start.map((at, axis) => at % (innerShape[axis] ?? 1));
    const inside = start.every((at, axis) => at + (box.shape[axis] ?? 0) <= (innerShape[axis] ?? 0));
    if (!inside) return undefined;
    const grid = shape.map((extent, axis) => extent / (innerShape[axis] ?? 1));
    const index = readIndex(bytes, shard, product(grid));
    const found = innerBytes(bytes, index, offsetOf(position, contiguousStrides(grid)));
    return (
      found &&
      storedRun(found, shard.inner, innerShape, { itemBytes, fill: EMPTY }, { start, shape: box.shape })
    );
  }
  const strides = contiguousStrides(shape);
  if (!isOneRun(box.shape, strides)) return undefined;
  if (bytes.sizeBytes !== product(shape) * itemBytes)
    throw new BadZarrError(bytes.path, `${bytes.sizeBytes} bytes instead of ${product(shape) * itemBytes}`);
  return {
    path: bytes.path,
    offsetBytes: bytes.fileOffset + offsetOf(box.start, strides) * itemBytes,
    sizeBytes: product(box.shape) * itemBytes,
  };
}

const EMPTY = new Uint8Array(0);
