import { BadZarrError } from '../core/errors.ts';
import { encodeBlosc } from '../zarr/codec/blosc.ts';
import { decodeBlosc } from '../zarr/codec/blosc-decode.ts';

/** How chunks of an array are stored. */
export type ChunkCodec = 'blosc-lz4' | 'none';

/** The `compressor` of a zarr v2 `.zarray`, as numcodecs spells it. */
export function compressorMetadata(codec: ChunkCodec): object | null {
  return codec === 'none' ? null : { id: 'blosc', cname: 'lz4', clevel: 5, shuffle: 1, blocksize: 0 };
}

/** The codec that a `.zarray` names, or undefined when it is none of ours. */
export function codecOfMetadata(compressor: unknown): ChunkCodec | undefined {
  if (compressor === null) return 'none';
  if (typeof compressor !== 'object') return undefined;
  const fields = new Map(Object.entries(compressor));
  return fields.get('id') === 'blosc' && fields.get('cname') === 'lz4' && fields.get('shuffle') === 1
    ? 'blosc-lz4'
    : undefined;
}

/**
 * The chunk's file, which is known to decode to `chunk` again. Valid until the thread's next call of this module;
 * with `none` it is `chunk` itself.
 * @throws BadZarrError naming `path` when what was packed does not decode to the chunk.
 */
export function encodeChunk(
  codec: ChunkCodec,
  chunk: Uint8Array,
  itemSizeBytes: number,
  path: string,
): Uint8Array {
  return codec === 'none' ? chunk : encodeBlosc(chunk, itemSizeBytes, path);
}

/**
 * Decodes a chunk's file into `output`, which has the chunk's exact size.
 * @throws BadZarrError naming `path`.
 */
export function decodeChunk(codec: ChunkCodec, encoded: Buffer, output: Uint8Array, path: string): void {
  if (codec === 'blosc-lz4') {
    decodeBlosc(encoded, output, path);
    return;
  }
  if (encoded.length !== output.length)
    throw new BadZarrError(path, `${encoded.length} bytes instead of ${output.length}`);
  output.set(encoded);
}
