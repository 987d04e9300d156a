import type { CatalogFamily } from '../../model/indexed-source.ts';
import type { NameTable } from '../../model/plate-index.ts';

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
