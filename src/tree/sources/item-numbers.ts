import { fullVersion, type IndexedSource } from '../../model/indexed-source.ts';

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

/** Numbers the files of some sources, as they were numbered before where they are the same. */
export function numberItems(sources: readonly IndexedSource[], before?: ItemNumbers): ItemNumbers {
  const first = new Map<string, number>();
  let next = before?.next ?? 0;
  const give = (key: string, count: number): void => {
    const known = before?.first.get(key);
    first.set(key, known ?? next);
    if (known === undefined) next += count;
  };
  for (const source of sources) {
    for (const { path } of source.files) give(itemKey(source, path), 1);
    for (const { path, members } of source.families) give(itemKey(source, path), members.length);
  }
  return { next, first };
}
