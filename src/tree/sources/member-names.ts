import type { CatalogFamily } from '../../model/indexed-source.ts';
import type { NameTable } from '../../model/plate-index.ts';
import { safeName, TakenNames } from '../../model/safe-name.ts';
import type { OpenSource, TableFamilyItem } from '../../sources.ts';

/** Names asked for at once. */
const NAMES_PER_READ = 4096;

/** Names, sorted already, as a table in shared memory. */
export function nameTable(names: readonly Uint8Array[]): NameTable {
  const starts = new Uint32Array(new SharedArrayBuffer(4 * (names.length + 1)));
  for (const [place, name] of names.entries()) starts[place + 1] = (starts[place] ?? 0) + name.length;
  const bytes = new Uint8Array(new SharedArrayBuffer(starts[names.length] ?? 0));
  for (const [place, name] of names.entries()) bytes.set(name, starts[place]);
  return { bytes, starts };
}

/** File names of a family's members, without extension, and whose they are. @throws what the source throws. */
export function memberNames(
  { path, memberCount }: TableFamilyItem,
  source: OpenSource,
): Pick<CatalogFamily, 'names' | 'members'> {
  const taken = new TakenNames();
  const named: { readonly name: Buffer; readonly member: number }[] = [];
  for (let first = 0; first < memberCount; first += NAMES_PER_READ) {
    const raw = source.memberNames(path, first, Math.min(NAMES_PER_READ, memberCount - first));
    for (const [place, name] of raw.entries())
      named.push({ name: Buffer.from(taken.take(safeName(name), [''])), member: first + place });
  }
  named.sort((a, b) => Buffer.compare(a.name, b.name));
  const members = new Uint32Array(new SharedArrayBuffer(4 * named.length));
  for (const [place, { member }] of named.entries()) members[place] = member;
  return { names: nameTable(named.map(({ name }) => name)), members };
}
