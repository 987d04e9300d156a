import { CancelledError, UnsupportedTiffError } from '../../core/errors.ts';
import { elementCount, fromBytes, itemSizeBytes, type NdArray } from '../../core/nd-array.ts';
import { isInside, type Region } from '../../core/region.ts';
import { TAG } from '../../core/tiff-tags.ts';
import type { ArrayInfo, ArraySource, ByteWindow } from '../../sources.ts';
import { pageAxes } from './tiff-axes.ts';
import { readExactly } from './tiff-bytes.ts';
import { decodeBox } from './tiff-decode.ts';
import type { TiffFile } from './tiff-file.ts';
import { imagejNumber, singleDirectoryStack } from './tiff-imagej.ts';
import type { TiffPage } from './tiff-page.ts';
import { tiffPixelSizeUm } from './tiff-pixel-size.ts';
import { swapBytes } from './tiff-predictor.ts';

/**
 * Offset of a box in an array of `shape` when its items lie in one run, in items; undefined when they don't.
 */
function runOffset(region: Region, shape: readonly number[]): number | undefined {
  let offset = 0;
  let stride = 1;
  let split = false;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const extent = region.shape[axis] ?? 0;
    if (split && extent !== 1) return undefined;
    if (extent !== shape[axis]) split = true;
    offset += (region.start[axis] ?? 0) * stride;
    stride *= shape[axis] ?? 0;
  }
  return offset;
}

/** The pages of one TIFF as an array: leading axes from its text, then `yx`, `yxs` or `syx`. */
export class TiffArray implements ArraySource {
  readonly info: ArrayInfo;
  readonly chunkShape: readonly number[];
  readonly #file: TiffFile;
  readonly #first: TiffPage;
  /** Index in the file's chain of each plane in C order of the leading axes. */
  readonly #pages: readonly number[];
  readonly #leading: readonly number[];
  /** Where the planes of an ImageJ stack with a single directory begin. */
  readonly #stackOffset: number | undefined;

  /** Takes over `file`. @throws BadTiffError, UnsupportedTiffError */
  constructor(file: TiffFile) {
    const first = file.page(0);
    this.#file = file;
    this.#first = first;
    if (first.stackPlanes !== undefined && first.stackPlanes > 1 && file.pageCount() === 1) {
      throw new UnsupportedTiffError(
        file.path,
        `tag ${TAG.uic2}: a MetaMorph stack of ${first.stackPlanes} planes`,
      );
    }
    const pages = samePages(file, first);
    const description = first.description();
    this.#stackOffset = pages.length === 1 ? singleDirectoryStack(first, description) : undefined;
    const count =
      this.#stackOffset === undefined ? pages.length : (imagejNumber(description ?? '', 'images') ?? 1);
    const leading = pageAxes(description, count, first.samples);
    this.#leading = leading.shape;
    this.#pages = leading.pages === undefined ? pages : leading.pages.map((index) => pages[index] ?? 0);
    const pixelSizeUm = tiffPixelSizeUm(description, first.pixelsPerUnit());
    this.info = {
      shape: [...leading.shape, ...first.shape],
      dtype: first.dtype,
      axes: leading.axes + first.axes,
      ...(pixelSizeUm === undefined ? {} : { pixelSizeUm }),
    };
    const height = Math.min(first.segmentHeight, first.height);
    const width = Math.min(first.segmentWidth, first.width);
    const chunk =
      first.axes === 'yx'
        ? [height, width]
        : first.axes === 'yxs'
          ? [height, width, first.samples]
          : [first.samples, height, width];
    this.chunkShape = [...leading.shape.map(() => 1), ...chunk];
  }

  async read(region: Region, signal: AbortSignal): Promise<NdArray> {
    this.#check(region);
    const { dtype } = this.info;
    const bytes = new Uint8Array(elementCount(region.shape) * itemSizeBytes(dtype));
    let at = 0;
    for (const plane of this.#planes(region)) {
      if (signal.aborted) {
        throw new CancelledError(`reading ${this.#file.path} was cancelled`, { cause: signal.reason });
      }
      const box = this.#readBox(plane, region);
      bytes.set(box, at);
      at += box.length;
    }
    return fromBytes(dtype, region.shape, bytes);
  }

  window(region: Region): ByteWindow | undefined {
    this.#check(region);
    const rank = this.#leading.length;
    const inner = { start: region.start.slice(rank), shape: region.shape.slice(rank) };
    const offset = runOffset(inner, this.#first.shape);
    if (offset === undefined) return undefined;
    const itemBytes = itemSizeBytes(this.info.dtype);
    const pieceBytes = elementCount(inner.shape) * itemBytes;
    let start: number | undefined;
    let sizeBytes = 0;
    for (const plane of this.#planes(region)) {
      const planeOffset = this.#windowOffset(plane);
      if (planeOffset === undefined) return undefined;
      const at = planeOffset + offset * itemBytes;
      start ??= at;
      if (at !== start + sizeBytes) return undefined;
      sizeBytes += pieceBytes;
    }
    if (start === undefined) return undefined;
    return { path: this.#file.path, offsetBytes: start, sizeBytes };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#file[Symbol.dispose]();
  }

  #check(region: Region): void {
    if (isInside(region, this.info.shape)) return;
    throw new RangeError(
      `[${region.start}] + [${region.shape}] is not inside [${this.info.shape}] of ${this.#file.path}`,
    );
  }

  /** Positions of the planes a region touches, in C order. */
  *#planes(region: Region): Generator<number> {
    const count = elementCount(region.shape.slice(0, this.#leading.length));
    for (let index = 0; index < count; index++) {
      let rest = index;
      let plane = 0;
      let stride = 1;
      for (let axis = this.#leading.length - 1; axis >= 0; axis--) {
        const extent = region.shape[axis] ?? 1;
        plane += ((region.start[axis] ?? 0) + (rest % extent)) * stride;
        rest = Math.floor(rest / extent);
        stride *= this.#leading[axis] ?? 1;
      }
      yield plane;
    }
  }

  #pageOf(plane: number): TiffPage {
    const index = this.#pages[plane] ?? 0;
    return index === 0 ? this.#first : this.#file.page(index);
  }

  #windowOffset(plane: number): number | undefined {
    if (this.#stackOffset === undefined) return this.#pageOf(plane).window()?.offsetBytes;
    if (this.#first.window() === undefined) return undefined;
    return this.#stackOffset + plane * this.#first.sizeBytes;
  }

  #readBox(plane: number, region: Region): Uint8Array {
    const rank = this.#leading.length;
    const { axes, samples, dtype, path } = this.#first;
    const extent = (letter: string, of: readonly number[], otherwise: number): number =>
      axes.includes(letter) ? (of[rank + axes.indexOf(letter)] ?? otherwise) : otherwise;
    const box = {
      y: extent('y', region.start, 0),
      x: extent('x', region.start, 0),
      height: extent('y', region.shape, 0),
      width: extent('x', region.shape, 0),
    };
    const fromSample = extent('s', region.start, 0);
    const sampleCount = extent('s', region.shape, samples);
    let bytes: Uint8Array;
    if (elementCount(region.shape.slice(rank)) === 0) return new Uint8Array(0);
    if (this.#stackOffset === undefined) bytes = decodeBox(this.#file.fd, this.#pageOf(plane), box);
    else {
      const whole = new Uint8Array(this.#first.sizeBytes);
      readExactly(this.#file.fd, path, whole, whole.length, this.#stackOffset + plane * whole.length);
      if (!this.#first.littleEndian) swapBytes(whole, itemSizeBytes(dtype));
      bytes = cropRows(whole, this.#first, box);
    }
    if (sampleCount === samples) return bytes;
    const itemBytes = itemSizeBytes(dtype);
    if (axes === 'syx') {
      const planeBytes = box.height * box.width * itemBytes;
      return bytes.subarray(fromSample * planeBytes, (fromSample + sampleCount) * planeBytes);
    }
    const picked = new Uint8Array(box.height * box.width * sampleCount * itemBytes);
    for (let pixel = 0; pixel < box.height * box.width; pixel++) {
      const start = (pixel * samples + fromSample) * itemBytes;
      picked.set(bytes.subarray(start, start + sampleCount * itemBytes), pixel * sampleCount * itemBytes);
    }
    return picked;
  }
}

function cropRows(
  whole: Uint8Array,
  page: TiffPage,
  box: { readonly y: number; readonly x: number; readonly height: number; readonly width: number },
): Uint8Array {
  const pixelBytes = page.samples * itemSizeBytes(page.dtype);
  const target = new Uint8Array(box.height * box.width * pixelBytes);
  for (let row = 0; row < box.height; row++) {
    const start = ((box.y + row) * page.width + box.x) * pixelBytes;
    target.set(whole.subarray(start, start + box.width * pixelBytes), row * box.width * pixelBytes);
  }
  return target;
}

/**
 * Indices of the pages that make up the array: all but smaller copies of another page.
 * @throws UnsupportedTiffError when they differ in shape or dtype and so are no array.
 */
function samePages(file: TiffFile, first: TiffPage): number[] {
  const pages = [0];
  const shape = first.shape.join(' by ');
  for (let index = 1; index < file.pageCount(); index++) {
    const page = file.page(index);
    if (page.reduced && !first.reduced) continue;
    if (page.shape.join(' by ') !== shape || page.dtype !== first.dtype || page.axes !== first.axes) {
      throw new UnsupportedTiffError(
        file.path,
        `page ${index} is ${page.shape.join(' by ')} ${page.dtype}, page 0 is ${shape} ${first.dtype}`,
      );
    }
    pages.push(index);
  }
  return pages;
}
