import type { FileLayout, ImageEncoder } from '../../encoders.ts';
import type { ImageInfo } from '../../model/image.ts';
import { PlaneNames } from '../../model/plane-names.ts';
import { filePath, planeAddress, planeName } from '../../model/plate-lookup.ts';
import { shownInImages } from '../forbidden-types.ts';
import { isWholeFile, toldShape } from '../plane-access.ts';
import { addPlaneFacts } from '../plane-facts.ts';
import type { PlateFiles } from '../plate-files.ts';
import type { RenderedImage } from '../rendered-image.ts';
import type { SharedTree } from '../shared-tree.ts';
import type { IsShown } from '../tables/image-sets.ts';
import type { TreeAttributes, TreeContent, TreeEntry } from '../tree.ts';
import { isPlaneFolder, PlaneNodes, type PlanePlace } from './plane-nodes.ts';
import { KIND, type View } from './view.ts';

/** Chunks of arrays begin at 2^44. */
const NODES = { root: 2, planes: 1 * KIND, folders: 2 ** 43 };

/** Whether a directory's node is images/ or a folder in it, whatever the plate. */
export const isInImages = (directory: number): boolean =>
  directory === NODES.root || isPlaneFolder(NODES, directory);

/**
 * images/: one file per plane, in folders where names have `/`. A plane that is a file is that file; one out of a
 * container becomes a TIFF, and has no name here where no TIFF holds pixels of its type.
 */
export class ImagesView implements View {
  readonly name = 'images';
  readonly root = NODES.root;
  readonly readOnly = false;
  readonly #shared: SharedTree;
  readonly #files: PlateFiles;
  readonly #encoder: ImageEncoder | undefined;
  readonly #nodes: PlaneNodes;
  /** Whether a plane has a file here; absent where each has. */
  readonly isShown: IsShown | undefined;

  /** `encoder` lays out planes that are cut out of containers. */
  constructor(shared: SharedTree, files: PlateFiles, encoder: ImageEncoder | undefined) {
    this.#shared = shared;
    this.#files = files;
    this.#encoder = encoder;
    const { index, naming, options } = shared;
    this.isShown = shownInImages(index, encoder, options.float64As);
    const names = new PlaneNames(index, naming);
    this.#nodes = new PlaneNodes(shared, names, NODES, this.isShown);
  }

  owns(node: number): boolean {
    return this.#nodes.owns(node);
  }

  isDirectory(node: number): boolean {
    return this.#nodes.isDirectory(node);
  }

  lookup(parent: number, name: string): number | undefined {
    return this.#nodes.lookup(parent, name);
  }

  entryAfter(directory: number, cookie: number): TreeEntry | undefined {
    return this.#nodes.entryAfter(directory, cookie);
  }

  /** Node of a plane. */
  nodeOf(plane: number): number {
    return this.#nodes.nodeOf(plane);
  }

  /** As {@link PlaneNodes.placesOf}. */
  placesOf(plane: number): readonly PlanePlace[] {
    return this.#nodes.placesOf(plane);
  }

  #fileOf(node: number): number {
    return this.#shared.index.planes.files[this.#nodes.planeOf(node)] ?? 0;
  }

  attributes(node: number): TreeAttributes | undefined {
    if (node === this.root || this.isDirectory(node))
      return { directory: true, sizeBytes: 0, mtimeMs: this.#shared.changedAtMs, live: false };
    if (this.#nodes.planeAt(node) === undefined) return undefined;
    const attributes = this.#files.attributes(this.#fileOf(node));
    const image = this.rendered(node);
    return image ? { ...attributes, sizeBytes: image.layout.sizeBytes } : attributes;
  }

  isKnown(node: number): boolean {
    return (
      node === this.root || this.#nodes.planeAt(node) === undefined || this.#files.isKnown(this.#fileOf(node))
    );
  }

  content(node: number): TreeContent {
    return isWholeFile(this.#shared.index, this.#nodes.planeOf(node))
      ? { kind: 'verbatim', path: this.#files.absolutePath(this.#fileOf(node)) }
      : { kind: 'rendered' };
  }

  /** How a plane out of a container is put together; undefined for one that is a file. */
  rendered(node: number): RenderedImage | undefined {
    const { index } = this.#shared;
    const plane = this.#nodes.planeOf(node);
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
    return this.#nodes.pathOf(node);
  }

  refresh(node: number): void {
    if (!this.isDirectory(node)) this.#files.refresh(this.#fileOf(node));
  }

  addFacts(node: number, facts: Map<string, string>): void {
    if (this.isDirectory(node)) return;
    const { index } = this.#shared;
    facts.set('source', filePath(index, this.#fileOf(node)));
    const plane = this.#nodes.planeOf(node);
    if (!isWholeFile(index, plane)) facts.set('page', String(index.planes.pages[plane]));
    addPlaneFacts(index, plane, facts);
    const shape = toldShape(index, plane);
    const shown = this.rendered(node)?.layout.shownDtype;
    if (shown !== undefined) facts.set('pixels', `${shape?.dtype} shown as ${shown}`);
  }
}
