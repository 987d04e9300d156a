import { type Dirent, opendirSync, realpathSync, statSync } from 'node:fs';
import { UnreadableSourceError } from '../core/errors.ts';
import { systemCode } from '../core/system-code.ts';
import { isPlainKey, MAX_LISTED, type StoreListing, type ZarrStore } from './store.ts';
import { ChunkFile, isWithin, type OpenBytes } from './stored-bytes.ts';

/** A store in a local folder. Symbolic links are followed as long as they stay inside `root`, and in no circle. */
export class FolderStore implements ZarrStore {
  readonly location: string;
  readonly isRemote = false;
  readonly #realRoot: string;

  /** @throws UnreadableSourceError when there is no such folder, or it is a link that leads out of `root`. */
  constructor(folder: string, root: string) {
    this.location = folder;
    try {
      this.#realRoot = realpathSync(root);
      if (!statSync(folder).isDirectory()) throw new UnreadableSourceError(folder, 'is not a folder');
    } catch (cause) {
      if (cause instanceof UnreadableSourceError) throw cause;
      throw new UnreadableSourceError(folder, 'opening failed', { cause });
    }
    if (!isWithin(realpathSync(folder), this.#realRoot))
      throw new UnreadableSourceError(folder, `is a link that leads out of ${root}`, {
        advice: 'mount the folder that it names',
      });
  }

  pathOf(key: string): string {
    return key === '' ? this.location : `${this.location}/${key}`;
  }

  open(keys: readonly string[]): OpenBytes | undefined {
    const paths = keys.filter((key) => isPlainKey(key)).map((key) => this.pathOf(key));
    try {
      return ChunkFile.open(paths, this.#realRoot);
    } catch (error) {
      // A file stands where a folder would be: then the key is not there.
      const cause = error instanceof UnreadableSourceError ? error.cause : undefined;
      if (systemCode(cause) === 'ENOTDIR') return undefined;
      throw error;
    }
  }

  list(folder: string): StoreListing | undefined {
    if (folder !== '' && !isPlainKey(folder)) return undefined;
    const path = this.pathOf(folder);
    const folders: string[] = [];
    const refused: { name: string; reason: string }[] = [];
    let isCut = false;
    try {
      if (!isWithin(realpathSync(path), this.#realRoot)) return undefined;
      using directory = opendirSync(path);
      for (let entry = directory.readSync(); entry; entry = directory.readSync()) {
        if (folders.length >= MAX_LISTED) {
          isCut = true;
          break;
        }
        const kind = entry.isSymbolicLink()
          ? this.#linkKind(folder, entry)
          : entry.isDirectory()
            ? 'folder'
            : undefined;
        if (kind === 'folder') folders.push(entry.name);
        else if (typeof kind === 'object') refused.push({ name: entry.name, reason: kind.refused });
      }
    } catch (cause) {
      const code = systemCode(cause);
      if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ELOOP') return undefined;
      throw new UnreadableSourceError(path, 'listing failed', { cause });
    }
    return { folders: folders.sort(), refused, isCut };
  }

  /** Whether a link leads to a folder, or why it can't be followed. */
  #linkKind(folder: string, { name }: Dirent): 'folder' | { readonly refused: string } | undefined {
    const path = `${this.pathOf(folder)}/${name}`;
    let real: string;
    try {
      real = realpathSync(path);
      if (!isWithin(real, this.#realRoot))
        return { refused: 'is a link that leads out of the mounted folder' };
      if (!statSync(real).isDirectory()) return undefined;
    } catch (error) {
      if (systemCode(error) === 'ELOOP') return { refused: 'is a circle of links' };
      if (systemCode(error) === 'ENOENT') return undefined;
      return { refused: `is a link that can't be followed (${systemCode(error)})` };
    }
    return this.#isAbove(folder, real) ? { refused: 'is a link to a folder that holds it' } : 'folder';
  }

  /** Whether one of the folders on the way to `folder`, or itself, is `real` or lies in it. */
  #isAbove(folder: string, real: string): boolean {
    const names = folder === '' ? [] : folder.split('/');
    for (let depth = 0; depth <= names.length; depth++)
      if (isWithin(realpathSync(this.pathOf(names.slice(0, depth).join('/'))), real)) return true;
    return false;
  }

  [Symbol.dispose](): void {
    // Files are opened when they are read.
  }
}
