import { StateCorruptError } from '../core/errors.ts';
import type { ChunkCodec } from './chunk-codec.ts';
import type { PixelRun } from './pixel-runs.ts';

/**
 * What is kept of a landed image besides its pixels. A sidecar file is `PFSLAND1`, the length of a JSON text
 * (u32, little-endian), that text, and then every byte of the file that lies in no pixel run, in order.
 */
export interface Sidecar {
  /** Equal to the landing's; differs once another file has landed in the same place. */
  readonly id: string;
  readonly inode: number;
  readonly mountPath: string;
  readonly sizeBytes: number;
  readonly mtimeMs: number;
  /** Path of the array below the store. */
  readonly array: string;
  readonly codec: ChunkCodec;
  readonly chunkBytes: number;
  /** Bytes per element to be reversed, 1 where file and chunk agree. */
  readonly swapBytes: number;
  readonly itemSizeBytes: number;
  /** Key below the array and CRC-32 of the file of each chunk. */
  readonly chunks: readonly (readonly [key: string, crc32: number])[];
  /** As {@link PixelRun}: fileOffset, chunk, chunkOffset, sizeBytes, rows, fileStride, chunkStride. */
  readonly runs: readonly (readonly number[])[];
}

const MAGIC = Buffer.from('PFSLAND1', 'latin1');
/** Magic and length. */
export const SIDECAR_PREFIX_BYTES = MAGIC.length + 4;
const MAX_TEXT_BYTES = 2 ** 30;

/** Everything of a sidecar file but the gap bytes that follow it. */
export function encodeSidecar(sidecar: Sidecar): Buffer {
  const text = Buffer.from(JSON.stringify(sidecar));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(text.length);
  return Buffer.concat([MAGIC, length, text]);
}

/**
 * Length of the JSON text that follows the prefix.
 * @throws StateCorruptError when the bytes are no sidecar's.
 */
export function sidecarTextBytes(prefix: Buffer, path: string): number {
  if (prefix.length < SIDECAR_PREFIX_BYTES || !prefix.subarray(0, MAGIC.length).equals(MAGIC))
    throw new StateCorruptError(path, 'no landing record');
  const length = prefix.readUInt32LE(MAGIC.length);
  if (length > MAX_TEXT_BYTES) throw new StateCorruptError(path, `a landing record of ${length} bytes`);
  return length;
}

/** @throws StateCorruptError when the text is not a sidecar's. */
export function decodeSidecar(text: Buffer, path: string): Sidecar {
  try {
    return JSON.parse(text.toString('utf8')) as Sidecar;
  } catch (cause) {
    throw new StateCorruptError(path, 'a damaged landing record', { cause });
  }
}

export function runsOf(sidecar: Sidecar): PixelRun[] {
  return sidecar.runs.map((run) => {
    const [
      fileOffset = 0,
      chunk = 0,
      chunkOffset = 0,
      sizeBytes = 0,
      rows = 1,
      fileStride = 0,
      chunkStride = 0,
    ] = run;
    return { fileOffset, chunk, chunkOffset, sizeBytes, rows, fileStride, chunkStride };
  });
}

export function encodeRun(run: PixelRun): number[] {
  const { fileOffset, chunk, chunkOffset, sizeBytes, rows, fileStride, chunkStride } = run;
  return rows === 1
    ? [fileOffset, chunk, chunkOffset, sizeBytes]
    : [fileOffset, chunk, chunkOffset, sizeBytes, rows, fileStride, chunkStride];
}
