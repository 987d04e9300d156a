import { FsRefusal } from '../../core/errors.ts';
import { type Dtype, itemSizeBytes } from '../../core/nd-array.ts';
import type { Region } from '../../core/region.ts';
import type { FileLayout, Segment } from '../../encoders.ts';
import type { ImageInfo } from '../../model/image.ts';

/** Pixels start on a page of memory, so that readers can map them. */
const PIXEL_ALIGNMENT_BYTES = 4096;
/** Directories handed out as one segment. */
const DIRECTORIES_PER_SEGMENT = 64;
/** Bytes of a periodic tag handed out as one segment. */
const PERIODIC_SEGMENT_BYTES = 64 * 1024;
/** Offsets of classic TIFF are 32 bits. */
export const CLASSIC_LIMIT_BYTES = 2 ** 32;

const SHORT = 3;
const LONG = 4;
const LONG8 = 16;

/** A RATIONAL of TIFF: two unsigned 32-bit integers. */
export interface Rational {
  readonly numerator: number;
  readonly denominator: number;
}

/**
 * Values of a tag of the first directory that repeat: `head`, then `unit` over and over until `sizeBytes`.
 * They lie behind the directories, so their size may grow with the number of planes.
 */
export interface PeriodicTag {
  readonly tag: number;
  readonly type: 1 | 4;
  readonly head: Uint8Array;
  readonly unit: Uint8Array;
  readonly sizeBytes: number;
}

/** What a TIFF of an image shall say beyond its pixels. */
export interface TiffRecipe {
  readonly image: ImageInfo;
  readonly big: boolean;
  /** ImageDescription, UTF-8 without the closing NUL; empty for none. */
  readonly description: string;
  /** Pixels per unit, in x and y. */
  readonly resolution?: { readonly x: Rational; readonly y: Rational; readonly unit: 1 | 3 };
  /** In ascending order, all above 339. */
  readonly periodic?: readonly PeriodicTag[];
}

const SAMPLE_FORMATS: { readonly [D in Dtype]?: 1 | 2 | 3 } = {
  uint8: 1,
  int8: 2,
  uint16: 1,
  int16: 2,
  uint32: 1,
  int32: 2,
  float32: 3,
};

interface Entry {
  readonly tag: number;
  readonly type: number;
  readonly count: number;
  /** The value, or where it lies. */
  readonly value: bigint;
}

function alignUp(value: number, to: number): number {
  return Math.ceil(value / to) * to;
}

function planeBytesOf(image: ImageInfo): number {
  const [, , , height, width] = image.shape;
  return height * width * itemSizeBytes(image.dtype);
}

/** Planes of an image: t × c × z. */
export function planeCount(image: ImageInfo): number {
  const [t, c, z] = image.shape;
  return t * c * z;
}

/** An upper bound of a classic file's size, cheap: nothing is laid out. */
export function tiffSizeAtMostBytes(recipe: Pick<TiffRecipe, 'image' | 'description'>): number {
  const directoryBytes = 256;
  const descriptionBytes = Buffer.byteLength(recipe.description, 'utf8') + 2;
  return (
    planeCount(recipe.image) * (planeBytesOf(recipe.image) + directoryBytes) +
    descriptionBytes +
    2 * PIXEL_ALIGNMENT_BYTES
  );
}

/**
 * Pixels per unit of a pixel size, exact where the decimals of the size allow it.
 * @param unitsPerUm how many of the file's units a micrometre is, as `1 / divisor`: 1 for µm, 10,000 for cm.
 */
export function pixelsPerUnit(pixelSizeUm: number, divisor: number): Rational {
  let best: Rational | undefined;
  if (!(pixelSizeUm > 0 && pixelSizeUm < Number.POSITIVE_INFINITY)) {
    throw new FsRefusal('not-supported', `${pixelSizeUm} µm is no pixel size`);
  }
  for (let exponent = 0; exponent <= 9; exponent++) {
    const scale = 10 ** exponent;
    const numerator = divisor * scale;
    const denominator = Math.round(pixelSizeUm * scale);
    if (numerator >= 2 ** 32 || denominator >= 2 ** 32) break;
    if (denominator === 0) continue;
    best = { numerator, denominator };
    if (denominator / scale === pixelSizeUm) return best;
  }
  if (best === undefined)
    throw new FsRefusal('not-supported', `a TIFF can't say a pixel size of ${pixelSizeUm} µm`);
  return best;
}

/**
 * The one TIFF layout that tifffile (also as memory map), libtiff, vips, ImageMagick, Pillow and ImageJ open:
 * little-endian, all directories first, then the pixels with one strip per plane, c fastest, then z, then t
 * (ImageJ's XYCZT). Its size is arithmetic; directories are records of one size, made when they are read.
 * @throws FsRefusal `not-supported` when a TIFF can't hold the image.
 */
export class TiffLayout implements FileLayout {
  readonly sizeBytes: number;
  readonly #recipe: TiffRecipe;
  readonly #planes: number;
  readonly #planeBytes: number;
  readonly #first: Uint8Array;
  readonly #firstOffset: number;
  readonly #recordBytes: number;
  readonly #recordsOffset: number;
  readonly #periodicOffsets: readonly number[];
  readonly #headerEnd: number;
  readonly #pixelsOffset: number;

  constructor(recipe: TiffRecipe) {
    const { image, big } = recipe;
    if (SAMPLE_FORMATS[image.dtype] === undefined) {
      throw new FsRefusal(
        'not-supported',
        `${image.name}: ${image.dtype} pixels don't open in common TIFF readers`,
        {
          advice: 'read it as OME-Zarr or .npy instead',
        },
      );
    }
    if (image.shape.some((extent) => !Number.isSafeInteger(extent) || extent < 1)) {
      throw new FsRefusal(
        'not-supported',
        `${image.name}: a TIFF can't hold an image of ${image.shape.join(' × ')}`,
      );
    }
    this.#recipe = recipe;
    this.#planes = planeCount(image);
    this.#planeBytes = planeBytesOf(image);
    this.#firstOffset = big ? 16 : 8;
    // Written twice: sizes don't depend on the offsets inside.
    this.#recordBytes = this.#directory(1, 0, 0, []).length;
    this.#recordsOffset = this.#firstOffset + this.#directory(0, 0, 0, []).length;
    let at = this.#recordsOffset + (this.#planes - 1) * this.#recordBytes;
    const periodicOffsets: number[] = [];
    for (const tag of recipe.periodic ?? []) {
      periodicOffsets.push(at);
      at = alignUp(at + tag.sizeBytes, 2);
    }
    this.#periodicOffsets = periodicOffsets;
    this.#headerEnd = at;
    this.#pixelsOffset = alignUp(at, PIXEL_ALIGNMENT_BYTES);
    this.sizeBytes = this.#pixelsOffset + this.#planes * this.#planeBytes;
    if (!big && this.sizeBytes > CLASSIC_LIMIT_BYTES - 1) {
      throw new FsRefusal(
        'not-supported',
        `${image.name}: ${this.sizeBytes} bytes are too many for a classic TIFF`,
        {
          advice: 'read it as .ome.tif or OME-Zarr instead',
        },
      );
    }
    this.#first = this.#frontBytes();
  }

  segments(offsetBytes: number, sizeBytes: number): readonly Segment[] {
    const from = Math.max(0, offsetBytes);
    const to = Math.min(this.sizeBytes, offsetBytes + sizeBytes);
    const found: Segment[] = [];
    if (from >= to) return found;
    if (from < this.#recordsOffset) found.push({ kind: 'bytes', offsetBytes: 0, bytes: this.#first });
    this.#pushDirectories(from, to, found);
    this.#pushPeriodic(from, to, found);
    if (this.#pixelsOffset > this.#headerEnd && from < this.#pixelsOffset && to > this.#headerEnd) {
      const bytes = new Uint8Array(this.#pixelsOffset - this.#headerEnd);
      found.push({ kind: 'bytes', offsetBytes: this.#headerEnd, bytes });
    }
    const firstPlane = Math.max(0, Math.floor((from - this.#pixelsOffset) / this.#planeBytes));
    const endPlane = Math.ceil((to - this.#pixelsOffset) / this.#planeBytes);
    for (let plane = firstPlane; plane < endPlane; plane++) found.push(this.#pixels(plane));
    return found;
  }

  #pixels(plane: number): Segment {
    const [, channels, slices, height, width] = this.#recipe.image.shape;
    const c = plane % channels;
    const z = Math.floor(plane / channels) % slices;
    const t = Math.floor(plane / (channels * slices));
    const region: Region = { start: [t, c, z, 0, 0], shape: [1, 1, 1, height, width] };
    const offsetBytes = this.#pixelsOffset + plane * this.#planeBytes;
    return { kind: 'pixels', offsetBytes, sizeBytes: this.#planeBytes, region };
  }

  #pushDirectories(from: number, to: number, found: Segment[]): void {
    const blockBytes = this.#recordBytes * DIRECTORIES_PER_SEGMENT;
    const records = this.#planes - 1;
    if (from >= this.#recordsOffset + records * this.#recordBytes) return;
    const first = Math.max(0, Math.floor((from - this.#recordsOffset) / blockBytes));
    for (let block = first; block * DIRECTORIES_PER_SEGMENT < records; block++) {
      const offsetBytes = this.#recordsOffset + block * blockBytes;
      if (offsetBytes >= to) return;
      const count = Math.min(DIRECTORIES_PER_SEGMENT, records - block * DIRECTORIES_PER_SEGMENT);
      const bytes = new Uint8Array(count * this.#recordBytes);
      for (let record = 0; record < count; record++) {
        bytes.set(this.#record(1 + block * DIRECTORIES_PER_SEGMENT + record), record * this.#recordBytes);
      }
      found.push({ kind: 'bytes', offsetBytes, bytes });
    }
  }

  #pushPeriodic(from: number, to: number, found: Segment[]): void {
    (this.#recipe.periodic ?? []).forEach((tag, index) => {
      const start = this.#periodicOffsets[index] ?? 0;
      const end = this.#periodicOffsets[index + 1] ?? this.#headerEnd;
      if (from >= end) return;
      const first = Math.max(0, Math.floor((from - start) / PERIODIC_SEGMENT_BYTES));
      for (let block = first; start + block * PERIODIC_SEGMENT_BYTES < Math.min(to, end); block++) {
        const offset = block * PERIODIC_SEGMENT_BYTES;
        const bytes = new Uint8Array(Math.min(PERIODIC_SEGMENT_BYTES, end - start - offset));
        for (let i = 0; i < bytes.length; i++) {
          const at = offset + i;
          if (at >= tag.sizeBytes) break;
          bytes[i] =
            (at < tag.head.length ? tag.head[at] : tag.unit[(at - tag.head.length) % tag.unit.length]) ?? 0;
        }
        found.push({ kind: 'bytes', offsetBytes: start + offset, bytes });
      }
    });
  }

  /** File header and first directory. */
  #frontBytes(): Uint8Array {
    const { big } = this.#recipe;
    const front = new Uint8Array(this.#recordsOffset);
    const view = new DataView(front.buffer);
    view.setUint16(0, 0x4949, true);
    view.setUint16(2, big ? 43 : 42, true);
    if (big) {
      view.setUint16(4, 8, true);
      view.setBigUint64(8, 16n, true);
    } else view.setUint32(4, 8, true);
    front.set(this.#record(0), this.#firstOffset);
    return front;
  }

  #record(plane: number): Uint8Array {
    const at = plane === 0 ? this.#firstOffset : this.#recordsOffset + (plane - 1) * this.#recordBytes;
    const next = plane + 1 < this.#planes ? this.#recordsOffset + plane * this.#recordBytes : 0;
    return this.#directory(plane, at, next, this.#periodicOffsets);
  }

  /** One directory and the values that don't fit into its entries. */
  #directory(plane: number, at: number, next: number, periodicOffsets: readonly number[]): Uint8Array {
    const { image, big, resolution, description, periodic = [] } = this.#recipe;
    const [, , , height, width] = image.shape;
    const first = plane === 0;
    const text = first && description !== '' ? Buffer.from(`${description}\0`, 'utf8') : undefined;
    const entryCount =
      12 + (text === undefined ? 0 : 1) + (resolution === undefined ? 0 : 3) + (first ? periodic.length : 0);
    const entrySize = big ? 20 : 12;
    const valuesAt = at + (big ? 8 : 2) + entryCount * entrySize + (big ? 8 : 4);
    const values: Uint8Array[] = [];
    let valuesBytes = 0;
    const inline = big ? 8 : 4;
    /** Value of an entry whose bytes may be too long to stand in it. */
    const place = (bytes: Uint8Array): bigint => {
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
      return place(bytes);
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
    if (text !== undefined) entries.push({ tag: 270, type: 2, count: text.length, value: place(text) });
    entries.push(
      { tag: 273, type: wide, count: 1, value: BigInt((this.#pixelsOffset ?? 0) + plane * this.#planeBytes) },
      { tag: 277, type: SHORT, count: 1, value: 1n },
      { tag: 278, type: LONG, count: 1, value: BigInt(height) },
      { tag: 279, type: wide, count: 1, value: BigInt(this.#planeBytes) },
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
    entries.push({ tag: 339, type: SHORT, count: 1, value: BigInt(SAMPLE_FORMATS[image.dtype] ?? 1) });
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
}
