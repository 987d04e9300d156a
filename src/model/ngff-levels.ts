import type { Downsampling } from '../core/downsample.ts';
import type { ArrayShape } from './ngff.ts';

/** Both extents of the last level are no larger, unless the image has more levels than there can be. */
const SMALL_EXTENT = 256;
/** Levels that an image can have: the last of a plane of 32768² has 256². */
export const MAX_LEVELS = 8;

/** What `multiscales` says of each. */
export const DOWNSAMPLING_TEXTS: Readonly<Record<Downsampling, string>> = {
  mean: 'Each pixel is the mean of the 2 by 2 pixels of the level before it; of whole numbers, rounded half up.',
  nearest: 'Each pixel is the first of the 2 by 2 pixels of the level before it.',
};

/** The extent of the next level: an odd one's last pixel stands for one row or column. */
export const halvedExtent = (extent: number): number => Math.ceil(extent / 2);

/** The shape itself and those below it, each with half the extents, until they are small. */
export function halvedShapes(first: ArrayShape): ArrayShape[] {
  const shapes = [first];
  for (let [t, c, z, height, width] = first; shapes.length < MAX_LEVELS; ) {
    if (Math.max(height, width) <= SMALL_EXTENT) break;
    height = halvedExtent(height);
    width = halvedExtent(width);
    shapes.push([t, c, z, height, width]);
  }
  return shapes;
}
