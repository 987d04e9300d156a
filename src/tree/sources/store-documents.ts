import { hash } from 'node:crypto';
import type { PlateIndex } from '../../model/plate-index.ts';
import { childDirectoryByName, nameAt } from '../../model/plate-lookup.ts';

const checksum = (parts: readonly (string | number | bigint)[]): string =>
  hash('sha256', parts.join(' ')).slice(0, 32);

/**
 * The documents of a store of several files, as an index found them: by them the store, and each part of it, is told
 * from its later versions. An index lists no chunks.
 */
export class StoreDocuments {
  /** Another one as soon as anything in the store may be: a document, or what lies in a folder. */
  readonly version: string;
  /** The latest time of change of its folders and documents. */
  readonly mtimeMs: number;
  readonly #index: PlateIndex;
  readonly #root: number;
  readonly #evidence: ReadonlySet<number>;
  /** Of folders in which or below which there are documents: a checksum of all of these. */
  readonly #below = new Map<number, string>();

  /** @param directory the store's, among those of the index. */
  constructor(index: PlateIndex, directory: number) {
    this.#index = index;
    this.#root = directory;
    this.#evidence = new Set(index.evidenceFiles);
    const { directories } = index;
    const within = [directory];
    const seen = new Set(within);
    // Folders stand behind those that they lie in.
    for (let i = directory + 1; i < directories.count; i += 1) {
      if (!seen.has(directories.parents[i] ?? 0)) continue;
      seen.add(i);
      within.push(i);
    }
    const parts: (string | number)[] = [];
    let latestMs = 0;
    for (const folder of within) {
      const documents = this.#documentsIn(folder);
      const mtimeMs = directories.mtimeMs[folder] ?? 0;
      latestMs = Math.max(latestMs, mtimeMs, ...documents.map((document) => document.mtimeMs));
      parts.push(String(directories.inodes[folder] ?? 0n), mtimeMs, ...documents.map(told));
    }
    this.version = checksum(parts);
    this.mtimeMs = latestMs;
    this.#sumUp(within);
  }

  /** From the innermost folders outwards. */
  #sumUp(within: readonly number[]): void {
    const { directories } = this.#index;
    const children = new Map<number, string[]>();
    for (const folder of within.toReversed()) {
      const documents = this.#documentsIn(folder);
      const below = children.get(folder) ?? [];
      if (documents.length === 0 && below.length === 0) continue;
      const inode = directories.inodes[folder] ?? 0n;
      const sum = checksum([inode, ...documents.map(told), ...below]);
      this.#below.set(folder, sum);
      if (folder === this.#root) continue;
      const parent = directories.parents[folder] ?? 0;
      const siblings = children.get(parent) ?? [];
      siblings.push(`${nameAt(directories.names, folder)}/${sum}`);
      children.set(parent, siblings);
    }
  }

  #documentsIn(folder: number): Document[] {
    const { directories, files } = this.#index;
    const documents: Document[] = [];
    const end = directories.firstFile[folder + 1] ?? 0;
    for (let file = directories.firstFile[folder] ?? 0; file < end; file += 1)
      if (this.#evidence.has(file))
        documents.push({
          name: nameAt(files.names, file),
          sizeBytes: files.sizeBytes[file] ?? 0,
          mtimeMs: files.mtimeMs[file] ?? 0,
        });
    return documents;
  }

  /**
   * Another one as soon as a document changes that describes what lies at a path of the store: one of its own or below
   * it, or of a group that it lies in. Chunks that come and go play no part.
   */
  versionAt(path: string): string {
    const parts: string[] = [];
    let folder = this.#root;
    for (const name of path === '' ? [] : path.split('/')) {
      const next = childDirectoryByName(this.#index, folder, name);
      // An image in the root has the store's name: all of it is meant.
      if (next === undefined) return this.#below.get(this.#root) ?? '';
      parts.push(
        String(this.#index.directories.inodes[folder] ?? 0n),
        ...this.#documentsIn(folder).map(told),
      );
      folder = next;
    }
    return checksum([...parts, this.#below.get(folder) ?? '']);
  }
}

interface Document {
  readonly name: string;
  readonly sizeBytes: number;
  readonly mtimeMs: number;
}

const told = ({ name, sizeBytes, mtimeMs }: Document): string => `${name} ${sizeBytes} ${mtimeMs}`;
