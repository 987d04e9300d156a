import type { FileLayout, ImageEncoder } from '../../encoders.ts';
import { PlaneNames } from '../../model/plane-names.ts';
import type { PlaneShape } from '../../model/plate-index.ts';
import { filePath, planeName } from '../../model/plate-lookup.ts';
import type { FieldImages } from '../field-images.ts';
import { addPlaneFacts } from '../plane-facts.ts';
import type { PlateFiles } from '../plate-files.ts';
import type { RenderedImage } from '../rendered-image.ts';
import type { SharedTree } from '../shared-tree.ts';
import type { TreeAttributes, TreeContent, TreeEntry } from '../tree.ts';
import { PlaneNodes, type PlanePlace } from './plane-nodes.ts';
import { KIND, type View } from './view.ts';

/** Folders stand behind those of images/. */
const NODES = { root: 8, planes: 6 * KIND, folders: 2 ** 43 + 2 ** 40 };

/**
 * previews/: every plane of images/ as an 8-bit PNG, under its name there and in the same folders. Nothing of it is
 * made before it is read; a file's size follows from the extent of its plane.
 */
export class PreviewsView implements View {
  readonly name = 'previews';
  readonly root = NODES.root;
  readonly readOnly = true;
  readonly #shared: SharedTree;
  readonly #files: PlateFiles;
  readonly #fields: FieldImages;
  readonly #encoder: ImageEncoder;
  readonly #nodes: PlaneNodes;
  /** By extent and type: a layout says nothing else of a plane. */
  readonly #layouts = new Map<string, FileLayout>();

  constructor(shared: SharedTree, files: PlateFiles, fields: FieldImages, encoder: ImageEncoder) {
    this.#shared = shared;
    this.#files = files;
    this.#fields = fields;
    this.#encoder = encoder;
    const names = new PlaneNames(shared.index, shared.naming, encoder.extension);
    this.#nodes = new PlaneNodes(shared, names, NODES);
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

  /** Node of a plane's preview. */
  nodeOf(plane: number): number {
    return this.#nodes.nodeOf(plane);
  }

  /** As {@link PlaneNodes.placesOf}. */
  placesOf(plane: number): readonly PlanePlace[] {
    return this.#nodes.placesOf(plane);
  }

  #fileOf(plane: number): number {
    return this.#shared.index.planes.files[plane] ?? 0;
  }

  attributes(node: number): TreeAttributes | undefined {
    if (this.isDirectory(node))
      return { directory: true, sizeBytes: 0, mtimeMs: this.#shared.changedAtMs, live: false };
    const plane = this.#nodes.planeAt(node);
    if (plane === undefined) return undefined;
    const { mtimeMs } = this.#files.attributes(this.#fileOf(plane));
    const { sizeBytes } = this.#layoutOf(plane, this.#fields.shapeOfPlane(plane));
    return { directory: false, sizeBytes, mtimeMs, live: false };
  }

  isKnown(node: number): boolean {
    const plane = this.#nodes.planeAt(node);
    return (
      plane === undefined ||
      (this.#files.isKnown(this.#fileOf(plane)) && this.#fields.isPlaneShapeKnown(plane))
    );
  }

  content(_node: number): TreeContent {
    return { kind: 'rendered' };
  }

  #layoutOf(plane: number, { width, height, dtype }: PlaneShape): FileLayout {
    const key = `${width} ${height} ${dtype}`;
    const known = this.#layouts.get(key);
    if (known) return known;
    const { index } = this.#shared;
    const { pixelSizeUm } = index.facts;
    const layout = this.#encoder.layout({
      name: planeName(index, plane),
      shape: [1, 1, 1, height, width],
      dtype,
      channels: [],
      ...(pixelSizeUm === undefined ? {} : { pixelSizeUm }),
    });
    this.#layouts.set(key, layout);
    return layout;
  }

  /** How a preview is put together. @throws when its plane can't be read, or has colours; FsRefusal, stale, when it is gone. */
  rendered(node: number): RenderedImage {
    const plane = this.#nodes.planeOf(node);
    const shape = this.#fields.shapeOfPlane(plane);
    return { layout: this.#layoutOf(plane, shape), shape, planeAt: () => plane };
  }

  pathOf(node: number): string {
    return this.#nodes.pathOf(node);
  }

  refresh(node: number): void {
    if (!this.isDirectory(node)) this.#files.refresh(this.#fileOf(this.#nodes.planeOf(node)));
  }

  addFacts(node: number, facts: Map<string, string>): void {
    if (this.isDirectory(node)) return;
    const plane = this.#nodes.planeOf(node);
    facts.set('source', filePath(this.#shared.index, this.#fileOf(plane)));
    addPlaneFacts(this.#shared.index, plane, facts);
  }
}
