import { type Dtype, itemSizeBytes } from '../../core/nd-array.ts';
import type { ImageInfo } from '../../model/image.ts';

const SHORT = 3;
const LONG = 4;
const LONG8 = 16;

/** A RATIONAL of TIFF: two unsigned 32-bit integers. */
export interface Rational {
  readonly numerator: number;
  readonly denominator: number;
}

/**
 * Values of a tag of the first directory that repeat: `head`, then `unit` over and over, and `tail` up to `sizeBytes`.
 * They lie behind the directories, so their size may grow with the number of planes.
 */
export interface PeriodicTag {
  readonly tag: number;
  readonly type: 1 | 4;
  readonly head: Uint8Array;
  readonly unit: Uint8Array;
  readonly tail: Uint8Array;
  readonly sizeBytes: number;
}

/** What a TIFF of an image shall say beyond its pixels. */
export interface TiffRecipe {
  /** With the pixel type that the file has. */
  readonly image: ImageInfo;
  /** The pixel type that the source has, where it is another. */
  readonly sourceDtype?: Dtype;
  readonly big: boolean;
  /** Only the first plane has a directory; the others' pixels lie behind its own, as ImageJ's text promises. */
  readonly hasOneDirectory?: boolean;
  /** No tag that TIFF 6.0 part 1 doesn't have, but for SampleFormat where pixels are no unsigned integers. */
  readonly isBaseline?: boolean;
  /** ImageDescription, UTF-8 without the closing NUL; empty for none. */
  readonly description: string;
  /** What stands in its place when it is read; as many bytes. Set where it takes long to make. */
  readonly fullDescription?: () => string;
  /** Pixels per unit, in x and y. */
  readonly resolution?: { readonly x: Rational; readonly y: Rational; readonly unit: 1 | 3 };
  /** In ascending order, all above 339. */
  readonly periodic?: readonly PeriodicTag[];
}

/** SampleFormat of the dtypes a TIFF is written with: unsigned, signed, floating point. */
export const SAMPLE_FORMATS: { readonly [D in Dtype]?: 1 | 2 | 3 } = {
  uint8: 1,
  int8: 2,
  uint16: 1,
  int16: 2,
  uint32: 1,
  int32: 2,
  float32: 3,
  float64: 3,
};

/** DateTime (TIFF 6.0, section 8): UTC, as the format knows no zones. Undefined for years it can't write. */
function dateTime(atMs: number | undefined): Uint8Array | undefined {
  if (atMs === undefined || !(Math.abs(atMs) < 8e15)) return undefined;
  const text = new Date(atMs).toISOString();
  return /^\d{4}-/.test(text)
    ? Buffer.from(`${text.slice(0, 10).replaceAll('-', ':')} ${text.slice(11, 19)}\0`, 'latin1')
    : undefined;
}

interface Entry {
  readonly tag: number;
  readonly type: number;
  readonly count: number;
  /** The value, or where it lies. */
  readonly value: bigint;
}

/** `value` rounded up to a multiple of `to`. */
export function alignUp(value: number, to: number): number {
  return Math.ceil(value / to) * to;
}

/** Bytes of one plane's pixels. */
export function planeBytesOf(image: ImageInfo): number {
  const [, , , height, width] = image.shape;
  return height * width * itemSizeBytes(image.dtype);
}

/** Where a directory lies in its file, and what it points to. */
export interface DirectoryPlace {
  readonly plane: number;
  readonly at: number;
  /** Offset of the next directory, 0 for none. */
  readonly next: number;
  readonly pixelsOffset: number;
  /** Of each periodic tag. */
  readonly periodicOffsets: readonly number[];
}

/**
 * The directory of one plane and the values that don't fit into its entries, as they lie in the file. Its
 * length doesn't depend on the offsets.
 */
export function tiffDirectory(recipe: TiffRecipe, place: DirectoryPlace): Uint8Array {
  const { image, big, resolution, description, periodic = [] } = recipe;
  const { plane, at, next, pixelsOffset, periodicOffsets } = place;
  const [, , , height, width] = image.shape;
  const first = plane === 0;
  const text = first && description !== '' ? Buffer.from(`${description}\0`, 'utf8') : undefined;
  const time = first ? dateTime(image.acquiredAtMs) : undefined;
  const sampleFormat = SAMPLE_FORMATS[image.dtype] ?? 1;
  const hasSampleFormat = !recipe.isBaseline || sampleFormat !== 1;
  const entryCount =
    11 +
    (hasSampleFormat ? 1 : 0) +
    (text === undefined ? 0 : 1) +
    (resolution === undefined ? 0 : 3) +
    (time === undefined ? 0 : 1) +
    (first ? periodic.length : 0);
  const entrySize = big ? 20 : 12;
  const valuesAt = at + (big ? 8 : 2) + entryCount * entrySize + (big ? 8 : 4);
  const values: Uint8Array[] = [];
  let valuesBytes = 0;
  const inline = big ? 8 : 4;
  /** Value of an entry whose bytes may be too long to stand in it. */
  const store = (bytes: Uint8Array): bigint => {
    if (bytes.length <= inline) {
      return bytes.reduce((sum, byte, index) => sum + (BigInt(byte) << BigInt(8 * index)), 0n);
    }
    const where = valuesAt + valuesBytes;
    const padded = new Uint8Array(alignUp(bytes.length, 2));
    padded.set(bytes);
    values.push(padded);
    valuesBytes += padded.length;
    return BigInt(where);
  };
  const rational = (value: Rational): bigint => {
    const bytes = new Uint8Array(8);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, value.numerator, true);
    view.setUint32(4, value.denominator, true);
    return store(bytes);
  };
  const wide = big ? LONG8 : LONG;
  const entries: Entry[] = [
    { tag: 254, type: LONG, count: 1, value: 0n },
    { tag: 256, type: LONG, count: 1, value: BigInt(width) },
    { tag: 257, type: LONG, count: 1, value: BigInt(height) },
    { tag: 258, type: SHORT, count: 1, value: BigInt(itemSizeBytes(image.dtype) * 8) },
    { tag: 259, type: SHORT, count: 1, value: 1n },
    { tag: 262, type: SHORT, count: 1, value: 1n },
  ];
  if (text !== undefined) entries.push({ tag: 270, type: 2, count: text.length, value: store(text) });
  entries.push(
    { tag: 273, type: wide, count: 1, value: BigInt(pixelsOffset + plane * planeBytesOf(image)) },
    { tag: 277, type: SHORT, count: 1, value: 1n },
    { tag: 278, type: LONG, count: 1, value: BigInt(height) },
    { tag: 279, type: wide, count: 1, value: BigInt(planeBytesOf(image)) },
  );
  if (resolution !== undefined) {
    entries.push(
      { tag: 282, type: 5, count: 1, value: rational(resolution.x) },
      { tag: 283, type: 5, count: 1, value: rational(resolution.y) },
    );
  }
  entries.push({ tag: 284, type: SHORT, count: 1, value: 1n });
  if (resolution !== undefined) {
    entries.push({ tag: 296, type: SHORT, count: 1, value: BigInt(resolution.unit) });
  }
  if (time !== undefined) entries.push({ tag: 306, type: 2, count: time.length, value: store(time) });
  if (hasSampleFormat) entries.push({ tag: 339, type: SHORT, count: 1, value: BigInt(sampleFormat) });
  if (first) {
    periodic.forEach((tag, index) => {
      const count = tag.sizeBytes / (tag.type === LONG ? 4 : 1);
      entries.push({ tag: tag.tag, type: tag.type, count, value: BigInt(periodicOffsets[index] ?? 0) });
    });
  }
  const bytes = new Uint8Array(valuesAt - at + valuesBytes);
  const view = new DataView(bytes.buffer);
  const put = (where: number, value: bigint): void => {
    if (big) view.setBigUint64(where, value, true);
    else view.setUint32(where, Number(value), true);
  };
  if (big) view.setBigUint64(0, BigInt(entries.length), true);
  else view.setUint16(0, entries.length, true);
  entries.forEach((entry, index) => {
    const where = (big ? 8 : 2) + index * entrySize;
    view.setUint16(where, entry.tag, true);
    view.setUint16(where + 2, entry.type, true);
    put(where + 4, BigInt(entry.count));
    put(where + (big ? 12 : 8), entry.value);
  });
  put(valuesAt - at - (big ? 8 : 4), BigInt(next));
  let to = valuesAt - at;
  for (const value of values) {
    bytes.set(value, to);
    to += value.length;
  }
  return bytes;
}
