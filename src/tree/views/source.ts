import { join } from 'node:path';
import { FsRefusal } from '../../core/errors.ts';
import { gridOf } from '../../model/chunk-grid.ts';
import { type Numbering, numberAt, positionOf } from '../../model/numbering.ts';
import {
  childDirectories,
  childDirectoryByName,
  directoryPath,
  fileByName,
  filePath,
  nameAt,
} from '../../model/plate-lookup.ts';
import type { PlateFiles } from '../plate-files.ts';
import type { SharedTree } from '../shared-tree.ts';
import type { TreeAttributes, TreeContent, TreeEntry } from '../tree.ts';
import { ChunkFiles } from './chunk-files.ts';
import { KIND, type View } from './view.ts';

const DIRECTORIES = 3 * KIND;
const FILES = 4 * KIND;
const BEYOND = 5 * KIND;
/** Changed directories whose order is remembered. */
const MAX_ORDERED = 64;

/** source/: the plate's own folders and files, byte for byte; chunks of arrays too, which the index leaves out. */
export class SourceView implements View {
  readonly name = 'source';
  readonly root = 4;
  readonly readOnly = true;
  readonly #shared: SharedTree;
  readonly #files: PlateFiles;
  readonly #chunks: ChunkFiles;
  /** By column of numbers, then by first position. */
  readonly #ordered = new Map<Uint32Array, Map<number, Uint32Array>>();

  constructor(shared: SharedTree, files: PlateFiles) {
    this.#shared = shared;
    this.#files = files;
    this.#chunks = new ChunkFiles(shared);
  }

  owns(node: number): boolean {
    return node === this.root || (node >= DIRECTORIES && node < BEYOND) || this.#chunks.owns(node);
  }

  isDirectory(node: number): boolean {
    return this.#chunks.owns(node) ? this.#chunks.isDirectory(node) : node < FILES;
  }

  /** Which directory a node is, or undefined when it is gone. */
  #directoryAt(node: number): number | undefined {
    return node === this.root ? 0 : positionOf(this.#shared.numbering.directories, node - DIRECTORIES);
  }

  /** Which file a node is, or undefined when it is gone. */
  #fileAt(node: number): number | undefined {
    return positionOf(this.#shared.numbering.files, node - FILES);
  }

  /** @throws FsRefusal, stale, when the file is gone. */
  #fileOf(node: number): number {
    const file = this.#fileAt(node);
    if (file === undefined) throw new FsRefusal('stale', 'the file is no longer there');
    return file;
  }

  directoryNode(directory: number): number {
    return directory === 0
      ? this.root
      : DIRECTORIES + numberAt(this.#shared.numbering.directories, directory);
  }

  fileNode(file: number): number {
    return FILES + numberAt(this.#shared.numbering.files, file);
  }

  lookup(parent: number, name: string): number | undefined {
    if (this.#chunks.owns(parent)) return this.#chunks.lookup(parent, name);
    const { index } = this.#shared;
    const directory = this.#directoryAt(parent);
    if (directory === undefined) return undefined;
    const child = childDirectoryByName(index, directory, name);
    if (child !== undefined) return this.directoryNode(child);
    const file = fileByName(index, directory, name);
    return file === undefined ? this.#chunks.lookupIn(directory, name) : this.fileNode(file);
  }

  entryAfter(directory: number, cookie: number): TreeEntry | undefined {
    if (this.#chunks.owns(directory)) return this.#chunks.entryAfter(directory, cookie);
    const at = this.#directoryAt(directory);
    if (at === undefined) return undefined;
    const { index, numbering } = this.#shared;
    const children = childDirectories(index, at);
    const child = this.#next(numbering.directories, children.first, children.end, cookie);
    if (child !== undefined) {
      const number = numberAt(numbering.directories, child);
      return {
        name: nameAt(index.directories.names, child),
        node: DIRECTORIES + number,
        cookie: number + 1,
      };
    }
    const { firstFile } = index.directories;
    const first = firstFile[at] ?? 0;
    const file = this.#next(numbering.files, first, firstFile[at + 1] ?? first, Math.max(0, cookie - KIND));
    if (file === undefined) return this.#chunks.entryAfterIn(at, cookie);
    const number = numberAt(numbering.files, file);
    return { name: nameAt(index.files.names, file), node: FILES + number, cookie: KIND + number + 1 };
  }

  /** Among the things at `first … end`, the one with the smallest number from `from` on; its position. */
  #next(numbering: Numbering, first: number, end: number, from: number): number | undefined {
    if (first >= end) return undefined;
    const { numbers } = numbering;
    if (!numbers) return from < end ? Math.max(first, from) : undefined;
    const inOrder = this.#inOrder(numbers, first, end);
    let low = 0;
    let high = inOrder.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((inOrder[middle] ?? 0) < from) low = middle + 1;
      else high = middle;
    }
    const number = inOrder[low];
    return number === undefined ? undefined : positionOf(numbering, number);
  }

  /** The numbers of the things at `first … end`, ascending. */
  #inOrder(numbers: Uint32Array, first: number, end: number): Uint32Array {
    const kept = this.#ordered.get(numbers)?.get(first);
    if (kept) return kept;
    const inOrder = numbers.slice(first, end).sort();
    let ordered = this.#ordered.get(numbers);
    if (!ordered) this.#ordered.set(numbers, (ordered = new Map()));
    if (ordered.size >= MAX_ORDERED) ordered.clear();
    ordered.set(first, inOrder);
    return inOrder;
  }

  attributes(node: number): TreeAttributes | undefined {
    if (this.#chunks.owns(node)) return this.#chunks.attributes(node);
    const { index, mountedAtMs } = this.#shared;
    if (!this.isDirectory(node)) {
      const file = this.#fileAt(node);
      return file === undefined ? undefined : this.#files.attributes(file);
    }
    const directory = this.#directoryAt(node);
    if (directory === undefined) return undefined;
    const mtimeMs = index.directories.mtimeMs[directory] ?? mountedAtMs;
    return {
      directory: true,
      sizeBytes: 0,
      mtimeMs,
      live: gridOf(index.chunkFolders, directory) !== undefined,
    };
  }

  isKnown(node: number): boolean {
    if (this.#chunks.owns(node)) return this.#chunks.isKnown(node);
    const file = this.isDirectory(node) ? undefined : this.#fileAt(node);
    return file === undefined || this.#files.isKnown(file);
  }

  content(node: number): TreeContent {
    if (this.#chunks.owns(node))
      return { kind: 'verbatim', path: join(this.#shared.index.rootPath, this.pathOf(node)) };
    return { kind: 'verbatim', path: this.#files.absolutePath(this.#fileOf(node)) };
  }

  pathOf(node: number): string {
    const { index } = this.#shared;
    if (this.#chunks.owns(node)) {
      const path = this.#chunks.pathOf(node);
      if (path === undefined) throw new FsRefusal('stale', 'the chunk is no longer there');
      return path;
    }
    if (!this.isDirectory(node)) return filePath(index, this.#fileOf(node));
    const directory = this.#directoryAt(node);
    if (directory === undefined) throw new FsRefusal('stale', 'the folder is no longer there');
    return directoryPath(index, directory);
  }

  refresh(node: number): void {
    if (this.#chunks.owns(node)) this.#chunks.refresh(node);
    else if (!this.isDirectory(node)) this.#files.refresh(this.#fileOf(node));
  }

  addFacts(node: number, facts: Map<string, string>): void {
    if (!this.isDirectory(node)) facts.set('source', this.pathOf(node));
  }
}
