import { BadZarrError, UnsupportedZarrError } from '../../core/errors.ts';
import { bitUnshuffle } from './bit-shuffle.ts';
import { blockKernels } from './block-kernels.ts';
import {
  BLOSC_FORMAT_VERSION,
  FLAG_BITSHUFFLE,
  FLAG_DO_NOT_SPLIT,
  FLAG_MEMCPYED,
  FLAG_SHUFFLE,
  BLOSC_HEADER_BYTES as HEADER_BYTES,
  MAX_SPLITS,
  MIN_STREAM_BYTES,
} from './blosc-format.ts';
import { decodeBloscLz } from './blosclz.ts';
import { decodeStream } from './deflate-zstd.ts';

/** Names of the codec numbers in the three highest flag bits; LZ4HC writes what LZ4 reads. */
const CODECS = ['blosclz', 'lz4', 'snappy', 'zlib', 'zstd'] as const;

export interface BloscHeader {
  readonly codec: (typeof CODECS)[number];
  readonly memcpyed: boolean;
  readonly shuffles: boolean;
  readonly bitShuffles: boolean;
  readonly splits: boolean;
  readonly typeSizeBytes: number;
  readonly sizeBytes: number;
  readonly blockBytes: number;
}

/** `encoded` begins with the header of a chunk of `chunkBytes`. @throws BadZarrError naming `path`. */
export function readHeader(encoded: Buffer, path: string, chunkBytes = encoded.length): BloscHeader {
  const bad = (detail: string): BadZarrError => new BadZarrError(path, detail);
  if (encoded.length < HEADER_BYTES) throw bad(`${encoded.length} bytes are no Blosc chunk`);
  const flags = encoded[2] ?? 0;
  const typeSizeBytes = encoded[3] ?? 0;
  const sizeBytes = encoded.readUInt32LE(4);
  const blockBytes = encoded.readUInt32LE(8);
  const compressedBytes = encoded.readUInt32LE(12);
  if (encoded[0] !== BLOSC_FORMAT_VERSION)
    throw bad(`Blosc format ${encoded[0]} instead of ${BLOSC_FORMAT_VERSION}`);
  if (compressedBytes !== chunkBytes)
    throw bad(`the chunk says ${compressedBytes} bytes, the file has ${chunkBytes}`);
  const codec = CODECS[flags >> 5];
  if (codec === undefined) throw bad(`Blosc codec ${flags >> 5}`);
  if (typeSizeBytes === 0 || (sizeBytes > 0 && blockBytes === 0)) throw bad('a zero type or block size');
  const bitShuffles = (flags & FLAG_BITSHUFFLE) !== 0;
  return {
    codec,
    memcpyed: (flags & FLAG_MEMCPYED) !== 0,
    shuffles: !bitShuffles && (flags & FLAG_SHUFFLE) !== 0 && typeSizeBytes > 1,
    bitShuffles,
    splits:
      (flags & FLAG_DO_NOT_SPLIT) === 0 &&
      typeSizeBytes <= MAX_SPLITS &&
      blockBytes / typeSizeBytes >= MIN_STREAM_BYTES,
    typeSizeBytes,
    sizeBytes,
    blockBytes,
  };
}

/** How many bytes a Blosc chunk decodes to. @throws BadZarrError naming `path`. */
export function bloscDecodedBytes(encoded: Buffer, path: string): number {
  return readHeader(encoded, path).sizeBytes;
}

/**
 * Decodes one chunk into `output`, which is exactly as long as the chunk decodes to.
 * @throws BadZarrError naming `path` when a length, flag or offset is not what the file must have;
 *   UnsupportedZarrError for Snappy.
 */
export function decodeBlosc(encoded: Buffer, output: Uint8Array, path: string): void {
  const header = readHeader(encoded, path);
  const { sizeBytes, blockBytes } = header;
  const bad = (detail: string): BadZarrError => new BadZarrError(path, detail);
  if (sizeBytes !== output.length) throw bad(`decodes to ${sizeBytes} bytes instead of ${output.length}`);
  if (header.memcpyed) {
    if (encoded.length !== HEADER_BYTES + sizeBytes) throw bad('a stored chunk of the wrong length');
    output.set(encoded.subarray(HEADER_BYTES));
    return;
  }
  const blocks = blockCount(header, encoded.length, path);
  const decode = blockDecoder(header, path);
  for (let block = 0; block < blocks; block++) {
    const target = output.subarray(block * blockBytes, Math.min((block + 1) * blockBytes, sizeBytes));
    const position = encoded.readUInt32LE(HEADER_BYTES + 4 * block);
    if (position < HEADER_BYTES) throw bad('cut off in a block');
    decode(encoded, position, target);
  }
  blockKernels().trim();
}

/**
 * How many blocks a chunk has. @throws BadZarrError when its `chunkBytes` have no room for where they begin;
 * UnsupportedZarrError for Snappy.
 */
export function blockCount(
  { codec, sizeBytes, blockBytes }: BloscHeader,
  chunkBytes: number,
  path: string,
): number {
  if (codec === 'snappy') throw new UnsupportedZarrError(path, 'Blosc with Snappy');
  const blocks = sizeBytes === 0 ? 0 : Math.ceil(sizeBytes / blockBytes);
  if (HEADER_BYTES + 4 * blocks > chunkBytes) throw new BadZarrError(path, 'cut off in the block offsets');
  return blocks;
}

/** What decodes the block at `position` of `encoded` into `target`, which is as long as the block. */
export function blockDecoder(
  header: BloscHeader,
  path: string,
): (encoded: Buffer, position: number, target: Uint8Array) => void {
  const { sizeBytes, blockBytes, typeSizeBytes, shuffles, bitShuffles } = header;
  const largestBytes = Math.min(blockBytes, sizeBytes);
  const isLz4 = header.codec === 'lz4';
  // LZ4 and the byte shuffle work in the memory of their kernels; other codecs, unshuffled, go straight to `target`.
  const viaKernels = isLz4 || shuffles || bitShuffles;
  const kernels = blockKernels();
  const scratch = viaKernels
    ? kernels.reserveShuffled(largestBytes, isLz4 ? largestBytes : 0, shuffles)
    : undefined;
  return (encoded, position, target) => {
    const bytes = scratch?.subarray(0, target.length) ?? target;
    decodeBlock(encoded, position, header, bytes, path);
    if (shuffles) kernels.unshuffle(typeSizeBytes, target);
    else if (bitShuffles) bitUnshuffle(bytes, typeSizeBytes, target);
    else if (scratch) target.set(bytes);
  };
}

/** Decodes the streams of one block, which begins at `position`, into `bytes`; with LZ4 the kernels' block. */
function decodeBlock(
  encoded: Buffer,
  position: number,
  header: BloscHeader,
  bytes: Uint8Array,
  path: string,
): void {
  const bad = (detail: string): BadZarrError => new BadZarrError(path, detail);
  const streams = header.splits && bytes.length === header.blockBytes ? header.typeSizeBytes : 1;
  if (bytes.length % streams !== 0) throw bad(`a block of ${bytes.length} bytes in ${streams} streams`);
  const streamBytes = bytes.length / streams;
  for (let stream = 0; stream < streams; stream++) {
    if (position < 0 || position + 4 > encoded.length) throw bad('cut off in a block');
    const packedBytes = encoded.readInt32LE(position);
    const start = position + 4;
    position = start + packedBytes;
    if (packedBytes <= 0 || position > encoded.length) throw bad('a stream reaches past the chunk');
    const from = stream * streamBytes;
    const packed = encoded.subarray(start, position);
    if (packedBytes === streamBytes) bytes.set(packed, from);
    else if (!decodePacked(header.codec, packed, bytes, from, streamBytes))
      throw bad(`a damaged ${header.codec} stream`);
  }
}

function decodePacked(
  codec: BloscHeader['codec'],
  packed: Buffer,
  bytes: Uint8Array,
  from: number,
  sizeBytes: number,
): boolean {
  // A writer stores what LZ4 makes longer.
  if (codec === 'lz4') return packed.length < sizeBytes && blockKernels().expand(packed, from, sizeBytes);
  const into = bytes.subarray(from, from + sizeBytes);
  if (codec === 'blosclz') return decodeBloscLz(packed, into);
  if (codec === 'snappy') return false;
  let decoded: Buffer;
  try {
    decoded = decodeStream(codec, packed, sizeBytes);
  } catch {
    // node:zlib only says that the stream is damaged; the caller names the file.
    return false;
  }
  if (decoded.length !== sizeBytes) return false;
  into.set(decoded);
  return true;
}
