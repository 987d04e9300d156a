import type { Downsampling } from '../core/downsample.ts';
import type { Dtype } from '../core/nd-array.ts';
import type { ArrayShape } from '../model/ngff.ts';
import { halvedExtent, halvedShapes, MAX_LEVELS } from '../model/ngff-levels.ts';
import type { StoredArray } from './array-format.ts';
import { isLabel } from './label-images.ts';

/** The resolutions of an image of the store. They never change as long as the image is there. */
export interface ImageLevels {
  /** Of the array `0`, which has the full resolution, and those below it: `1`, `2` … */
  readonly count: number;
  /** How each is made of the one before it. */
  readonly downsampling: Downsampling;
}

/** `auto`: until both extents of the last level are small. */
export function levelCount(levels: number | 'auto', shape: ArrayShape): number {
  const [, , , height, width] = shape;
  // A level of one pixel is the last.
  const most = Math.ceil(Math.log2(Math.max(height, width, 1))) + 1;
  return levels === 'auto' ? halvedShapes(shape).length : Math.min(levels, most, MAX_LEVELS);
}

/** Of labels the first pixel: no mean makes sense of them. */
export const downsamplingOf = (mountPath: string, dtype: Dtype): Downsampling =>
  isLabel(mountPath, dtype) ? 'nearest' : 'mean';

/** Array of a level of an image. */
export function levelArray({ shape, dtype, format }: StoredArray, level: number): StoredArray {
  let [t, c, z, height, width] = shape;
  for (let step = 0; step < level; step++) {
    height = halvedExtent(height);
    width = halvedExtent(width);
  }
  return { shape: [t, c, z, height, width], dtype, format };
}

/** By how much the pixels of a level are larger than those of the first. */
export const levelFactors = (level: number): ArrayShape => [1, 1, 1, 2 ** level, 2 ** level];
