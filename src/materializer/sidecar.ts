import { StateCorruptError } from '../core/errors.ts';
import type { NgffVersion } from '../model/ngff.ts';
import type { PlaneIndex } from './array-format.ts';
import type { PixelRun } from './pixel-runs.ts';

/**
 * What is kept of a landed image besides its pixels. A sidecar file is `PFSLAND1`, the length of a JSON text
 * (u32, little-endian), that text, and then every byte of the file that lies in no pixel run, in order.
 */
export interface Sidecar {
  /** Equal to the landing's; differs once another file has landed in the same place. */
  readonly id: string;
  readonly inode: number;
  readonly owner?: string;
  readonly mountPath: string;
  readonly sizeBytes: number;
  readonly mtimeMs: number;
  /** Path of the array below the store. */
  readonly array: string;
  readonly version: NgffVersion;
  readonly planeBytes: number;
  /** Bytes per element to be reversed, 1 where file and chunk agree. */
  readonly swapBytes: number;
  readonly itemSizeBytes: number;
  /** Of what the CRC-32 of a plane is: of its encoded chunk, or of its pixels where it shares a chunk with others. */
  readonly checked: 'chunks' | 'pixels';
  /** Place in the array and CRC-32 of each plane. */
  readonly planes: readonly StoredPlane[];
  /** As {@link PixelRun}: fileOffset, chunk, chunkOffset, sizeBytes, rows, fileStride, chunkStride. */
  readonly runs: readonly (readonly number[])[];
}

export type StoredPlane = readonly [...PlaneIndex, crc32: number];

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
    return upToDate(JSON.parse(text.toString('utf8')) as Sidecar | EarlierSidecar);
  } catch (cause) {
    throw new StateCorruptError(path, 'a damaged landing record', { cause });
  }
}

/** As the first version wrote it, when there was zarr v2 only, with a plane in each chunk. */
interface EarlierSidecar extends Omit<Sidecar, 'version' | 'planeBytes' | 'checked' | 'planes'> {
  readonly chunkBytes: number;
  /** Key below the array, `t/c/z/0/0`, and CRC-32 of its file. */
  readonly chunks: readonly (readonly [key: string, crc32: number])[];
}

function upToDate(sidecar: Sidecar | EarlierSidecar): Sidecar {
  if (!('chunks' in sidecar)) return sidecar;
  const { chunks, chunkBytes, ...same } = sidecar;
  const planes = chunks.map(([key, crc32]): StoredPlane => {
    const [t = 0, c = 0, z = 0] = key.split('/').map(Number);
    return [t, c, z, crc32];
  });
  return { ...same, version: '0.4', planeBytes: chunkBytes, checked: 'chunks', planes };
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
