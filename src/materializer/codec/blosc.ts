import { BadZarrError } from '../../core/errors.ts';
import { BlockKernels } from './block-kernels.ts';

/**
 * Blosc 1 container with LZ4 (c-blosc `README_CHUNK_FORMAT.rst`): 16-byte header
 * `02 01 flags typesize | nbytes u32 | blocksize u32 | cbytes u32`, block offsets u32, then per block and stream
 * `i32 csize` and the LZ4 block; csize equal to the stream's size means stored.
 */
const HEADER_BYTES = 16;
const FORMAT_VERSION = 2;
const LZ4_VERSION = 1;
const FLAG_SHUFFLE = 0x01;
const FLAG_MEMCPYED = 0x02;
const FLAG_BITSHUFFLE = 0x04;
const FLAG_DO_NOT_SPLIT = 0x10;
const FLAG_LZ4 = 0x20;
const CODEC_MASK = 0xe0;
/** c-blosc splits a block only where each stream has this many bytes (`MIN_BUFFERSIZE`). */
const MIN_STREAM_BYTES = 128;
/** A few of these, source, shuffled, packed and decoded again, stay in a core's second-level cache. */
const BLOCK_BYTES = 128 * 1024;
/** Largest block that is decoded: no program writes larger ones, and each needs three times its size. */
const MAX_DECODED_BLOCK_BYTES = 512 * 1024 * 1024;

/** Largest input of one Blosc buffer (`BLOSC_MAX_BUFFERSIZE`, 2 GiB less the overhead). */
export const MAX_CHUNK_BYTES = 2 ** 31 - 1 - HEADER_BYTES;

let kernels: BlockKernels | undefined;
const threadKernels = (): BlockKernels => {
  kernels ??= new BlockKernels();
  return kernels;
};

/**
 * Compresses `chunk` (elements of `typeSizeBytes`), decoding every block again while it is in the cache. The result
 * is valid until the next call of this module.
 * @throws BadZarrError naming `path` when what was packed does not decode to the chunk.
 */
export function encodeBlosc(chunk: Uint8Array, typeSizeBytes: number, path: string): Buffer {
  const sizeBytes = chunk.length;
  const blockBytes = Math.min(BLOCK_BYTES, sizeBytes);
  const blocks = sizeBytes === 0 ? 0 : Math.ceil(sizeBytes / blockBytes);
  const shuffles = typeSizeBytes > 1;
  const splits = shuffles && blockBytes / typeSizeBytes >= MIN_STREAM_BYTES;
  const flags = (shuffles ? FLAG_SHUFFLE : 0) | (splits ? 0 : FLAG_DO_NOT_SPLIT) | FLAG_LZ4;
  const boundBytes = HEADER_BYTES + sizeBytes + blocks * 4 * (1 + (splits ? typeSizeBytes : 1));
  const output = threadKernels().reserve(blockBytes, boundBytes);
  let position = HEADER_BYTES + 4 * blocks;
  for (let block = 0; block < blocks; block++) {
    output.writeUInt32LE(position, HEADER_BYTES + 4 * block);
    const raw = chunk.subarray(block * blockBytes, (block + 1) * blockBytes);
    const streams = splits && raw.length === blockBytes ? typeSizeBytes : 1;
    const written = threadKernels().pack(raw, typeSizeBytes, streams, position);
    if (written === undefined)
      throw new BadZarrError(path, 'the encoded pixels do not decode to what they were');
    position += written;
  }
  const isStored = position >= HEADER_BYTES + sizeBytes;
  if (isStored) {
    position = HEADER_BYTES + sizeBytes;
    output.set(chunk, HEADER_BYTES);
  }
  const allFlags = isStored ? flags | FLAG_MEMCPYED : flags;
  output.set([FORMAT_VERSION, LZ4_VERSION, allFlags, typeSizeBytes], 0);
  output.writeUInt32LE(sizeBytes, 4);
  output.writeUInt32LE(blockBytes, 8);
  output.writeUInt32LE(position, 12);
  return output.subarray(0, position);
}

/** Gives memory back that an unusually large chunk needed; what {@link encodeBlosc} returned is void. */
export function trimBloscMemory(): void {
  kernels?.trim();
}

/**
 * Decodes one chunk into `output`, which is exactly as long as the chunk decodes to.
 * @throws BadZarrError naming `path` when a length, flag or offset is not what the file must have.
 */
export function decodeBlosc(encoded: Buffer, output: Uint8Array, path: string): void {
  const refuse = (detail: string): never => {
    throw new BadZarrError(path, detail);
  };
  if (encoded.length < HEADER_BYTES) refuse(`${encoded.length} bytes are no Blosc chunk`);
  const flags = encoded[2] ?? 0;
  const typeSizeBytes = encoded[3] ?? 0;
  const sizeBytes = encoded.readUInt32LE(4);
  const blockBytes = encoded.readUInt32LE(8);
  const compressedBytes = encoded.readUInt32LE(12);
  if (encoded[0] !== FORMAT_VERSION) refuse(`Blosc format ${encoded[0]} instead of ${FORMAT_VERSION}`);
  if (compressedBytes !== encoded.length)
    refuse(`the chunk says ${compressedBytes} bytes, the file has ${encoded.length}`);
  if (sizeBytes !== output.length) refuse(`decodes to ${sizeBytes} bytes instead of ${output.length}`);
  if (flags & FLAG_MEMCPYED) {
    if (encoded.length !== HEADER_BYTES + sizeBytes) refuse('a stored chunk of the wrong length');
    output.set(encoded.subarray(HEADER_BYTES));
    return;
  }
  if ((flags & CODEC_MASK) !== FLAG_LZ4 || flags & FLAG_BITSHUFFLE) refuse('not LZ4 with byte shuffle');
  if (typeSizeBytes === 0 || (sizeBytes > 0 && blockBytes === 0)) refuse('a zero type or block size');
  const largestBytes = Math.min(blockBytes, sizeBytes);
  if (largestBytes > MAX_DECODED_BLOCK_BYTES) refuse(`blocks of ${blockBytes} bytes`);
  const shuffledSizeBytes = flags & FLAG_SHUFFLE ? typeSizeBytes : 1;
  const splits = (flags & FLAG_DO_NOT_SPLIT) === 0;
  const blocks = sizeBytes === 0 ? 0 : Math.ceil(sizeBytes / blockBytes);
  if (HEADER_BYTES + 4 * blocks > encoded.length) refuse('cut off in the block offsets');
  threadKernels().reserve(largestBytes, largestBytes + 4 * typeSizeBytes);
  for (let block = 0; block < blocks; block++) {
    const target = output.subarray(block * blockBytes, Math.min((block + 1) * blockBytes, sizeBytes));
    const streams = splits && target.length === blockBytes ? typeSizeBytes : 1;
    if (target.length % streams !== 0) refuse(`a block of ${target.length} bytes in ${streams} streams`);
    const from = encoded.readUInt32LE(HEADER_BYTES + 4 * block);
    let position = from;
    for (let stream = 0; stream < streams; stream++) {
      if (position + 4 > encoded.length) refuse('cut off in a block');
      const packedBytes = encoded.readInt32LE(position);
      position += 4 + packedBytes;
      if (packedBytes <= 0 || position > encoded.length) refuse('a stream reaches past the chunk');
      if (packedBytes > target.length / streams) refuse('a stream is longer than what it holds');
    }
    const packed = encoded.subarray(from, position);
    if (!threadKernels().unpack(packed, shuffledSizeBytes, streams, target)) refuse('a damaged LZ4 stream');
  }
  trimBloscMemory();
}
