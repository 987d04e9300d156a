import { fullVersion, type IndexedSource } from '../../model/indexed-source.ts';
import type { NgffVersion } from '../../model/ngff.ts';
import { SourceImageZarr } from '../ngff/source-image.ts';

/**
 * Permanent numbers of the files that are made of sources. A file keeps its number as long as it is there and its
 * source has not changed; what is new gets new numbers. Plain data.
 */
export interface ItemNumbers {
  /** Numbers given so far: every number is below. */
  readonly next: number;
  /** First number by version of the source and path in the mount; a family has one per member. */
  readonly first: ReadonlyMap<string, number>;
}

export const itemKey = (source: IndexedSource, path: string): string =>
  `${fullVersion(source)}\0${source.name}\0${path}`;

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
    for (const { path } of source.files) give(itemKey(source, path), 1);
    for (const { path, item } of source.zarrs) {
      const zarr = sourceZarr(source, item, version);
      if (zarr) give(itemKey(source, path), zarr.entryCount);
    }
    for (const { path, members } of source.families) give(itemKey(source, path), members.length);
  }
  return { next, first };
}
