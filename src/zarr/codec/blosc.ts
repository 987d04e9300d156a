import lz4 from 'lz4-napi';
import {
  BLOSC_FORMAT_VERSION,
  FLAG_DO_NOT_SPLIT,
  FLAG_MEMCPYED,
  FLAG_SHUFFLE,
  BLOSC_HEADER_BYTES as HEADER_BYTES,
  MIN_STREAM_BYTES,
} from './blosc-format.ts';
import { byteShuffle, MAX_BLOCK_BYTES } from './byte-shuffle.ts';

const LZ4_VERSION = 1;
/** LZ4 in the three highest bits. */
const FLAG_LZ4 = 0x20;
/** Two of these, source and shuffled, stay in a core's second-level cache. */
const BLOCK_BYTES = MAX_BLOCK_BYTES / 2;

/** Largest input of one Blosc buffer (`BLOSC_MAX_BUFFERSIZE`, 2 GiB less the overhead). */
export const MAX_CHUNK_BYTES = 2 ** 31 - 1 - HEADER_BYTES;

/** Room that {@link encodeBlosc} may need for `sizeBytes` of input. */
export function bloscBoundBytes(sizeBytes: number): number {
  const blocks = Math.ceil(sizeBytes / BLOCK_BYTES);
  return HEADER_BYTES + sizeBytes + blocks * (4 + 4 * 8);
}

/**
 * Compresses `chunk` (elements of `typeSizeBytes`) into `output`, which has {@link bloscBoundBytes}, and returns
 * the part that was written.
 */
export function encodeBlosc(chunk: Uint8Array, typeSizeBytes: number, output: Buffer): Buffer {
  const sizeBytes = chunk.length;
  const blockBytes = Math.min(BLOCK_BYTES, sizeBytes);
  const blocks = sizeBytes === 0 ? 0 : Math.ceil(sizeBytes / blockBytes);
  const shuffles = typeSizeBytes > 1;
  const splits = shuffles && blockBytes / typeSizeBytes >= MIN_STREAM_BYTES;
  const flags = (shuffles ? FLAG_SHUFFLE : 0) | (splits ? 0 : FLAG_DO_NOT_SPLIT) | FLAG_LZ4;
  let position = HEADER_BYTES + 4 * blocks;
  // Of each stream of a full block: whether it was not worth compressing in the block before.
  const isNoise: boolean[] = [];
  for (let block = 0; block < blocks; block++) {
    output.writeUInt32LE(position, HEADER_BYTES + 4 * block);
    const raw = chunk.subarray(block * blockBytes, (block + 1) * blockBytes);
    const bytes = shuffles
      ? byteShuffle().shuffle(raw, typeSizeBytes)
      : Buffer.from(raw.buffer, raw.byteOffset, raw.length);
    const streams = splits && raw.length === blockBytes ? typeSizeBytes : 1;
    const streamBytes = raw.length / streams;
    for (let stream = 0; stream < streams; stream++) {
      const content = bytes.subarray(stream * streamBytes, (stream + 1) * streamBytes);
      const before = position;
      position =
        isNoise[stream] && isSampledNoise(content)
          ? storeStream(content, output, position)
          : writeStream(content, output, position);
      isNoise[stream] = position - before - 4 > content.length * NOISE_SHARE;
    }
  }
  if (position >= HEADER_BYTES + sizeBytes) {
    writeHeader(
      output,
      flags | FLAG_MEMCPYED,
      typeSizeBytes,
      sizeBytes,
      blockBytes,
      HEADER_BYTES + sizeBytes,
    );
    output.set(chunk, HEADER_BYTES);
    return output.subarray(0, HEADER_BYTES + sizeBytes);
  }
  writeHeader(output, flags, typeSizeBytes, sizeBytes, blockBytes, position);
  return output.subarray(0, position);
}

function writeHeader(
  output: Buffer,
  flags: number,
  typeSizeBytes: number,
  sizeBytes: number,
  blockBytes: number,
  compressedBytes: number,
): void {
  output.set([BLOSC_FORMAT_VERSION, LZ4_VERSION, flags, typeSizeBytes], 0);
  output.writeUInt32LE(sizeBytes, 4);
  output.writeUInt32LE(blockBytes, 8);
  output.writeUInt32LE(compressedBytes, 12);
}

/** Writes one stream and returns the position after it. `lz4-napi` puts the decoded size before the block. */
function writeStream(stream: Buffer, output: Buffer, position: number): number {
  const packed = lz4.compressSync(stream);
  const packedBytes = packed.length - 4;
  if (packedBytes >= stream.length) return storeStream(stream, output, position);
  output.set(packed, position);
  output.writeInt32LE(packedBytes, position);
  return position + packed.length;
}

function storeStream(stream: Buffer, output: Buffer, position: number): number {
  output.writeInt32LE(stream.length, position);
  output.set(stream, position + 4);
  return position + 4 + stream.length;
}

/** A stream that keeps this share of its size is noise: the low bytes of camera data. */
const NOISE_SHARE = 0.97;
const SAMPLE_BYTES = 8192;

/** Whether a sample from the middle of a stream does not compress either, so that the whole need not be tried. */
function isSampledNoise(stream: Buffer): boolean {
  if (stream.length < 4 * SAMPLE_BYTES) return false;
  const middle = stream.length >> 1;
  const packed = lz4.compressSync(stream.subarray(middle, middle + SAMPLE_BYTES));
  return packed.length - 4 > SAMPLE_BYTES * NOISE_SHARE;
}
