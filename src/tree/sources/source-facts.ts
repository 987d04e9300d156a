import type { IndexedSource } from '../../model/indexed-source.ts';
import type { ItemNode } from './source-node.ts';

/** Adds what is known of a source, or of a file it is shown as. */
export function addSourceFacts(
  { path, driver, catalog }: IndexedSource,
  node: ItemNode | undefined,
  facts: Map<string, string>,
): void {
  facts.set('source', path);
  facts.set('format', driver);
  facts.set('title', catalog.title);
  const item = node && catalog.items[node.file.item];
  if (!item) return;
  facts.set('item', item.path);
  switch (item.kind) {
    case 'image': {
      const { shape, dtype, pixelSizeUm, zSpacingUm } = item.image;
      facts.set('shape', shape.join(' '));
      facts.set('dtype', dtype);
      if (pixelSizeUm) facts.set('pixel-size-um', `${pixelSizeUm.x} ${pixelSizeUm.y}`);
      if (zSpacingUm !== undefined) facts.set('z-spacing-um', String(zSpacingUm));
      return;
    }
    case 'array':
    case 'sparse':
      facts.set('shape', item.shape.join(' '));
      facts.set('dtype', item.dtype);
      return;
    case 'table':
    case 'family':
      facts.set('rows', String(item.rowCount));
      facts.set('columns', String(item.columns.length));
      return;
    case 'text':
      return;
  }
}
