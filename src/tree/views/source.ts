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
import type { TreeAttributes, TreeContent } from '../tree.ts';
import { KIND, type View } from './view.ts';

const DIRECTORIES = 3 * KIND;
const FILES = 4 * KIND;
const BEYOND = 5 * KIND;

/** source/: the plate's own folders and files, byte for byte. */
export class SourceView implements View {
  readonly name = 'source';
  readonly root = 4;
  readonly readOnly = true;
  readonly #shared: SharedTree;
  readonly #files: PlateFiles;

  constructor(shared: SharedTree, files: PlateFiles) {
    this.#shared = shared;
    this.#files = files;
  }

  owns(node: number): boolean {
    return node === this.root || (node >= DIRECTORIES && node < BEYOND);
  }

  isDirectory(node: number): boolean {
    return node < FILES;
  }

  #directory(node: number): number {
    return node === this.root ? 0 : node - DIRECTORIES;
  }

  lookup(parent: number, name: string): number | undefined {
    const { index } = this.#shared;
    const directory = this.#directory(parent);
    const child = childDirectoryByName(index, directory, name);
    if (child !== undefined) return DIRECTORIES + child;
    const file = fileByName(index, directory, name);
    return file === undefined ? undefined : FILES + file;
  }

  entryCount(directory: number): number {
    const { index } = this.#shared;
    const number = this.#directory(directory);
    const children = childDirectories(index, number);
    const { firstFile } = index.directories;
    return children.end - children.first + (firstFile[number + 1] ?? 0) - (firstFile[number] ?? 0);
  }

  entryAt(directory: number, position: number): { name: string; node: number } {
    const { index } = this.#shared;
    const number = this.#directory(directory);
    const children = childDirectories(index, number);
    const count = children.end - children.first;
    if (position < count) {
      const child = children.first + position;
      return { name: nameAt(index.directories.names, child), node: DIRECTORIES + child };
    }
    const file = (index.directories.firstFile[number] ?? 0) + position - count;
    return { name: nameAt(index.files.names, file), node: FILES + file };
  }

  attributes(node: number): TreeAttributes | undefined {
    const { index, mountedAtMs } = this.#shared;
    if (!this.isDirectory(node)) return this.#files.attributes(node - FILES);
    const mtimeMs = index.directories.mtimeMs[this.#directory(node)] ?? mountedAtMs;
    return { directory: true, sizeBytes: 0, mtimeMs, live: false };
  }

  isKnown(node: number): boolean {
    return this.isDirectory(node) || this.#files.isKnown(node - FILES);
  }

  content(node: number): TreeContent {
    return { kind: 'verbatim', path: this.#files.absolutePath(node - FILES) };
  }

  pathOf(node: number): string {
    const { index } = this.#shared;
    return this.isDirectory(node)
      ? directoryPath(index, this.#directory(node))
      : filePath(index, node - FILES);
  }

  refresh(node: number): void {
    if (!this.isDirectory(node)) this.#files.refresh(node - FILES);
  }

  addFacts(node: number, facts: Map<string, string>): void {
    if (!this.isDirectory(node)) facts.set('source', filePath(this.#shared.index, node - FILES));
  }
}
