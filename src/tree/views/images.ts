import { FsRefusal } from '../../core/errors.ts';
import type { FileLayout, ImageEncoder } from '../../encoders.ts';
import type { ImageInfo } from '../../model/image.ts';
import { numberAt, positionOf } from '../../model/numbering.ts';
import { FOLDER_NUMBERS } from '../../model/plane-folders.ts';
import { PlaneNames } from '../../model/plane-names.ts';
import { filePath, planeAddress, planeName } from '../../model/plate-lookup.ts';
import { isWholeFile, toldShape } from '../plane-access.ts';
import { addPlaneFacts } from '../plane-facts.ts';
import type { PlateFiles } from '../plate-files.ts';
import type { RenderedImage } from '../rendered-image.ts';
import type { SharedTree } from '../shared-tree.ts';
import type { TreeAttributes, TreeContent, TreeEntry } from '../tree.ts';
import { KIND, type View } from './view.ts';

const PLANES = 1 * KIND;
const BEYOND = 2 * KIND;
/** Folders have the numbers that follow from their paths: what was written into one finds it after any new index. Chunks
 * of arrays begin at 2^44. */
const FOLDERS = 2 ** 43;
const BEYOND_FOLDERS = FOLDERS + FOLDER_NUMBERS;
/** images/ itself. */
const ROOT = 2;
/** Folders whose order is remembered. */
const MAX_ORDERED = 64;

/** Whether a directory's node is images/ or a folder in it, whatever the plate. */
export const isInImages = (directory: number): boolean =>
  directory === ROOT || (directory >= FOLDERS && directory < BEYOND_FOLDERS);

/**
 * images/: one file per plane, in folders where names have `/`. A plane that is a file is that file; one out of a
 * container becomes a TIFF.
 */
export class ImagesView implements View {
  readonly name = 'images';
  readonly root = ROOT;
  readonly readOnly = false;
  readonly #shared: SharedTree;
  readonly #files: PlateFiles;
  readonly #encoder: ImageEncoder | undefined;
  readonly #names: PlaneNames;
  /** Cookies of the entries of folders, ascending. */
  readonly #ordered = new Map<number, Float64Array>();

  /** `encoder` lays out planes that are cut out of containers. */
  constructor(shared: SharedTree, files: PlateFiles, encoder: ImageEncoder | undefined) {
    this.#shared = shared;
    this.#files = files;
    this.#encoder = encoder;
    this.#names = new PlaneNames(shared.index, shared.naming);
  }

  owns(node: number): boolean {
    return node === this.root || (node >= PLANES && node < BEYOND) || this.#isFolder(node);
  }

  #isFolder(node: number): boolean {
    return node >= FOLDERS && node < BEYOND_FOLDERS;
  }

  isDirectory(node: number): boolean {
    return node === this.root || (this.#isFolder(node) && this.#names.hasFolder(node - FOLDERS));
  }

  /** The folder's number, undefined for images/ itself. */
  #folderOf(directory: number): number | undefined {
    return directory === this.root ? undefined : directory - FOLDERS;
  }

  lookup(parent: number, name: string): number | undefined {
    const folder = this.#folderOf(parent);
    const below = this.#names.depth > 0 ? this.#names.folderNamed(folder, name) : undefined;
    if (below !== undefined) return FOLDERS + below;
    const plane = this.#names.planeNamed(folder, name);
    return plane === undefined ? undefined : this.nodeOf(plane);
  }

  entryAfter(directory: number, cookie: number): TreeEntry | undefined {
    if (directory !== this.root || this.#names.depth > 0) return this.#entryInFolder(directory, cookie);
    const { numbering } = this.#shared;
    for (let number = cookie; number < numbering.planes.next; number += 1) {
      const plane = positionOf(numbering.planes, number);
      if (plane !== undefined)
        return { name: this.#names.nameOf(plane), node: PLANES + number, cookie: number + 1 };
    }
    return undefined;
  }

  /** Folders hold folders only or planes only: a cookie is the number of the one or the other, plus 1. */
  #entryInFolder(directory: number, cookie: number): TreeEntry | undefined {
    const cookies = this.#cookiesOf(directory);
    const number = cookies[firstBehind(cookies, cookie)];
    if (number === undefined) return undefined;
    const plane = this.#holdsPlanes(directory) && positionOf(this.#shared.numbering.planes, number - 1);
    if (typeof plane === 'number')
      return { name: this.#names.nameOf(plane), node: PLANES + number - 1, cookie: number };
    return { name: this.#names.folderName(number - 1), node: FOLDERS + number - 1, cookie: number };
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
        ? Float64Array.from(this.#names.planesIn(folder), (plane) =>
            numberAt(this.#shared.numbering.planes, plane),
          ).sort()
        : this.#names.foldersIn(folder);
    const cookies = numbers.map((number) => number + 1);
    if (this.#ordered.size >= MAX_ORDERED) this.#ordered.clear();
    this.#ordered.set(directory, cookies);
    return cookies;
  }

  /** Node of a plane. */
  nodeOf(plane: number): number {
    return PLANES + numberAt(this.#shared.numbering.planes, plane);
  }

  /** Where a plane is found: each folder above it in the one before, then its own name, beginning in images/. */
  placesOf(plane: number): { readonly parent: number; readonly name: string }[] {
    const folders = this.#names.foldersOf(plane);
    const parents = [this.root, ...folders.map((folder) => FOLDERS + folder)];
    const names = [...folders.map((folder) => this.#names.folderName(folder)), this.#names.nameOf(plane)];
    return parents.map((parent, i) => ({ parent, name: names[i] ?? '' }));
  }

  /** Which plane a node is, or undefined when it is gone. */
  #planeAt(node: number): number | undefined {
    return positionOf(this.#shared.numbering.planes, node - PLANES);
  }

  /** @throws FsRefusal, stale, when the plane is gone. */
  #planeOf(node: number): number {
    const plane = this.#planeAt(node);
    if (plane === undefined) throw new FsRefusal('stale', 'the plane is no longer there');
    return plane;
  }

  #fileOf(node: number): number {
    return this.#shared.index.planes.files[this.#planeOf(node)] ?? 0;
  }

  attributes(node: number): TreeAttributes | undefined {
    if (node === this.root || this.isDirectory(node))
      return { directory: true, sizeBytes: 0, mtimeMs: this.#shared.changedAtMs, live: false };
    if (this.#planeAt(node) === undefined) return undefined;
    const attributes = this.#files.attributes(this.#fileOf(node));
    const image = this.rendered(node);
    return image ? { ...attributes, sizeBytes: image.layout.sizeBytes } : attributes;
  }

  isKnown(node: number): boolean {
    return node === this.root || this.#planeAt(node) === undefined || this.#files.isKnown(this.#fileOf(node));
  }

  content(node: number): TreeContent {
    return isWholeFile(this.#shared.index, this.#planeOf(node))
      ? { kind: 'verbatim', path: this.#files.absolutePath(this.#fileOf(node)) }
      : { kind: 'rendered' };
  }

  /** How a plane out of a container is put together; undefined for one that is a file. */
  rendered(node: number): RenderedImage | undefined {
    const { index } = this.#shared;
    const plane = this.#planeOf(node);
    const shape = toldShape(index, plane);
    if (!shape || isWholeFile(index, plane)) return undefined;
    return { layout: this.#layoutOf(plane), shape, planeAt: () => plane };
  }

  #layoutOf(plane: number): FileLayout {
    if (!this.#encoder) throw new Error('there is no encoder for planes');
    return this.#encoder.layout(this.#imageOf(plane));
  }

  #imageOf(plane: number): ImageInfo {
    const { index } = this.#shared;
    const { facts } = index;
    const shape = toldShape(index, plane);
    if (!shape) throw new Error(`plane ${plane} has no shape`);
    const { channel } = planeAddress(index, plane);
    const known = facts.channels.find(({ number }) => number === channel);
    const acquiredAtMs = index.planes.acquiredAtMs[plane];
    const { float64As } = this.#shared.options;
    return {
      name: planeName(index, plane),
      shape: [1, 1, 1, shape.height, shape.width],
      dtype: shape.dtype,
      channels: [
        {
          ...(known?.name === undefined ? {} : { name: known.name }),
          ...(known?.emissionNm === undefined ? {} : { emissionNm: known.emissionNm }),
        },
      ],
      ...(facts.pixelSizeUm === undefined ? {} : { pixelSizeUm: facts.pixelSizeUm }),
      ...(acquiredAtMs === undefined || Number.isNaN(acquiredAtMs) ? {} : { acquiredAtMs }),
      ...(float64As === undefined ? {} : { float64As }),
    };
  }

  pathOf(node: number): string {
    if (!this.#isFolder(node)) return this.#names.pathOf(this.#planeOf(node));
    const folder = node - FOLDERS;
    // Of a folder whose last plane went, what was written into it still needs a place to land.
    return this.#names.hasFolder(folder) ? this.#names.folderPath(folder) : `folder-${folder.toString(16)}`;
  }

  refresh(node: number): void {
    if (!this.isDirectory(node)) this.#files.refresh(this.#fileOf(node));
  }

  addFacts(node: number, facts: Map<string, string>): void {
    if (this.isDirectory(node)) return;
    const { index } = this.#shared;
    facts.set('source', filePath(index, this.#fileOf(node)));
    const plane = this.#planeOf(node);
    if (!isWholeFile(index, plane)) facts.set('page', String(index.planes.pages[plane]));
    addPlaneFacts(index, plane, facts);
    const shape = toldShape(index, plane);
    const shown = this.rendered(node)?.layout.shownDtype;
    if (shown !== undefined) facts.set('pixels', `${shape?.dtype} shown as ${shown}`);
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
