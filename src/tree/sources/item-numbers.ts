import type { IndexedSource } from '../../model/indexed-source.ts';
import type { NgffVersion } from '../../model/ngff.ts';
import { SourceImageZarr } from '../ngff/source-image.ts';
import { itemVersion } from './item-versions.ts';

/**
 * Permanent numbers of the files that are made of sources. A file keeps its number as long as it is there and its
 * source has not changed; what is new gets new numbers. Pixels of a store keep theirs while chunks are written: a read
 * that meets one which changed is refused by itself. Plain data.
 */
export interface ItemNumbers {
  /** Numbers given so far: every number is below. */
  readonly next: number;
  /** First number by {@link itemKey}; a family has one per member. */
  readonly first: ReadonlyMap<string, number>;
}

/** Names a file of a source, at a path in the mount and in one version of what it is made of. */
export const itemKey = (source: IndexedSource, { path, item }: { path: string; item: number }): string =>
  `${itemVersion(source, item)}\0${source.name}\0${path}`;

/** An image of a source as OME-Zarr. */
export function sourceZarr(
  { catalog }: IndexedSource,
  item: number,
  version: NgffVersion,
): SourceImageZarr | undefined {
  const found = catalog.items[item];
  return found?.kind === 'image' ? new SourceImageZarr(found, version) : undefined;
}

/** Numbers the files of some sources, as they were numbered before where they are the same. An OME-Zarr has
 * as many numbers as it has files and folders. */
export function numberItems(
  sources: readonly IndexedSource[],
  version: NgffVersion,
  before?: ItemNumbers,
): ItemNumbers {
  const first = new Map<string, number>();
  let next = before?.next ?? 0;
  const give = (key: string, count: number): void => {
    const known = before?.first.get(key);
    first.set(key, known ?? next);
    if (known === undefined) next += count;
  };
  for (const source of sources) {
    for (const file of source.files) give(itemKey(source, file), 1);
    for (const shown of source.zarrs) {
      const zarr = sourceZarr(source, shown.item, version);
      if (zarr) give(itemKey(source, shown), zarr.entryCount);
    }
    for (const family of source.families) give(itemKey(source, family), family.members.length);
  }
  return { next, first };
}
