import type { CatalogFamily } from '../../model/indexed-source.ts';
import type { NameTable } from '../../model/plate-index.ts';
import { safeName, TakenNames } from '../../model/safe-name.ts';
import type { TableFamilyItem } from '../../sources.ts';
import type { UseSource } from './table-blocks.ts';

/** Names asked for at once. */
const NAMES_PER_READ = 4096;
/** No file's name is longer. */
const MAX_NAME_BYTES = 255;

/** Names of so many members as a table in shared memory, which is filled later. */
export function emptyNames(memberCount: number): Pick<CatalogFamily, 'names' | 'members'> {
  const bytes = new SharedArrayBuffer(0, { maxByteLength: MAX_NAME_BYTES * memberCount });
  return {
    names: {
      bytes: new Uint8Array(bytes),
      starts: new Uint32Array(new SharedArrayBuffer(4 * (memberCount + 1))),
    },
    members: new Uint32Array(new SharedArrayBuffer(4 * memberCount)),
  };
}

/** Fills a table of {@link emptyNames} with names that are sorted already. */
export function fillNames({ bytes, starts }: NameTable, names: readonly Uint8Array[]): void {
  for (const [place, name] of names.entries()) starts[place + 1] = (starts[place] ?? 0) + name.length;
  (bytes.buffer as SharedArrayBuffer).grow(starts[names.length] ?? 0);
  for (const [place, name] of names.entries()) bytes.set(name, starts[place]);
}

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
