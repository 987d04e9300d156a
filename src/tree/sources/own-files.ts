import { FOLDER_NUMBERS, folderNumber } from '../../model/plane-folders.ts';
import { nameAt } from '../../model/plate-lookup.ts';
import type { PlateFiles } from '../plate-files.ts';
import type { SharedTree } from '../shared-tree.ts';
import type { TreeEntry } from '../tree.ts';
import { SourceView } from '../views/source.ts';

/** Node numbers of ordinary folders: each follows from its path, so that what was written into it is found again. */
const ORDINARY = 2 ** 43 + 2 ** 40;
const BEYOND_ORDINARY = ORDINARY + FOLDER_NUMBERS;

/**
 * The files of a folder of sources as they lie on disk: those of its stores, which are fixed, and ordinary ones, which
 * can be written over. A node of an ordinary folder differs from that of the folder in `source/` of a plate.
 */
export class OwnFiles {
  readonly view: SourceView;
  readonly #nodeOf = new Map<number, number>();
  readonly #directoryNodeOf = new Map<number, number>();

  /** `isStore` tells of a name in the root whether it is a source. */
  constructor(shared: SharedTree, files: PlateFiles, isStore: (name: string) => boolean) {
    this.view = new SourceView(shared, files);
    const { directories } = shared.index;
    const paths: (string | undefined)[] = [''];
    for (let i = 1; i < directories.count; i += 1) {
      const parent = directories.parents[i] ?? 0;
      const above = paths[parent];
      const name = nameAt(directories.names, i);
      // What lies in a store is no ordinary folder.
      if (above === undefined || (parent === 0 && isStore(name))) {
        paths.push(undefined);
        continue;
      }
      const path = above === '' ? name : `${above}/${name}`;
      paths.push(path);
      this.#remember(path, this.view.directoryNode(i));
    }
    this.#directoryNodeOf.set(this.view.root, this.view.root);
  }

  #remember(path: string, directoryNode: number): void {
    let number = folderNumber(path);
    while (this.#directoryNodeOf.has(ORDINARY + number)) number = (number + 1) % FOLDER_NUMBERS;
    this.#directoryNodeOf.set(ORDINARY + number, directoryNode);
    this.#nodeOf.set(directoryNode, ORDINARY + number);
  }

  owns(node: number): boolean {
    return (node >= ORDINARY && node < BEYOND_ORDINARY) || this.view.owns(node);
  }

  /** The view's node for one of ours; one that it does not know when the folder is gone. */
  inner(node: number): number {
    return node >= ORDINARY && node < BEYOND_ORDINARY ? (this.#directoryNodeOf.get(node) ?? -1) : node;
  }

  outer(node: number): number {
    return this.#nodeOf.get(node) ?? node;
  }

  lookup(parent: number, name: string): number | undefined {
    const inner = this.inner(parent);
    if (inner < 0) return undefined;
    const found = this.view.lookup(inner, name);
    return found === undefined ? undefined : this.outer(found);
  }

  entryAfter(directory: number, cookie: number): TreeEntry | undefined {
    const inner = this.inner(directory);
    const entry = inner < 0 ? undefined : this.view.entryAfter(inner, cookie);
    return entry && { ...entry, node: this.outer(entry.node) };
  }
}
