import { FsRefusal } from '../../core/errors.ts';
import { allocate, bytesOf, type Dtype } from '../../core/nd-array.ts';
import type { Region } from '../../core/region.ts';
import type { FileLayout, PixelReader, Segment } from '../../encoders.ts';
import type { ImageInfo } from '../../model/image.ts';
import {
  alignUp,
  type PeriodicTag,
  planeBytesOf,
  type Rational,
  SAMPLE_FORMATS,
  type TiffRecipe,
  tiffDirectory,
} from './tiff-directory.ts';

/** Pixels start on a page of memory, so that readers can map them. */
const PIXEL_ALIGNMENT_BYTES = 4096;
/** Directories handed out as one segment. */
const DIRECTORIES_PER_SEGMENT = 64;
/** Bytes of a periodic tag handed out as one segment. */
const PERIODIC_SEGMENT_BYTES = 64 * 1024;
const STRIP_OFFSETS = 273;
/** Field type of the resolution tags. */
const RATIONAL = 5;
/** Offsets of classic TIFF are 32 bits. */
export const CLASSIC_LIMIT_BYTES = 2 ** 32;

/** Planes of an image: t × c × z. */
export function planeCount(image: ImageInfo): number {
  const [t, c, z] = image.shape;
  return t * c * z;
}

/** Planes of one file: each has a directory or a name, and no program opens more. */
const MOST_PLANES = 2 ** 22;

/** @throws FsRefusal `not-supported` for an image of more planes than can be told of one by one. */
export function checkPlaneCount(image: ImageInfo): void {
  const planes = planeCount(image);
  if (planes > MOST_PLANES)
    throw new FsRefusal('not-supported', `${image.name}: ${planes} planes are too many for a TIFF`, {
      advice: 'read it as OME-Zarr or .npy instead',
    });
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
 * @param umPerUnit micrometres in the file's unit: 1 for µm, 10,000 for cm.
 * @throws FsRefusal `not-supported` when it is no size, or none that two 32-bit integers can say.
 */
export function pixelsPerUnit(pixelSizeUm: number, umPerUnit: number): Rational {
  let best: Rational | undefined;
  if (!(pixelSizeUm > 0 && pixelSizeUm < Number.POSITIVE_INFINITY)) {
    throw new FsRefusal('not-supported', `${pixelSizeUm} µm is no pixel size`);
  }
  for (let exponent = 0; exponent <= 9; exponent++) {
    const scale = 10 ** exponent;
    const numerator = umPerUnit * scale;
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

type ConvertedPlane = (region: Region) => (read: PixelReader) => Uint8Array;

/** Planes of another pixel type than the source's. */
function convertedPlane(from: Dtype, to: Dtype): ConvertedPlane {
  return (region) => (read) => {
    const stored = allocate(from, region.shape);
    read(region, bytesOf(stored));
    const shown = allocate(to, region.shape);
    for (let i = 0; i < shown.data.length; i += 1) shown.data[i] = Number(stored.data[i]);
    return bytesOf(shown);
  };
}

/** The byte of a tag's values at a place below its size. */
function periodicByte({ head, unit, tail, sizeBytes }: PeriodicTag, at: number): number {
  if (at < head.length) return head[at] ?? 0;
  const tailAt = sizeBytes - tail.length;
  return (at < tailAt ? unit[(at - head.length) % unit.length] : tail[at - tailAt]) ?? 0;
}

/**
 * The one TIFF layout that tifffile (also as memory map), libtiff, vips, ImageMagick, Pillow and ImageJ open:
 * little-endian, all directories first, then the pixels with one strip per plane, c fastest, then z, then t
 * (ImageJ's XYCZT). Its size is arithmetic; directories are records of one size, made when they are read.
 * @throws FsRefusal `not-supported` when a TIFF can't hold the image.
 */
export class TiffLayout implements FileLayout {
  readonly sizeBytes: number;
  readonly shownDtype?: Dtype;
  readonly #recipe: TiffRecipe;
  readonly #planes: number;
  /** Directories behind the first. */
  readonly #records: number;
  readonly #planeBytes: number;
  /** Set where the file holds another pixel type than the source. */
  readonly #converted: ConvertedPlane | undefined;
  #front: Uint8Array | undefined;
  /** A directory of a later plane with offsets still to be filled in. */
  #template: Uint8Array | undefined;
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
    this.#records = recipe.hasOneDirectory ? 0 : this.#planes - 1;
    if (recipe.sourceDtype !== undefined) this.shownDtype = image.dtype;
    this.#converted = recipe.sourceDtype && convertedPlane(recipe.sourceDtype, image.dtype);
    this.#planeBytes = planeBytesOf(image);
    this.#firstOffset = big ? 16 : 8;
    const nowhere = { at: 0, next: 0, pixelsOffset: 0, periodicOffsets: [] };
    this.#recordBytes = tiffDirectory(recipe, { ...nowhere, plane: 1 }).length;
    this.#recordsOffset = this.#firstOffset + tiffDirectory(recipe, { ...nowhere, plane: 0 }).length;
    let at = this.#recordsOffset + this.#records * this.#recordBytes;
    const periodicOffsets: number[] = [];
    for (const tag of recipe.periodic ?? []) {
      periodicOffsets.push(at);
      at = alignUp(at + tag.sizeBytes, 2);
    }
    this.#periodicOffsets = periodicOffsets;
    this.#headerEnd = at;
    this.#pixelsOffset = alignUp(at, PIXEL_ALIGNMENT_BYTES);
    this.sizeBytes = this.#pixelsOffset + this.#planes * this.#planeBytes;
    const offsetsEnd = recipe.hasOneDirectory ? this.#pixelsOffset : this.sizeBytes;
    if (!big && offsetsEnd > CLASSIC_LIMIT_BYTES - 1) {
      throw new FsRefusal(
        'not-supported',
        `${image.name}: ${this.sizeBytes} bytes are too many for a classic TIFF`,
        {
          advice: 'read it as .ome.tif or OME-Zarr instead',
        },
      );
    }
  }

  segments(offsetBytes: number, sizeBytes: number): readonly Segment[] {
    const from = Math.max(0, offsetBytes);
    const to = Math.min(this.sizeBytes, offsetBytes + sizeBytes);
    const found: Segment[] = [];
    if (from >= to) return found;
    if (from < this.#recordsOffset) {
      this.#front ??= this.#frontBytes();
      found.push({ kind: 'bytes', offsetBytes: 0, bytes: this.#front });
    }
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
    const sizeBytes = this.#planeBytes;
    return this.#converted
      ? { kind: 'derived', offsetBytes, sizeBytes, region, derive: this.#converted(region) }
      : { kind: 'pixels', offsetBytes, sizeBytes, region };
  }

  #pushDirectories(from: number, to: number, found: Segment[]): void {
    const blockBytes = this.#recordBytes * DIRECTORIES_PER_SEGMENT;
    const records = this.#records;
    if (from >= this.#recordsOffset + records * this.#recordBytes) return;
    const first = Math.max(0, Math.floor((from - this.#recordsOffset) / blockBytes));
    for (let block = first; block * DIRECTORIES_PER_SEGMENT < records; block++) {
      const offsetBytes = this.#recordsOffset + block * blockBytes;
      if (offsetBytes >= to) return;
      const count = Math.min(DIRECTORIES_PER_SEGMENT, records - block * DIRECTORIES_PER_SEGMENT);
      found.push({
        kind: 'bytes',
        offsetBytes,
        bytes: this.#laterDirectories(1 + block * DIRECTORIES_PER_SEGMENT, count),
      });
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
          bytes[i] = periodicByte(tag, at);
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
    front.set(this.#firstDirectory(), this.#firstOffset);
    return front;
  }

  /** The first directory. */
  #firstDirectory(): Uint8Array {
    const { fullDescription } = this.#recipe;
    const recipe =
      fullDescription === undefined ? this.#recipe : { ...this.#recipe, description: fullDescription() };
    return tiffDirectory(recipe, {
      plane: 0,
      at: this.#firstOffset,
      next: this.#records > 0 ? this.#recordsOffset : 0,
      pixelsOffset: this.#pixelsOffset,
      periodicOffsets: this.#periodicOffsets,
    });
  }

  /** The directories of `count` planes: copies of one, with their own offsets. */
  #laterDirectories(firstPlane: number, count: number): Uint8Array {
    const { big } = this.#recipe;
    const nowhere = { at: 0, next: 0, pixelsOffset: 0, periodicOffsets: [] };
    this.#template ??= tiffDirectory(this.#recipe, { ...nowhere, plane: 1 });
    const template = this.#template;
    const templateView = new DataView(template.buffer);
    const entryCount = big ? Number(templateView.getBigUint64(0, true)) : templateView.getUint16(0, true);
    const entrySize = big ? 20 : 12;
    const entriesAt = big ? 8 : 2;
    const nextAt = entriesAt + entryCount * entrySize;
    const bytes = new Uint8Array(count * this.#recordBytes);
    const view = new DataView(bytes.buffer);
    const put = (where: number, value: number): void => {
      if (big) view.setBigUint64(where, BigInt(value), true);
      else view.setUint32(where, value, true);
    };
    let stripAt = 0;
    const pointersAt: number[] = [];
    for (let entry = 0; entry < entryCount; entry++) {
      const at = entriesAt + entry * entrySize;
      const tag = templateView.getUint16(at, true);
      if (tag === STRIP_OFFSETS) stripAt = at + (big ? 12 : 8);
      // A RATIONAL fits into an entry of BigTIFF only.
      if (!big && templateView.getUint16(at + 2, true) === RATIONAL) pointersAt.push(at + 8);
    }
    for (let record = 0; record < count; record++) {
      const plane = firstPlane + record;
      const inBytes = record * this.#recordBytes;
      const inFile = this.#recordsOffset + (plane - 1) * this.#recordBytes;
      bytes.set(template, inBytes);
      put(inBytes + stripAt, this.#pixelsOffset + plane * this.#planeBytes);
      put(inBytes + nextAt, plane + 1 < this.#planes ? inFile + this.#recordBytes : 0);
      for (const at of pointersAt) put(inBytes + at, templateView.getUint32(at, true) + inFile);
    }
    return bytes;
  }
}
