import lz4 from 'lz4-napi';
import { BadZarrError } from '../../core/errors.ts';
import { ByteShuffle, MAX_BLOCK_BYTES } from './byte-shuffle.ts';
import { expandRepetitive } from './repetitive-lz4.ts';

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
/** Two of these, source and shuffled, stay in a core's second-level cache. */
const BLOCK_BYTES = MAX_BLOCK_BYTES / 2;

/** Largest input of one Blosc buffer (`BLOSC_MAX_BUFFERSIZE`, 2 GiB less the overhead). */
export const MAX_CHUNK_BYTES = 2 ** 31 - 1 - HEADER_BYTES;

let kernels: ByteShuffle | undefined;
const shuffler = (): ByteShuffle => {
  kernels ??= new ByteShuffle();
  return kernels;
};

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
      ? shuffler().shuffle(raw, typeSizeBytes)
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
  output.set([FORMAT_VERSION, LZ4_VERSION, flags, typeSizeBytes], 0);
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

/**
 * Decodes one chunk into `output`, which is exactly as long as the chunk decodes to. `encoded` is used as scratch.
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
  const shuffles = (flags & FLAG_SHUFFLE) !== 0 && typeSizeBytes > 1;
  if (shuffles && blockBytes > MAX_BLOCK_BYTES) refuse(`blocks of ${blockBytes} bytes`);
  const splits = (flags & FLAG_DO_NOT_SPLIT) === 0;
  const blocks = sizeBytes === 0 ? 0 : Math.ceil(sizeBytes / blockBytes);
  if (HEADER_BYTES + 4 * blocks > encoded.length) refuse('cut off in the block offsets');
  for (let block = 0; block < blocks; block++) {
    const target = output.subarray(block * blockBytes, Math.min((block + 1) * blockBytes, sizeBytes));
    const streams = splits && target.length === blockBytes ? typeSizeBytes : 1;
    if (target.length % streams !== 0) refuse(`a block of ${target.length} bytes in ${streams} streams`);
    const streamBytes = target.length / streams;
    const bytes = shuffles ? shuffler().input(target.length) : target;
    let position = encoded.readUInt32LE(HEADER_BYTES + 4 * block);
    for (let stream = 0; stream < streams; stream++) {
      if (position + 4 > encoded.length) refuse('cut off in a block');
      const packedBytes = encoded.readInt32LE(position);
      const end = position + 4 + packedBytes;
      if (packedBytes <= 0 || end > encoded.length) refuse('a stream reaches past the chunk');
      const into = bytes.subarray(stream * streamBytes, (stream + 1) * streamBytes);
      decodeStream(encoded, position, packedBytes, into, path);
      position = end;
    }
    if (shuffles) shuffler().unshuffle(target.length, typeSizeBytes, target);
  }
}

/** A stream this many times smaller than its content is long matches, which JavaScript's `fill` does faster. */
const REPETITIVE_RATIO = 16;

function decodeStream(
  encoded: Buffer,
  position: number,
  packedBytes: number,
  into: Uint8Array,
  path: string,
): void {
  const packed = encoded.subarray(position + 4, position + 4 + packedBytes);
  if (packedBytes === into.length) {
    into.set(packed);
    return;
  }
  if (packedBytes * REPETITIVE_RATIO < into.length) {
    if (!expandRepetitive(packed, into)) throw new BadZarrError(path, 'a damaged LZ4 stream');
    return;
  }
  encoded.writeUInt32LE(into.length, position);
  let decoded: Buffer | undefined;
  try {
    decoded = lz4.uncompressSync(encoded.subarray(position, position + 4 + packedBytes));
  } catch {
    decoded = undefined;
  }
  if (decoded?.length !== into.length) throw new BadZarrError(path, 'a damaged LZ4 stream');
  into.set(decoded);
}
