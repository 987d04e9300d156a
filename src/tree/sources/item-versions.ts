import { hash } from 'node:crypto';
import { fullVersion, type IndexedSource } from '../../model/indexed-source.ts';
import type { SourceCatalog } from '../../sources.ts';
import type { StoreDocuments } from './store-documents.ts';

/**
 * What tells pixels of a store from those that it held under another description, by item: what the catalog says of
 * them, and the documents that it says that by. Chunks play no part, at which readers look whenever they read them;
 * undefined of everything else, whose size, rows or bytes follow from chunks.
 */
export function itemVersions(catalog: SourceCatalog, documents: StoreDocuments): (string | undefined)[] {
  const { items, hasChunkFiles, annDataGroups = [] } = catalog;
  const isOfChunks = (path: string): boolean =>
    hasChunkFiles === true && !annDataGroups.some((group) => path.startsWith(`${group}/`));
  return items.map((item) =>
    (item.kind === 'image' || item.kind === 'array') && isOfChunks(item.path)
      ? hash('sha256', `${JSON.stringify(item)} ${documents.versionAt(item.path)}`).slice(0, 32)
      : undefined,
  );
}

/** Differs as soon as a file that shows an item may hold anything but other pixels: then it is another file. */
export const itemVersion = (source: IndexedSource, item: number): string =>
  source.itemVersions?.[item] ?? fullVersion(source);
