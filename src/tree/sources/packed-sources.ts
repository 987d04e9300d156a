import type { CatalogFamily, CatalogFile, IndexedSource } from '../../model/indexed-source.ts';
import { isMeasured } from '../../model/indexed-source.ts';
import { nameAt } from '../../model/plate-lookup.ts';
import { emptyNames, fillNames } from './member-names.ts';

/** A file without its shared memory: of what is not measured yet only how much it needs. */
type Packed<T extends CatalogFile> = Omit<T, 'rowOffsets' | 'known' | 'names' | 'members'> & {
  readonly isKnown?: boolean;
  readonly rowOffsets?: number | readonly number[];
};

/** A family as JSON: its names as one text, since each of many would cost more than its bytes. */
type PackedFamily = Packed<CatalogFamily> & {
  readonly names: string;
  readonly members: number | readonly number[];
};

export type PackedSource = Omit<IndexedSource, 'files' | 'families'> & {
  readonly files: readonly Packed<CatalogFile>[];
  readonly families: readonly PackedFamily[];
};

/** No name of a file holds one. */
const SEPARATOR = '/';

function packFile<T extends CatalogFile>({ known, rowOffsets, ...file }: T) {
  const isKnown = isMeasured({ ...(known ? { known } : {}) });
  return {
    ...file,
    ...(known ? { isKnown } : {}),
    ...(rowOffsets ? { rowOffsets: isKnown ? [...rowOffsets] : rowOffsets.length } : {}),
  };
}

function unpackFile<T extends Packed<CatalogFile>>({ isKnown, rowOffsets, ...file }: T) {
  return {
    ...file,
    ...(rowOffsets === undefined ? {} : { rowOffsets: sharedOffsets(rowOffsets) }),
    ...(isKnown === undefined
      ? {}
      : { known: new Int32Array(new SharedArrayBuffer(4)).fill(isKnown ? 1 : 0) }),
  };
}

function sharedOffsets(packed: number | readonly number[]): Float64Array {
  const length = typeof packed === 'number' ? packed : packed.length;
  const offsets = new Float64Array(new SharedArrayBuffer(8 * length));
  if (typeof packed !== 'number') offsets.set(packed);
  return offsets;
}

/** Sources without their tables in shared memory, for a file. */
export function packSources(sources: readonly IndexedSource[]): PackedSource[] {
  return sources.map((source) => ({
    ...source,
    files: source.files.map(packFile),
    families: source.families.map(({ names, members, ...family }) => ({
      ...packFile(family),
      names: isMeasured(family)
        ? Array.from(members, (_, place) => nameAt(names, place)).join(SEPARATOR)
        : '',
      members: isMeasured(family) ? [...members] : members.length,
    })),
  }));
}

export function unpackSources(packed: readonly PackedSource[]): IndexedSource[] {
  return packed.map((source) => ({
    ...source,
    files: source.files.map(unpackFile),
    families: source.families.map(({ names, members, ...family }) => {
      const table = emptyNames(typeof members === 'number' ? members : members.length);
      if (typeof members !== 'number' && members.length > 0) {
        table.members.set(members);
        fillNames(
          table.names,
          names.split(SEPARATOR).map((name) => Buffer.from(name)),
        );
      }
      return { ...unpackFile(family), ...table };
    }),
  }));
}
