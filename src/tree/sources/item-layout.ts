import type { FileLayout } from '../../encoders.ts';
import type { CatalogEncoders } from './catalog-encoders.ts';
import { shownImage } from './image-part.ts';
import type { ItemNode } from './source-nodes.ts';

/** How a file of pixels is laid out; undefined for a file of text. */
export function itemLayout(
  { source, file, inZarr }: ItemNode,
  encoders: CatalogEncoders,
): FileLayout | undefined {
  if (inZarr) return undefined;
  const item = source.catalog.items[file.item];
  if (item?.kind === 'image') return encoders.images.get(file.encoder)?.layout(shownImage(item, file));
  if (item?.kind === 'array') return encoders.arrays.get(file.encoder)?.layout({ ...item, name: item.path });
  return undefined;
}
