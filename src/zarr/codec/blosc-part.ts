import { BadZarrError } from '../../core/errors.ts';
import { blockKernels } from './block-kernels.ts';
import { blockCount, blockDecoder, decodeBlosc, readHeader } from './blosc-decode.ts';
import { BLOSC_HEADER_BYTES as HEADER_BYTES } from './blosc-format.ts';
import { scratchBytes } from './scratch-bytes.ts';

/** An encoded chunk that is read in parts. */
export interface EncodedChunk {
  readonly path: string;
  readonly sizeBytes: number;
  /** Tells this content from any other that is or was at the path; undefined where there is no telling. */
  readonly identity: string | undefined;
  /** Fills `target` from `offset` on. @throws an error that names the file when there are not so many bytes. */
  readInto(target: Uint8Array, offset: number): void;
}

/** What is read first: the header, and where the blocks of all but huge chunks begin. */
const HEAD_BYTES = 4096;
/** So much more than the blocks that are wanted may be read to read them at once. */
const EXCESS_BYTES = 65_536;
/** A chunk of more blocks, as no writer cuts one, is decoded whole. */
const MAX_BLOCKS = 65_536;
/** A larger block is not kept for the next part. */
const MAX_KEPT_BYTES = 4 * 1024 * 1024;

/** The block of which this thread decoded a part last: the next part often begins in it. */
let kept: { readonly identity: string; readonly block: number; readonly bytes: Uint8Array } | undefined;

/**
 * Decodes `output.length` bytes of a chunk from byte `fromBytes` of what it decodes to, `chunkBytes` in all: only the
 * blocks that hold them are read and decoded. @returns bytes decoded. @throws what {@link decodeBlosc} throws.
 */
export function decodeBloscPart(
  chunk: EncodedChunk,
  chunkBytes: number,
  fromBytes: number,
  output: Uint8Array,
): number {
  const { path, identity } = chunk;
  const bad = (detail: string): BadZarrError => new BadZarrError(path, detail);
  let head = scratchBytes(Math.min(chunk.sizeBytes, HEAD_BYTES));
  chunk.readInto(head, 0);
  const header = readHeader(head, path, chunk.sizeBytes);
  const { sizeBytes, blockBytes } = header;
  if (sizeBytes !== chunkBytes) throw bad(`decodes to ${sizeBytes} bytes instead of ${chunkBytes}`);
  const endBytes = fromBytes + output.length;
  if (!(fromBytes >= 0 && endBytes <= sizeBytes))
    throw new RangeError(`bytes ${fromBytes} to ${endBytes} of ${sizeBytes}`);
  if (header.memcpyed) {
    if (chunk.sizeBytes !== HEADER_BYTES + sizeBytes) throw bad('a stored chunk of the wrong length');
    chunk.readInto(output, HEADER_BYTES + fromBytes);
    return output.length;
  }
  const blocks = blockCount(header, chunk.sizeBytes, path);
  if (output.length === 0) return 0;
  if (blocks > MAX_BLOCKS) {
    const encoded = Buffer.allocUnsafeSlow(chunk.sizeBytes);
    chunk.readInto(encoded, 0);
    const decoded = new Uint8Array(sizeBytes);
    decodeBlosc(encoded, decoded, path);
    output.set(decoded.subarray(fromBytes, endBytes));
    return sizeBytes;
  }
  if (HEADER_BYTES + 4 * blocks > head.length) {
    head = scratchBytes(HEADER_BYTES + 4 * blocks);
    chunk.readInto(head, 0);
  }
  const starts = Array.from({ length: blocks }, (_, block) => head.readUInt32LE(HEADER_BYTES + 4 * block));
  const first = Math.floor(fromBytes / blockBytes);
  const last = Math.ceil(endBytes / blockBytes) - 1;
  /** Where a block begins and ends, and where the part of it that is wanted goes. */
  const placeOf = (block: number) => {
    const start = block * blockBytes;
    const from = Math.max(fromBytes, start);
    const length = Math.min(blockBytes, sizeBytes - start);
    const to = Math.min(endBytes, start + length);
    return { skip: from - start, length, target: output.subarray(from - fromBytes, to - fromBytes) };
  };
  const wanted: number[] = [];
  for (let block = first; block <= last; block++) {
    if (kept === undefined || kept.identity !== identity || kept.block !== block) wanted.push(block);
    else {
      const { skip, target } = placeOf(block);
      target.set(kept.bytes.subarray(skip, skip + target.length));
    }
  }
  const encodedAt = encodedBlocks(chunk, starts, wanted);
  const decode = blockDecoder(header, path);
  let decodedBytes = 0;
  for (const block of wanted) {
    const { skip, length, target } = placeOf(block);
    const { encoded, position } = encodedAt(block);
    const isWhole = target.length === length;
    const bytes = isWhole ? target : partlyUsed(length);
    decode(encoded, position, bytes);
    decodedBytes += length;
    if (isWhole) continue;
    target.set(bytes.subarray(skip, skip + target.length));
    if (identity !== undefined && length <= MAX_KEPT_BYTES) kept = { identity, block, bytes };
  }
  blockKernels().trim();
  return decodedBytes;
}

/** Memory for a block of which a part is used: that of the block that was kept, which is then no longer. */
function partlyUsed(sizeBytes: number): Uint8Array {
  const bytes = kept?.bytes.length === sizeBytes ? kept.bytes : new Uint8Array(sizeBytes);
  kept = undefined;
  return bytes;
}

/**
 * Reads blocks of a chunk: at once where they lie together, as those of one thread do, else each when it is asked for.
 * A block ends where another begins, or the chunk ends. @throws BadZarrError when one begins outside the chunk.
 */
function encodedBlocks(
  chunk: EncodedChunk,
  starts: readonly number[],
  wanted: readonly number[],
): (block: number) => { readonly encoded: Buffer; readonly position: number } {
  const inOrder = Uint32Array.from(starts).sort();
  const endOf = (start: number): number => {
    let low = 0;
    let high = inOrder.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((inOrder[middle] ?? 0) > start) high = middle;
      else low = middle + 1;
    }
    return Math.min(chunk.sizeBytes, inOrder[low] ?? chunk.sizeBytes);
  };
  const startOf = (block: number): number => {
    const start = starts[block] ?? 0;
    if (start < HEADER_BYTES || start + 4 > chunk.sizeBytes)
      throw new BadZarrError(chunk.path, 'cut off in a block');
    return start;
  };
  const read = (from: number, to: number): Buffer => {
    const encoded = scratchBytes(to - from);
    chunk.readInto(encoded, from);
    return encoded;
  };
  const from = wanted.reduce((least, block) => Math.min(least, startOf(block)), chunk.sizeBytes);
  const to = wanted.reduce((most, block) => Math.max(most, endOf(startOf(block))), from);
  const usedBytes = wanted.reduce((sum, block) => sum + endOf(startOf(block)) - startOf(block), 0);
  if (to - from <= 2 * usedBytes + EXCESS_BYTES) {
    const encoded = read(from, to);
    return (block) => ({ encoded, position: startOf(block) - from });
  }
  return (block) => ({ encoded: read(startOf(block), endOf(startOf(block))), position: 0 });
}
