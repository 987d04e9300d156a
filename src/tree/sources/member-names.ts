import type { CatalogFamily } from '../../model/indexed-source.ts';
import { safeName, TakenNames } from '../../model/safe-name.ts';
import type { TableFamilyItem } from '../../sources.ts';
import { fillNames } from './name-table.ts';
import type { UseSource } from './table-blocks.ts';

/** Names asked for at once. */
const NAMES_PER_READ = 4096;

/**
 * Finds out file names of a family's members, without extension, and whose they are, a little per step.
 * @throws what the source throws.
 */
export function* nameMembers(
  { path, memberCount }: TableFamilyItem,
  { names, members }: Pick<CatalogFamily, 'names' | 'members'>,
  use: UseSource,
): Generator<void> {
  const taken = new TakenNames();
  const named: { readonly name: Buffer; readonly member: number }[] = [];
  for (let first = 0; first < memberCount; first += NAMES_PER_READ) {
    const count = Math.min(NAMES_PER_READ, memberCount - first);
    const raw = use((source) => source.memberNames(path, first, count));
    for (const [place, name] of raw.entries())
      named.push({ name: Buffer.from(taken.take(safeName(name), [''])), member: first + place });
    yield;
  }
  named.sort((a, b) => Buffer.compare(a.name, b.name));
  for (const [place, { member }] of named.entries()) members[place] = member;
  fillNames(
    names,
    named.map(({ name }) => name),
  );
}
