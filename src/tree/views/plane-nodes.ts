import { FsRefusal } from '../../core/errors.ts';
import { numberAt, positionOf } from '../../model/numbering.ts';
import { FOLDER_NUMBERS } from '../../model/plane-folders.ts';
import type { PlaneNames } from '../../model/plane-names.ts';
import type { SharedTree } from '../shared-tree.ts';
import type { TreeEntry } from '../tree.ts';
import { KIND } from './view.ts';

/** Folders whose order is remembered. */
const MAX_ORDERED = 64;

/** Where a view with a file per plane has its node numbers: of itself, and the first of its files and of its folders. */
export interface PlaneNodeRanges {
  readonly root: number;
  readonly planes: number;
  readonly folders: number;
}

/** A name in a folder. */
export interface PlanePlace {
  readonly parent: number;
  readonly name: string;
}

/** Whether a node is a folder of such a view, whatever the plate. */
export const isPlaneFolder = ({ folders }: PlaneNodeRanges, node: number): boolean =>
  node >= folders && node < folders + FOLDER_NUMBERS;

/**
 * The files and folders of a view that has one file per plane, in folders where names have `/`. A file has the permanent
 * number of its plane; a folder has the one that follows from its path, so that what was written into it is found after
 * any new index. Keeps no name.
 */
export class PlaneNodes {
  readonly #shared: SharedTree;
  readonly #names: PlaneNames;
  readonly #ranges: PlaneNodeRanges;
  readonly #isShown: ((plane: number) => boolean) | undefined;
  /** Cookies of the entries of folders, ascending. */
  readonly #ordered = new Map<number, Float64Array>();

  /** @param isShown told of planes that have no file here; all have one unless set. */
  constructor(
    shared: SharedTree,
    names: PlaneNames,
    ranges: PlaneNodeRanges,
    isShown?: (plane: number) => boolean,
  ) {
    this.#shared = shared;
    this.#names = names;
    this.#ranges = ranges;
    this.#isShown = isShown;
  }

  /** The plane of a number, where it has a file here. */
  #shownAt(number: number): number | undefined {
    const plane = positionOf(this.#shared.numbering.planes, number);
    return plane === undefined || this.#isShown?.(plane) === false ? undefined : plane;
  }

  owns(node: number): boolean {
    const { root, planes } = this.#ranges;
    return node === root || (node >= planes && node < planes + KIND) || this.#isFolder(node);
  }

  #isFolder(node: number): boolean {
    return isPlaneFolder(this.#ranges, node);
  }

  isDirectory(node: number): boolean {
    const { root, folders } = this.#ranges;
    return node === root || (this.#isFolder(node) && this.#names.hasFolder(node - folders));
  }

  /** The folder's number, undefined for the view itself. */
  #folderOf(directory: number): number | undefined {
    return directory === this.#ranges.root ? undefined : directory - this.#ranges.folders;
  }

  lookup(parent: number, name: string): number | undefined {
    const folder = this.#folderOf(parent);
    const below = this.#names.depth > 0 ? this.#names.folderNamed(folder, name) : undefined;
    if (below !== undefined) return this.#ranges.folders + below;
    const plane = this.#names.planeNamed(folder, name);
    return plane === undefined || this.#isShown?.(plane) === false ? undefined : this.nodeOf(plane);
  }

  /** As {@link View.entryAfter}. */
  entryAfter(directory: number, cookie: number): TreeEntry | undefined {
    const { root, planes } = this.#ranges;
    if (directory !== root || this.#names.depth > 0) return this.#entryInFolder(directory, cookie);
    const { numbering } = this.#shared;
    for (let number = cookie; number < numbering.planes.next; number += 1) {
      const plane = this.#shownAt(number);
      if (plane !== undefined)
        return { name: this.#names.nameOf(plane), node: planes + number, cookie: number + 1 };
    }
    return undefined;
  }

  /** Folders hold folders only or planes only: a cookie is the number of the one or the other, plus 1. */
  #entryInFolder(directory: number, cookie: number): TreeEntry | undefined {
    const { planes, folders } = this.#ranges;
    const cookies = this.#cookiesOf(directory);
    const number = cookies[firstBehind(cookies, cookie)];
    if (number === undefined) return undefined;
    const plane = this.#holdsPlanes(directory)
      ? positionOf(this.#shared.numbering.planes, number - 1)
      : undefined;
    if (plane !== undefined)
      return { name: this.#names.nameOf(plane), node: planes + number - 1, cookie: number };
    return { name: this.#names.folderName(number - 1), node: folders + number - 1, cookie: number };
  }

  #holdsPlanes(directory: number): boolean {
    const folder = this.#folderOf(directory);
    return folder !== undefined && this.#names.planesIn(folder).length > 0;
  }

  #cookiesOf(directory: number): Float64Array {
    const kept = this.#ordered.get(directory);
    if (kept) return kept;
    const folder = this.#folderOf(directory);
    const numbers =
      folder !== undefined && this.#holdsPlanes(directory)
        ? Float64Array.from(
            this.#names.planesIn(folder).filter((plane) => this.#isShown?.(plane) !== false),
            (plane) => numberAt(this.#shared.numbering.planes, plane),
          ).sort()
        : this.#names.foldersIn(folder);
    const cookies = numbers.map((number) => number + 1);
    if (this.#ordered.size >= MAX_ORDERED) this.#ordered.clear();
    this.#ordered.set(directory, cookies);
    return cookies;
  }

  /** Node of a plane. */
  nodeOf(plane: number): number {
    return this.#ranges.planes + numberAt(this.#shared.numbering.planes, plane);
  }

  /** Where a plane is found: each folder above it in the one before, then its own name, beginning in the view. */
  placesOf(plane: number): readonly PlanePlace[] {
    const { root, folders: base } = this.#ranges;
    const folders = this.#names.foldersOf(plane);
    const parents = [root, ...folders.map((folder) => base + folder)];
    const names = [...folders.map((folder) => this.#names.folderName(folder)), this.#names.nameOf(plane)];
    return parents.map((parent, i) => ({ parent, name: names[i] ?? '' }));
  }

  /** Which plane a node is, or undefined when it is gone. */
  planeAt(node: number): number | undefined {
    const number = node - this.#ranges.planes;
    return number < 0 ? undefined : this.#shownAt(number);
  }

  /** @throws FsRefusal, stale, when the plane is gone. */
  planeOf(node: number): number {
    const plane = this.planeAt(node);
    if (plane === undefined) throw new FsRefusal('stale', 'the plane is no longer there');
    return plane;
  }

  /** Path below the view's folder. */
  pathOf(node: number): string {
    if (!this.#isFolder(node)) return this.#names.pathOf(this.planeOf(node));
    const folder = node - this.#ranges.folders;
    // Of a folder whose last plane went, what was written into it still needs a place to land.
    return this.#names.hasFolder(folder) ? this.#names.folderPath(folder) : `folder-${folder.toString(16)}`;
  }
}

/** The position of the first value above this one, among ascending values. */
function firstBehind(values: Float64Array, value: number): number {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((values[middle] ?? 0) <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}
