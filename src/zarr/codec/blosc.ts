import { BadZarrError } from '../../core/errors.ts';
import { blockKernels } from './block-kernels.ts';
import {
  BLOSC_FORMAT_VERSION,
  FLAG_DO_NOT_SPLIT,
  FLAG_MEMCPYED,
  FLAG_SHUFFLE,
  BLOSC_HEADER_BYTES as HEADER_BYTES,
  MAX_SPLITS,
  MIN_STREAM_BYTES,
} from './blosc-format.ts';

const LZ4_VERSION = 1;
/** LZ4 in the three highest bits. */
const FLAG_LZ4 = 0x20;
/** A few of these, source, shuffled, packed and decoded again, stay in a core's second-level cache. */
const BLOCK_BYTES = 128 * 1024;

/** Largest input of one Blosc buffer (`BLOSC_MAX_BUFFERSIZE`, 2 GiB less the overhead). */
export const MAX_CHUNK_BYTES = 2 ** 31 - 1 - HEADER_BYTES;

/**
 * Compresses `chunk` (elements of `typeSizeBytes`), decoding every block again while it is in the cache. The result
 * is valid until this thread next encodes or decodes.
 * @throws BadZarrError naming `path` when what was packed does not decode to the chunk.
 */
export function encodeBlosc(chunk: Uint8Array, typeSizeBytes: number, path: string): Buffer {
  const sizeBytes = chunk.length;
  const blockBytes = Math.min(BLOCK_BYTES, sizeBytes);
  const blocks = sizeBytes === 0 ? 0 : Math.ceil(sizeBytes / blockBytes);
  const shuffles = typeSizeBytes > 1;
  const splits = shuffles && typeSizeBytes <= MAX_SPLITS && blockBytes / typeSizeBytes >= MIN_STREAM_BYTES;
  const flags = (shuffles ? FLAG_SHUFFLE : 0) | (splits ? 0 : FLAG_DO_NOT_SPLIT) | FLAG_LZ4;
  const boundBytes = HEADER_BYTES + sizeBytes + blocks * 4 * (1 + (splits ? typeSizeBytes : 1));
  const kernels = blockKernels();
  kernels.trim();
  const output = kernels.reservePacked(blockBytes, boundBytes);
  let position = HEADER_BYTES + 4 * blocks;
  for (let block = 0; block < blocks; block++) {
    output.writeUInt32LE(position, HEADER_BYTES + 4 * block);
    const raw = chunk.subarray(block * blockBytes, (block + 1) * blockBytes);
    const streams = splits && raw.length === blockBytes ? typeSizeBytes : 1;
    const written = kernels.pack(raw, typeSizeBytes, streams, position);
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
  output.set([BLOSC_FORMAT_VERSION, LZ4_VERSION, allFlags, typeSizeBytes], 0);
  output.writeUInt32LE(sizeBytes, 4);
  output.writeUInt32LE(blockBytes, 8);
  output.writeUInt32LE(position, 12);
  return output.subarray(0, position);
}
