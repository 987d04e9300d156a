import { BadMetadataError } from '../../core/errors.ts';
import { asObject } from '../../core/json-text.ts';
import type { Dtype } from '../../core/nd-array.ts';

/** Bytes behind the two texts of an entry: eight 32-bit numbers. */
const TAIL_BYTES = 32;
const MAX_AXES_BYTES = 64 << 10;
const MAX_NAME_BYTES = 4096;

/** Where and what one image of an NDTiff data set is. */
export interface NdTiffEntry {
  /** Axis → value: `{"channel":"DAPI","time":0}`. */
  readonly axes: ReadonlyMap<string, number | string>;
  /** The TIFF in the same folder. */
  readonly fileName: string;
  readonly pixelOffset: number;
  readonly width: number;
  readonly height: number;
  /** Undefined for RGB and what newer versions may add. */
  readonly dtype: Dtype | undefined;
  readonly isCompressed: boolean;
  readonly metadataOffset: number;
  readonly metadataBytes: number;
}

/** Pixel types 3 to 6 are 10, 12, 14 and 11 bits in 16; 2 is 8-bit RGB. */
const DTYPES: readonly (Dtype | undefined)[] = [
  'uint8',
  'uint16',
  undefined,
  'uint16',
  'uint16',
  'uint16',
  'uint16',
];

/** Pixels of an entry in bytes. */
export function pixelBytes({ width, height, dtype }: NdTiffEntry): number {
  return width * height * (dtype === 'uint8' ? 1 : dtype === undefined ? 4 : 2);
}

function readAxes(text: string): ReadonlyMap<string, number | string> | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // Told by the caller, who knows the file.
    return undefined;
  }
  const object = asObject(value);
  if (!object) return undefined;
  const axes = new Map<string, number | string>();
  for (const [axis, at] of Object.entries(object)) {
    if (typeof at !== 'number' && typeof at !== 'string') return undefined;
    axes.set(axis, at);
  }
  return axes;
}

/**
 * Entries of an `NDTiff.index`, versions 2 and 3, in the order in which the images were saved: two texts with
 * their lengths, then eight little-endian 32-bit numbers (the "NDTiff.index file" of the NDTiffStorage README).
 * An entry that is still being written, and zeros behind the last, end the index; `truncated` is told then.
 * @throws BadMetadataError for what is no index at all.
 */
export function* readNdTiffIndex(path: string, bytes: Buffer, truncated: () => void): Generator<NdTiffEntry> {
  let at = 0;
  let count = 0;
  while (at + 4 <= bytes.length) {
    const axesBytes = bytes.readUInt32LE(at);
    // The data set's end, or room that is not written yet.
    if (axesBytes === 0) return;
    if (axesBytes > MAX_AXES_BYTES)
      throw new BadMetadataError(path, `entry ${count} at byte ${at} claims axes of ${axesBytes} bytes`);
    const nameAt = at + 4 + axesBytes;
    const nameBytes = nameAt + 4 <= bytes.length ? bytes.readUInt32LE(nameAt) : 0;
    if (nameBytes > MAX_NAME_BYTES)
      throw new BadMetadataError(path, `entry ${count} at byte ${at} claims a name of ${nameBytes} bytes`);
    const tail = nameAt + 4 + nameBytes;
    if (tail + TAIL_BYTES > bytes.length) {
      truncated();
      return;
    }
    const axes = readAxes(bytes.toString('utf8', at + 4, nameAt));
    if (!axes)
      throw new BadMetadataError(path, `entry ${count} at byte ${at} has axes that are no JSON object`);
    const word = (i: number): number => bytes.readUInt32LE(tail + 4 * i);
    yield {
      axes,
      fileName: bytes.toString('utf8', nameAt + 4, tail),
      pixelOffset: word(0),
      width: word(1),
      height: word(2),
      dtype: DTYPES[word(3)],
      isCompressed: word(4) !== 0,
      metadataOffset: word(5),
      metadataBytes: word(6),
    };
    at = tail + TAIL_BYTES;
    count += 1;
  }
  if (at < bytes.length) truncated();
}
