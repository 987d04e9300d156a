import type { Region } from '../../core/region.ts';
import type { ImageInfo } from '../../model/image.ts';
import type { CatalogFile } from '../../model/indexed-source.ts';
import type { ImageItem } from '../../sources.ts';

/** What of an image a file holds: all of it unless told otherwise. */
export type Shown = Pick<CatalogFile, 'part' | 'level'>;

/** The image that a file holds. When it was acquired is known of what begins with the whole's first plane alone. */
export function shownImage(item: ImageItem, { part, level }: Shown): ImageInfo {
  const image = level === undefined ? item.image : levelOf(item, level);
  if (!part) return image;
  const { t, c, z, suffix } = part;
  const { acquiredAtMs, ...rest } = image;
  const [, , , height, width] = image.shape;
  return {
    ...rest,
    name: image.name + suffix,
    shape: [t.count, c.count, z.count, height, width],
    channels: image.channels.slice(c.first, c.first + c.count),
    ...(acquiredAtMs === undefined || t.first + c.first + z.first > 0 ? {} : { acquiredAtMs }),
  };
}

/** An image at a lower resolution. Of its slices nobody says how far they are apart. */
function levelOf({ image, levels }: ImageItem, place: number): ImageInfo {
  const level = levels[place];
  if (!level) throw new RangeError(`${image.name} has no level ${place}`);
  const { pixelSizeUm, zSpacingUm: _, ...rest } = image;
  const [, , , height, width] = level.shape;
  const x = image.shape[4] / width;
  const y = image.shape[3] / height;
  return {
    ...rest,
    shape: level.shape,
    ...(pixelSizeUm ? { pixelSizeUm: { x: pixelSizeUm.x * x, y: pixelSizeUm.y * y } } : {}),
  };
}

/** The item whose regions a file asks for. */
export function itemOfShown(item: ImageItem, { level }: Shown): ImageItem {
  const found = level === undefined ? undefined : item.levels[level];
  if (level === undefined || !found) return item;
  const { path, chunkShape } = found;
  return { ...item, path, chunkShape, image: levelOf(item, level), levels: [] };
}

/** Where a region of a file lies in the item it is of. */
export function inWhole({ start, shape }: Region, { part }: Shown): Region {
  if (!part) return { start, shape };
  const [t = 0, c = 0, z = 0, ...rest] = start;
  return { start: [t + part.t.first, c + part.c.first, z + part.z.first, ...rest], shape };
}
