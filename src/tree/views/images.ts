import { FsRefusal } from '../../core/errors.ts';
import type { FileLayout, ImageEncoder } from '../../encoders.ts';
import type { ImageInfo } from '../../model/image.ts';
import { numberAt, positionOf } from '../../model/numbering.ts';
import { filePath, planeAddress, planeByName, planeName } from '../../model/plate-lookup.ts';
import { isWholeFile, toldShape } from '../plane-access.ts';
import { addPlaneFacts } from '../plane-facts.ts';
import type { PlateFiles } from '../plate-files.ts';
import type { RenderedImage } from '../rendered-image.ts';
import type { SharedTree } from '../shared-tree.ts';
import type { TreeAttributes, TreeContent, TreeEntry } from '../tree.ts';
import { KIND, type View } from './view.ts';

const PLANES = 1 * KIND;
const BEYOND = 2 * KIND;

/** images/: one file per plane. A plane that is a file is that file; one out of a container becomes a TIFF. */
export class ImagesView implements View {
  readonly name = 'images';
  readonly root = 2;
  readonly readOnly = false;
  readonly #shared: SharedTree;
  readonly #files: PlateFiles;
  readonly #encoder: ImageEncoder | undefined;

  /** `encoder` lays out planes that are cut out of containers. */
  constructor(shared: SharedTree, files: PlateFiles, encoder: ImageEncoder | undefined) {
    this.#shared = shared;
    this.#files = files;
    this.#encoder = encoder;
  }

  owns(node: number): boolean {
    return node === this.root || (node >= PLANES && node < BEYOND);
  }

  isDirectory(node: number): boolean {
    return node === this.root;
  }

  lookup(_parent: number, name: string): number | undefined {
    const plane = planeByName(this.#shared.index, name);
    return plane === undefined ? undefined : PLANES + numberAt(this.#shared.numbering.planes, plane);
  }

  entryAfter(_directory: number, cookie: number): TreeEntry | undefined {
    const { index, numbering } = this.#shared;
    for (let number = cookie; number < numbering.planes.next; number += 1) {
      const plane = positionOf(numbering.planes, number);
      if (plane !== undefined)
        return { name: planeName(index, plane), node: PLANES + number, cookie: number + 1 };
    }
    return undefined;
  }

  /** Node of a plane. */
  nodeOf(plane: number): number {
    return PLANES + numberAt(this.#shared.numbering.planes, plane);
  }

  /** Name of a plane. */
  nameOf(plane: number): string {
    return planeName(this.#shared.index, plane);
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
    if (node === this.root)
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
    };
  }

  pathOf(node: number): string {
    return planeName(this.#shared.index, this.#planeOf(node));
  }

  refresh(node: number): void {
    if (node !== this.root) this.#files.refresh(this.#fileOf(node));
  }

  addFacts(node: number, facts: Map<string, string>): void {
    if (node === this.root) return;
    const { index } = this.#shared;
    facts.set('source', filePath(index, this.#fileOf(node)));
    const plane = this.#planeOf(node);
    if (!isWholeFile(index, plane)) facts.set('page', String(index.planes.pages[plane]));
    addPlaneFacts(index, plane, facts);
  }
}
