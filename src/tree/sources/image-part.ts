import type { Region } from '../../core/region.ts';
import type { ImageInfo } from '../../model/image.ts';
import type { ImagePart } from '../../model/image-parts.ts';

/** The image that a file with a part of another one holds. */
export function partOf(image: ImageInfo, part: ImagePart | undefined): ImageInfo {
  if (!part) return image;
  const { t, c, z, suffix } = part;
  const [, , , height, width] = image.shape;
  return {
    ...image,
    name: image.name + suffix,
    shape: [t.count, c.count, z.count, height, width],
    channels: image.channels.slice(c.first, c.first + c.count),
  };
}

/** Where a region of a part lies in the whole image. */
export function inWhole({ start, shape }: Region, part: ImagePart | undefined): Region {
  if (!part) return { start, shape };
  const [t = 0, c = 0, z = 0, ...rest] = start;
  return { start: [t + part.t.first, c + part.c.first, z + part.z.first, ...rest], shape };
}
