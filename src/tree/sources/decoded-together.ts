import type { Region } from '../../core/region.ts';
import { inWhole, itemOfShown } from './image-part.ts';
import type { ItemNode } from './source-node.ts';

/**
 * Names the planes that are decoded together with a region of a file: those that share its chunks, in whatever file of
 * the source they are shown. Undefined where chunks hold no more than one plane, and of what is no image.
 */
export function decodedTogether({ source, file }: ItemNode, region: Region): string | undefined {
  const item = source.catalog.items[file.item];
  if (item?.kind !== 'image') return undefined;
  const { path, chunkShape } = itemOfShown(item, file);
  const planes = chunkShape.slice(0, 3);
  if (planes.every((extent) => extent === 1)) return undefined;
  const { start } = inWhole(region, file);
  const place = planes.map((extent, axis) => Math.floor((start[axis] ?? 0) / extent));
  return `${source.path}\0${path}\0${place}`;
}
