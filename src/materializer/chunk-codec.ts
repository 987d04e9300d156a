import { constants, gzipSync, zstdCompressSync } from 'node:zlib';
import { BadZarrError } from '../core/errors.ts';
import type { ChunkCodec } from '../model/landing-format.ts';
import { encodeBlosc } from '../zarr/codec/blosc.ts';
import { decodeStream } from '../zarr/codec/deflate-zstd.ts';
import { encodeLz4 } from '../zarr/codec/lz4-encode.ts';
import { isObject } from './atomic-json.ts';

/** Blosc's own preset; the LZ4 that is written here has no levels. */
const BLOSC_LEVEL = 5;

/** The `compressor` of a zarr v2 `.zarray`, as numcodecs spells it. */
export function compressorMetadata({ name, level }: ChunkCodec): object | null {
  switch (name) {
    case 'none':
      return null;
    case 'blosc-lz4':
      return { id: 'blosc', cname: 'lz4', clevel: BLOSC_LEVEL, shuffle: 1, blocksize: 0 };
    case 'lz4':
      return { id: 'lz4', acceleration: 1 };
    default:
      return { id: name, level };
  }
}

/**
 * What follows `bytes` in the `codecs` of a zarr v3 array (Zarr v3 spec, "Codecs"; zarr-extensions for `zstd`; for
 * `numcodecs.lz4` the name that zarr-python 3 registers).
 */
export function codecsMetadata({ name, level }: ChunkCodec, itemSizeBytes: number): object[] {
  switch (name) {
    case 'none':
      return [];
    case 'blosc-lz4': {
      const shuffle = itemSizeBytes > 1 ? 'shuffle' : 'noshuffle';
      const configuration = {
        typesize: itemSizeBytes,
        cname: 'lz4',
        clevel: BLOSC_LEVEL,
        shuffle,
        blocksize: 0,
      };
      return [{ name: 'blosc', configuration }];
    }
    case 'lz4':
      return [{ name: 'numcodecs.lz4', configuration: { acceleration: 1 } }];
    case 'zstd':
      return [{ name, configuration: { level, checksum: false } }];
    default:
      return [{ name, configuration: { level } }];
  }
}

function codecOf(id: unknown, configuration: Readonly<Record<string, unknown>>): ChunkCodec | undefined {
  const { cname, level } = configuration;
  if (id === 'blosc') return cname === 'lz4' ? { name: 'blosc-lz4' } : undefined;
  if (id === 'lz4') return { name: 'lz4' };
  return (id === 'zstd' || id === 'gzip') && typeof level === 'number' ? { name: id, level } : undefined;
}

/** The codec that a `.zarray` names, undefined when it is none of ours. */
export function codecOfCompressor(compressor: unknown): ChunkCodec | undefined {
  if (compressor === null) return { name: 'none' };
  return isObject(compressor) ? codecOf(compressor['id'], compressor) : undefined;
}

/** The codec behind `bytes` in the `codecs` of a zarr v3 array, undefined when it is none of ours. */
export function codecOfCodecs(codecs: readonly unknown[]): ChunkCodec | undefined {
  const [bytes, packing, ...rest] = codecs;
  if (!isObject(bytes) || bytes['name'] !== 'bytes' || rest.length > 0) return undefined;
  if (packing === undefined) return { name: 'none' };
  if (!isObject(packing)) return undefined;
  const { name, configuration } = packing;
  return codecOf(name === 'numcodecs.lz4' ? 'lz4' : name, isObject(configuration) ? configuration : {});
}

/**
 * The chunk's file, which is known to decode to `chunk` again. Valid until the thread's next call of this module;
 * with `none` it is `chunk` itself.
 * @throws BadZarrError naming `path` when what was packed does not decode to the chunk.
 */
export function encodeChunk(
  { name, level }: ChunkCodec,
  chunk: Uint8Array,
  itemSizeBytes: number,
  path: string,
): Uint8Array {
  switch (name) {
    case 'none':
      return chunk;
    case 'blosc-lz4':
      return encodeBlosc(chunk, itemSizeBytes, path);
    case 'lz4':
      return encodeLz4(chunk, path);
    case 'gzip':
      return proven('gzip', gzipSync(chunk, level === undefined ? {} : { level }), chunk, path);
    default: {
      const params = level === undefined ? {} : { [constants.ZSTD_c_compressionLevel]: level };
      return proven('zstd', zstdCompressSync(chunk, { params }), chunk, path);
    }
  }
}

function proven(format: 'gzip' | 'zstd', packed: Buffer, chunk: Uint8Array, path: string): Buffer {
  if (!decodeStream(format, packed, chunk.length).equals(chunk))
    throw new BadZarrError(path, 'the encoded pixels do not decode to what they were');
  return packed;
}
