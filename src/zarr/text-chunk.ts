import { BadZarrError } from '../core/errors.ts';
import { contiguousStrides, forEachPosition, offsetOf, permuted } from './box.ts';
import type { CodecChain, TextCodec } from './codec-chain.ts';
import { keptChunks } from './decoded-chunks.ts';
import { asStored, type ChunkBox, forEachChunk, readWhole, throughSteps } from './read-chunk.ts';
import { innerChunks } from './shard-index.ts';
import type { StoredBytes } from './stored-bytes.ts';

/** The texts of one chunk may take so much, decompressed. */
const MAX_TEXT_BYTES = 256 * 1024 * 1024;

/**
 * Reads the texts of a box of one chunk of `shape` into `texts`, at the places that the box's target names; what is in
 * no inner chunk of a shard stays as it is.
 * @throws BadZarrError, UnsupportedZarrError naming the file.
 */
export function readTextBox(
  bytes: StoredBytes,
  chain: CodecChain,
  shape: readonly number[],
  box: ChunkBox,
  texts: string[],
): void {
  const { order, shard } = chain;
  const storedShape = permuted(shape, order);
  const storedBox = asStored(box, order);
  if (shard) {
    const chunkAt = innerChunks(throughSteps(bytes, chain.steps, MAX_TEXT_BYTES), shard, storedShape);
    forEachChunk(storedBox, shard.innerShape, (position, part) => {
      const found = chunkAt(position);
      if (found) readTextBox(found, shard.inner, shard.innerShape, part, texts);
    });
    return;
  }
  const count = shape.reduce((product, extent) => product * extent, 1);
  const textAt = TEXTS[chain.texts ?? 'vlen-utf8'](decodedTexts(bytes, chain), count, bytes.path);
  const strides = contiguousStrides(storedShape);
  const { start, target } = storedBox;
  const first = offsetOf(start, strides);
  forEachPosition(
    start.map(() => 0),
    storedBox.shape,
    (position) => {
      texts[target.offset + offsetOf(position, target.strides)] = textAt(first + offsetOf(position, strides));
    },
  );
}

/** The bytes that the texts are in. */
function decodedTexts(bytes: StoredBytes, { steps }: CodecChain): Buffer {
  const { identity } = bytes;
  const kept = identity === undefined ? undefined : keptChunks.get(identity);
  if (kept) return Buffer.from(kept.buffer, kept.byteOffset, kept.length);
  const decoded = readWhole(throughSteps(bytes, steps, MAX_TEXT_BYTES), MAX_TEXT_BYTES);
  if (identity !== undefined) keptChunks.set(identity, decoded);
  return decoded;
}

type TextsOf = (decoded: Buffer, count: number, path: string) => (index: number) => string;

/**
 * numcodecs' VLenUTF8 and VLenBytes: how many items, then each one's length and bytes; numbers are little-endian and
 * of 32 bits.
 */
const variableLength: TextsOf = (decoded, count, path) => {
  const bad = (detail: string): BadZarrError => new BadZarrError(path, detail);
  if (decoded.length < 4 + 4 * count) throw bad(`${decoded.length} bytes can't be ${count} texts`);
  if (decoded.readUInt32LE(0) !== count) throw bad(`${decoded.readUInt32LE(0)} texts instead of ${count}`);
  const starts = new Uint32Array(count + 1);
  let at = 4;
  for (let index = 0; index < count; index++) {
    if (at + 4 > decoded.length) throw bad(`cut off at text ${index} of ${count}`);
    starts[index] = at + 4;
    at += 4 + decoded.readUInt32LE(at);
    if (at > decoded.length) throw bad(`text ${index} reaches past the chunk`);
  }
  if (at !== decoded.length) throw bad(`${decoded.length - at} bytes follow the last text`);
  starts[count] = at + 4;
  return (index) => decoded.toString('utf8', starts[index], (starts[index + 1] ?? 4) - 4);
};

/** numcodecs' JSON: a list (of lists) of the items, and behind them the data type and the shape. */
const json: TextsOf = (decoded, count, path) => {
  let value: unknown;
  try {
    value = JSON.parse(decoded.toString('utf8'));
  } catch (cause) {
    throw new BadZarrError(path, 'a chunk of JSON that is none', { cause });
  }
  const items: unknown = Array.isArray(value) ? value.slice(0, -2).flat(MAX_JSON_DEPTH) : undefined;
  if (!Array.isArray(items) || items.length !== count)
    throw new BadZarrError(path, `the chunk of JSON does not hold ${count} items`);
  return (index) => {
    const item: unknown = items[index];
    return typeof item === 'string' ? item : (JSON.stringify(item) ?? '');
  };
};

const MAX_JSON_DEPTH = 32;

const TEXTS: Readonly<Record<TextCodec, TextsOf>> = {
  'vlen-utf8': variableLength,
  'vlen-bytes': variableLength,
  json2: json,
};
