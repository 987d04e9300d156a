import type { CatalogFamily, IndexedSource } from '../../model/indexed-source.ts';
import { nameAt } from '../../model/plate-lookup.ts';
import { nameTable } from './member-names.ts';

/** A family as JSON: its names as one text, since each of many would cost more than its bytes. */
type PackedFamily = Omit<CatalogFamily, 'names' | 'members'> & {
  readonly names: string;
  readonly members: readonly number[];
};

export type PackedSource = Omit<IndexedSource, 'families'> & { readonly families: readonly PackedFamily[] };

/** No name of a file holds one. */
const SEPARATOR = '/';

/** Sources without their tables in shared memory, for a file. */
export function packSources(sources: readonly IndexedSource[]): PackedSource[] {
  return sources.map((source) => ({
    ...source,
    families: source.families.map((family) => ({
      ...family,
      names: Array.from(family.members, (_, place) => nameAt(family.names, place)).join(SEPARATOR),
      members: [...family.members],
    })),
  }));
}

export function unpackSources(packed: readonly PackedSource[]): IndexedSource[] {
  return packed.map((source) => ({
    ...source,
    families: source.families.map((family) => {
      const members = new Uint32Array(new SharedArrayBuffer(4 * family.members.length));
      members.set(family.members);
      const names = family.members.length === 0 ? [] : family.names.split(SEPARATOR);
      return { ...family, names: nameTable(names.map((name) => Buffer.from(name))), members };
    }),
  }));
}
