import { gunzipSync, inflateRawSync, inflateSync, zstdDecompressSync } from 'node:zlib';

/** Streams that node:zlib decodes; `deflate` is without a header (RFC 1951). */
export type StreamFormat = 'zlib' | 'gzip' | 'deflate' | 'zstd';

const DECODERS = {
  zlib: inflateSync,
  gzip: gunzipSync,
  deflate: inflateRawSync,
  zstd: zstdDecompressSync,
} as const;

/** Largest output buffer that is taken at once; longer streams are joined from several. */
const MAX_PIECE_BYTES = 8 * 1024 * 1024;
/** node:zlib's smallest. */
const MIN_PIECE_BYTES = 64;

/**
 * Decodes a whole stream of at most `maxBytes`; memory never exceeds that, whatever the stream says.
 * @throws an error of node:zlib when the stream is damaged, cut off or longer.
 */
export function decodeStream(format: StreamFormat, stream: Uint8Array, maxBytes: number): Buffer {
  const limitBytes = Math.max(1, maxBytes);
  return DECODERS[format](stream, {
    maxOutputLength: limitBytes,
    // One byte more than is expected, so that the end is seen without another buffer.
    chunkSize: Math.max(MIN_PIECE_BYTES, Math.min(limitBytes + 1, MAX_PIECE_BYTES)),
  });
}
