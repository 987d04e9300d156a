import { halve, type PlanePixels } from '../../core/downsample.ts';
import { itemSizeBytes } from '../../core/nd-array.ts';
import type { Region } from '../../core/region.ts';
import type { FileLayout } from '../../encoders.ts';
import type { ByteCache } from '../../memory/byte-cache.ts';
import type { ByteWindow } from '../../sources.ts';
import { type PixelAccess, wholeKey } from '../layout-reader.ts';
import { type PartialPlane, readPlanePart } from '../plane-blocks.ts';
import { type ChunkPlace, chunkBytes, type ImagePlan } from './image-plan.ts';

/** Pixels of an image at the resolutions that its source has. */
export interface LevelAccess {
  /** Where a region of a level lies verbatim, else undefined. */
  window(level: number, region: Region): ByteWindow | undefined;
  /** As {@link PixelAccess}'s, of a region that is a whole plane. */
  parts?(level: number, region: Region): PartialPlane | 'zeros' | undefined;
  /** As {@link PixelAccess}'s. */
  version?(level: number, region: Region): string;
  /** @throws a typed error that names the file. */
  readPixels(level: number, region: Region, target: Uint8Array): void;
}

/** A chunk's file: its pixels and nothing else. */
export function chunkLayout(plan: ImagePlan, chunk: ChunkPlace): FileLayout {
  const sizeBytes = chunkBytes(plan, chunk.level);
  const { shape, chunkShape } = levelOf(plan, chunk.level);
  const [t, c, z, y, x] = [
    chunk.t,
    chunk.c,
    chunk.z,
    chunk.row * chunkShape[3],
    chunk.column * chunkShape[4],
  ];
  const extents = [1, 1, 1, Math.min(chunkShape[3], shape[3] - y), Math.min(chunkShape[4], shape[4] - x)];
  const region: Region = { start: [t, c, z, y, x], shape: extents };
  return { sizeBytes, segments: () => [{ kind: 'pixels', offsetBytes: 0, sizeBytes, region }] };
}

function levelOf({ levels }: ImagePlan, level: number): ImagePlan['levels'][number] {
  const found = levels[level];
  if (!found) throw new RangeError(`the image has ${levels.length} levels, not level ${level}`);
  return found;
}

/** The region of the full resolution that a region of a made level stands for. */
function fullRegion(plan: ImagePlan, level: number, { start, shape }: Region): Region {
  const extents = levelOf(plan, 0).shape;
  const factor = 2 ** level;
  const span = (axis: 3 | 4): readonly [start: number, length: number] => {
    const first = (start[axis] ?? 0) * factor;
    return [first, Math.min((shape[axis] ?? 0) * factor, extents[axis] - first)];
  };
  const [y, height] = span(3);
  const [x, width] = span(4);
  const [t = 0, c = 0, z = 0] = start;
  return { start: [t, c, z, y, x], shape: [1, 1, 1, height, width] };
}

/** The region of a level that the source has, of which a chunk's file is made. */
export function chunkSource(plan: ImagePlan, chunk: ChunkPlace): { level: number; region: Region } {
  const [segment] = chunkLayout(plan, chunk).segments(0, 1);
  if (segment?.kind !== 'pixels') throw new Error('a chunk has pixels');
  const isMade = chunk.level > 0 && plan.downsampling !== undefined;
  return isMade
    ? { level: 0, region: fullRegion(plan, chunk.level, segment.region) }
    : { level: chunk.level, region: segment.region };
}

/** Names a chunk's file in the cache as its reader does, so that what a client read need not be made again. */
export const chunkCacheKey = (image: string, { level, t, c, z, row, column }: ChunkPlace): string =>
  `${image}/${level}/${t}/${c}/${z}/${row}/${column}`;

/**
 * The pixels of one chunk's file: those of the source, or made of the level above it, down from the last level that
 * the source has. What is made on the way is kept, so that neighbours and further levels find it. A chunk that reaches
 * over the edge is filled up with zeros, as Zarr wants it.
 */
export class ChunkPixels implements PixelAccess {
  readonly #plan: ImagePlan;
  readonly #chunk: ChunkPlace;
  readonly #source: LevelAccess;
  readonly #cache: ByteCache;
  readonly #image: string;
  /** Of the pixels that are being read. */
  #version = '';

  /** `image` names the image in the cache. */
  constructor(plan: ImagePlan, chunk: ChunkPlace, source: LevelAccess, cache: ByteCache, image: string) {
    this.#plan = plan;
    this.#chunk = chunk;
    this.#source = source;
    this.#cache = cache;
    this.#image = image;
  }

  #isMade(level: number): boolean {
    return level > 0 && this.#plan.downsampling !== undefined;
  }

  #isWhole({ level }: ChunkPlace, region: Region): boolean {
    const { chunkShape } = levelOf(this.#plan, level);
    return chunkShape.every((extent, axis) => extent === region.shape[axis]);
  }

  window(region: Region): ByteWindow | undefined {
    return this.#isAsIs(region) ? this.#source.window(this.#chunk.level, region) : undefined;
  }

  /** Whether the file holds a region of a level that the source has, and nothing else. */
  #isAsIs(region: Region): boolean {
    return !this.#isMade(this.#chunk.level) && this.#isWhole(this.#chunk, region);
  }

  parts(region: Region): PartialPlane | 'zeros' | undefined {
    const { level } = this.#chunk;
    const isPlane = region.shape[4] === levelOf(this.#plan, level).shape[4];
    return isPlane && this.#isAsIs(region) ? this.#source.parts?.(level, region) : undefined;
  }

  version(region: Region): string {
    const { level } = this.#chunk;
    const version = this.#isMade(level)
      ? this.#source.version?.(0, fullRegion(this.#plan, level, region))
      : this.#source.version?.(level, region);
    return version ?? '';
  }

  readPixels(region: Region, target: Uint8Array): void {
    const { level } = this.#chunk;
    if (this.#isAsIs(region)) {
      this.#source.readPixels(level, region, target);
      return;
    }
    this.#version = this.version(region);
    const pixels = this.#isMade(level) ? this.#made(this.#chunk, region) : this.#read(level, region);
    if (pixels.bytes.length === target.length) target.set(pixels.bytes);
    else {
      const [, , , height, width] = levelOf(this.#plan, level).chunkShape;
      target.fill(0);
      this.#paste(pixels, 0, 0, { height, width, bytes: target });
    }
  }

  /** Pixels of a level that the source has; taken from the cache where they are a chunk that was read. */
  #read(level: number, region: Region): PlanePixels {
    const [t = 0, c = 0, z = 0, y = 0, x = 0] = region.start;
    const [, , , height = 0, width = 0] = region.shape;
    const { shape, chunkShape } = levelOf(this.#plan, level);
    const chunk = { level, t, c, z, row: y / chunkShape[3], column: x / chunkShape[4] };
    if (this.#isWhole(chunk, region) && Number.isInteger(chunk.row) && Number.isInteger(chunk.column)) {
      const known = this.#cache.get(this.#fileKey(chunk));
      if (known) return { height, width, bytes: known };
    }
    const bytes = new Uint8Array(height * width * itemSizeBytes(this.#plan.image.dtype));
    const parts = width === shape[4] ? this.#source.parts?.(level, region) : undefined;
    if (parts && parts !== 'zeros') readPlanePart(parts, this.#cache, 0, bytes);
    else this.#source.readPixels(level, region, bytes);
    return { height, width, bytes };
  }

  /** What the file of a chunk holds in the cache, where its reader kept it. */
  #fileKey(chunk: ChunkPlace): string {
    return wholeKey(chunkCacheKey(this.#image, chunk), this.#version, 0);
  }

  /** A chunk of a made level, without what reaches over the edge. */
  #made(chunk: ChunkPlace, region: Region): PlanePixels {
    const [, , , height = 0, width = 0] = region.shape;
    const key = this.#isWhole(chunk, region) ? this.#fileKey(chunk) : `${this.#fileKey(chunk)}\0part`;
    const known = this.#cache.get(key);
    if (known) return { height, width, bytes: known };
    const { image, downsampling = 'mean' } = this.#plan;
    const half = halve(this.#above(chunk.level - 1, region), image.dtype, downsampling);
    this.#cache.set(key, half.bytes);
    return half;
  }

  /** The pixels of a level that a region of the next one is made of. */
  #above(level: number, { start, shape }: Region): PlanePixels {
    const planned = levelOf(this.#plan, level);
    const [t = 0, c = 0, z = 0, y = 0, x = 0] = start;
    const top = 2 * y;
    const left = 2 * x;
    const height = Math.min(2 * (shape[3] ?? 0), planned.shape[3] - top);
    const width = Math.min(2 * (shape[4] ?? 0), planned.shape[4] - left);
    if (!this.#isMade(level))
      return this.#read(level, { start: [t, c, z, top, left], shape: [1, 1, 1, height, width] });
    const [, , , chunkHeight, chunkWidth] = planned.chunkShape;
    if (chunkHeight >= planned.shape[3] && chunkWidth >= planned.shape[4])
      return this.#chunkAt(level, t, c, z, 0, 0);
    const bytes = new Uint8Array(height * width * itemSizeBytes(this.#plan.image.dtype));
    for (let row = Math.floor(top / chunkHeight); row * chunkHeight < top + height; row += 1)
      for (let column = Math.floor(left / chunkWidth); column * chunkWidth < left + width; column += 1) {
        const part = this.#chunkAt(level, t, c, z, row, column);
        this.#paste(part, row * chunkHeight - top, column * chunkWidth - left, { height, width, bytes });
      }
    return { height, width, bytes };
  }

  #chunkAt(level: number, t: number, c: number, z: number, row: number, column: number): PlanePixels {
    const chunk = { level, t, c, z, row, column };
    const [segment] = chunkLayout(this.#plan, chunk).segments(0, 1);
    if (segment?.kind !== 'pixels') throw new Error('a chunk has pixels');
    return this.#made(chunk, segment.region);
  }

  /** Copies what of a part lies within another one, at whose (y, x) it begins. */
  #paste(part: PlanePixels, y: number, x: number, into: PlanePixels): void {
    const item = itemSizeBytes(this.#plan.image.dtype);
    const firstColumn = Math.max(0, -x);
    const endColumn = Math.min(part.width, into.width - x);
    for (let row = Math.max(0, -y); row < part.height && y + row < into.height; row += 1)
      into.bytes.set(
        part.bytes.subarray((row * part.width + firstColumn) * item, (row * part.width + endColumn) * item),
        ((y + row) * into.width + x + firstColumn) * item,
      );
  }
}
