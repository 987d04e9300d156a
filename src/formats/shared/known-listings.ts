import { gridOf } from '../../model/chunk-grid.ts';
import type { PlateIndex } from '../../model/plate-index.ts';
import { childDirectories, nameAt } from '../../model/plate-lookup.ts';
import { isSettled } from '../../model/settled-directory.ts';
import type { DirectoryListing } from './plate-walk.ts';

/** Entries that an index doesn't hold: a directory with such can't be told from the index alone. */
const UNHELD = new Set(['unreadable-name', 'special-file', 'unreadable-folder', 'link-out-of-plate']);

/**
 * Listings of directories as an index remembers them. A directory whose entries came, went or were renamed has
 * another mtime; one that was changed within a tick of the clock before it was read is read again.
 */
export class KnownListings {
  readonly #index: PlateIndex;
  readonly #numbers: ReadonlyMap<string, number>;

  private constructor(index: PlateIndex, numbers: ReadonlyMap<string, number>) {
    this.#index = index;
    this.#numbers = numbers;
  }

  /** Undefined where the index doesn't hold all that was in the directories. */
  static of(index: PlateIndex): KnownListings | undefined {
    if (index.warnings.some(({ kind }) => UNHELD.has(kind))) return undefined;
    const { directories } = index;
    const paths: string[] = [''];
    const numbers = new Map([['', 0]]);
    for (let i = 1; i < directories.count; i += 1) {
      const above = paths[directories.parents[i] ?? 0] ?? '';
      const name = nameAt(directories.names, i);
      const path = above === '' ? name : `${above}/${name}`;
      paths.push(path);
      numbers.set(path, i);
    }
    return new KnownListings(index, numbers);
  }

  /** What the directory held, when it is still the one that was read; sorted. */
  listing(path: string, mtimeMs: number, inode: bigint): DirectoryListing | undefined {
    const number = this.#numbers.get(path);
    // What is left out of an index has to be read again.
    if (number === undefined || gridOf(this.#index.chunkFolders, number)) return undefined;
    const { directories, files } = this.#index;
    if (directories.mtimeMs[number] !== mtimeMs || directories.inodes[number] !== inode) return undefined;
    if (!isSettled(mtimeMs, this.#index.indexedAtMs)) return undefined;
    const children = childDirectories(this.#index, number);
    const listing: DirectoryListing = {
      files: [],
      directories: [],
      undecodable: [],
      special: [],
      escaping: [],
    };
    for (let i = children.first; i < children.end; i += 1)
      listing.directories.push(nameAt(directories.names, i));
    const end = directories.firstFile[number + 1] ?? 0;
    for (let i = directories.firstFile[number] ?? 0; i < end; i += 1)
      listing.files.push(nameAt(files.names, i));
    return listing;
  }
}
