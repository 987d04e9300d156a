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
import { scratchBytes } from './codec/scratch-bytes.ts';
import type { CodecChain, Shard } from './codec-chain.ts';
import { bufferOf, type CodecStep } from './codec-step.ts';
import { keptChunks } from './decoded-chunks.ts';
import { innerChunks } from './shard-index.ts';
import { memoryBytes, type StoredBytes } from './stored-bytes.ts';

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
  const storedBox = asStored(box, order);
  if (shard) {
    const maxBytes = encodedLimit(product(storedShape) * items.itemBytes);
    readShardBox(throughSteps(bytes, chain.steps, maxBytes), shard, storedShape, items, storedBox);
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
  if (!isWhole && readRun(bytes, chain, storedShape, itemBytes, storedBox)) return;
  const { identity } = bytes;
  let decoded = isWhole || identity === undefined ? undefined : keptChunks.get(identity);
  if (decoded?.length !== sizeBytes) {
    decoded = new Uint8Array(sizeBytes);
    decodeChunk(bytes, chain, sizeBytes, decoded);
    if (!isWhole && identity !== undefined) keptChunks.set(identity, decoded);
  }
  const strides = contiguousStrides(storedShape);
  const source = { bytes: decoded, offset: offsetOf(storedBox.start, strides), strides };
  copyBox(storedBox.shape, source, target, itemBytes);
}

/**
 * What undoes a chunk's codecs part by part: a function, or undefined where all of the chunk has to be decoded for any
 * part of it.
 */
export function partDecoder({ steps, order, shard }: CodecChain): CodecStep['decodePart'] {
  if (order !== undefined || shard) return undefined;
  return steps.length === 0 ? readPart : steps.length === 1 ? steps[0]?.decodePart : undefined;
}

const readPart: NonNullable<CodecStep['decodePart']> = (chunk, decodedBytes, fromBytes, output) => {
  if (chunk.sizeBytes !== decodedBytes)
    throw new BadZarrError(chunk.path, `${chunk.sizeBytes} bytes instead of ${decodedBytes}`);
  chunk.readInto(output, fromBytes);
  return output.length;
};

/** Reads a box that is one run of the chunk and of the target, where no more need be decoded; else returns false. */
function readRun(
  bytes: StoredBytes,
  chain: CodecChain,
  shape: readonly number[],
  itemBytes: number,
  { start, shape: boxShape, target }: ChunkBox,
): boolean {
  const decode = partDecoder(chain);
  const strides = contiguousStrides(shape);
  if (!decode || !isOneRun(boxShape, strides) || !isOneRun(boxShape, target.strides)) return false;
  // Parts of what has to be fetched or unpacked as a whole cost as much as all of it.
  if (bytes.file === undefined || (bytes.identity !== undefined && keptChunks.has(bytes.identity)))
    return false;
  const from = target.offset * itemBytes;
  const output = target.bytes.subarray(from, from + product(boxShape) * itemBytes);
  const decodedBytes = product(shape) * itemBytes;
  checkedBytes(bytes, encodedLimit(decodedBytes));
  countDecoded(decode(bytes, decodedBytes, offsetOf(start, strides) * itemBytes, output));
  return true;
}

/** The same box with the axes in another order. */
export function asStored(box: ChunkBox, order: readonly number[] | undefined): ChunkBox {
  return {
    start: permuted(box.start, order),
    shape: permuted(box.shape, order),
    target: { ...box.target, strides: permuted(box.target.strides, order) },
  };
}

/** Bytes of unknown size behind codecs, decoded whole; at most `maxBytes`. @throws BadZarrError naming the file. */
export function throughSteps(bytes: StoredBytes, steps: CodecChain['steps'], maxBytes: number): StoredBytes {
  if (steps.length === 0) return bytes;
  const decoded = undoSteps(readWhole(bytes, encodedLimit(maxBytes)), steps, undefined, maxBytes, bytes.path);
  return memoryBytes(bytes.path, decoded);
}

/** More than any codec makes of `decodedBytes`, so that a wrong file costs no more memory than a right one. */
function encodedLimit(decodedBytes: number): number {
  return 2 * decodedBytes + 1024 * 1024;
}

/** All of them, in memory. @throws BadZarrError when they are more than `maxBytes`. */
export function readWhole(bytes: StoredBytes, maxBytes: number): Buffer {
  const encoded = Buffer.allocUnsafeSlow(checkedBytes(bytes, maxBytes));
  bytes.readInto(encoded, 0);
  return encoded;
}

function checkedBytes({ path, sizeBytes }: StoredBytes, maxBytes: number): number {
  if (sizeBytes > maxBytes)
    throw new BadZarrError(path, `${sizeBytes} bytes, more than a chunk here can have`);
  return sizeBytes;
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
  const encoded = scratchBytes(checkedBytes(bytes, encodedLimit(sizeBytes)));
  bytes.readInto(encoded, 0);
  const decoded = undoSteps(encoded, steps, output, sizeBytes, path);
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

function readShardBox(
  bytes: StoredBytes,
  shard: Shard,
  shape: readonly number[],
  items: ChunkItems,
  box: ChunkBox,
): void {
  const { innerShape, inner } = shard;
  const chunkAt = innerChunks(bytes, shard, shape);
  forEachChunk(box, innerShape, (position, part) => {
    const found = chunkAt(position);
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
  const { file } = bytes;
  if (chain.steps.length > 0 || chain.order !== undefined || file === undefined) return undefined;
  const { shard } = chain;
  if (shard) {
    const { innerShape } = shard;
    const position = box.start.map((at, axis) => Math.floor(at / (innerShape[axis] ?? 1)));
    const start = box.start.map((at, axis) => at % (innerShape[axis] ?? 1));
    const inside = start.every((at, axis) => at + (box.shape[axis] ?? 0) <= (innerShape[axis] ?? 0));
    if (!inside) return undefined;
    const found = innerChunks(bytes, shard, shape)(position);
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
    path: file.path,
    offsetBytes: file.offsetBytes + offsetOf(box.start, strides) * itemBytes,
    sizeBytes: product(box.shape) * itemBytes,
  };
}

const EMPTY = new Uint8Array(0);
