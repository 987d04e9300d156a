import type { Region } from '../core/region.ts';
import type { FileLayout, ImageEncoder } from '../encoders.ts';
import { kindAt } from '../model/kind-table.ts';
import { groupOfPage } from '../model/plane-groups.ts';
import { planeEncoder, profileRules } from '../model/profile.ts';
import { FieldImages, type Probe } from './field-images.ts';
import { layoutCache } from './known-layouts.ts';
import { documentLayout } from './ngff/document-layout.ts';
import { type PlaneLocation, planeLocation } from './plane-access.ts';
import { PlateFiles } from './plate-files.ts';
import type { RenderedImage } from './rendered-image.ts';
import type { SharedTree } from './shared-tree.ts';
import {
  ROOT_NODE,
  resolvePath,
  type Tree,
  type TreeAttributes,
  type TreeContent,
  type TreeEntry,
} from './tree.ts';
import { DocumentsView, documentAttributes, isDocument, OPENHCS_DOCUMENT } from './views/documents.ts';
import { ImagesView } from './views/images.ts';
import { OmeZarrView } from './views/ome-zarr.ts';
import { PreviewsView } from './views/previews.ts';
import { SourceView } from './views/source.ts';
import { STACK_ENCODERS } from './views/stack-files.ts';
import { StacksView } from './views/stacks.ts';
import { TablesView } from './views/tables.ts';
import type { View } from './views/view.ts';

/** The views over one generation of the plate. */
interface TreeState {
  readonly shared: SharedTree;
  readonly files: PlateFiles;
  readonly images: ImagesView;
  readonly stacks: StacksView;
  readonly source: SourceView;
  readonly tables: TablesView;
  readonly omeZarr: OmeZarrView;
  /** Absent where the mount has none. */
  readonly previews: PreviewsView | undefined;
  readonly views: readonly View[];
}

/** The encoders of what plates are shown as. */
export const PLATE_ENCODERS: ReadonlySet<string> = new Set([...STACK_ENCODERS, 'png']);

/** The tree of one plate: a folder per view, and the document that OpenHCS looks for. */
export class PlateTree implements Tree {
  readonly #encoders: ReadonlyMap<string, ImageEncoder>;
  readonly #probe: Probe;
  #state: TreeState;
  /** Of plates some of whose planes are decoded together. */
  readonly #grouped = layoutCache<RenderedImage>(({ layout }) => layout);

  constructor(shared: SharedTree, encoders: readonly ImageEncoder[], probe: Probe) {
    this.#encoders = new Map(encoders.map((encoder) => [encoder.id, encoder]));
    this.#probe = probe;
    this.#state = this.#stateOf(shared);
  }

  #stateOf(shared: SharedTree, before?: TreeState): TreeState {
    const files = new PlateFiles(shared.index);
    const images = new ImagesView(shared, files, this.#encoders.get(planeEncoder(shared.options.profile)));
    const fields = new FieldImages(shared, files, this.#probe);
    const stacks = new StacksView(shared, fields, this.#encoders);
    const source = new SourceView(shared, files);
    const tables = new TablesView(shared, images.isShown, before?.tables);
    const omeZarr = new OmeZarrView(shared, fields, before?.omeZarr);
    const png = profileRules(shared.options.profile).previews ? this.#encoders.get('png') : undefined;
    const previews = png && new PreviewsView(shared, files, fields, png);
    const documents = new DocumentsView(shared);
    return {
      shared,
      files,
      images,
      stacks,
      source,
      tables,
      omeZarr,
      previews,
      views: [images, stacks, omeZarr, ...(previews ? [previews] : []), tables, source, documents],
    };
  }

  /** Shows the plate as it was found now. */
  adopt(shared: SharedTree): void {
    this.#state = this.#stateOf(shared, this.#state);
    this.#grouped.clear();
  }

  get shared(): SharedTree {
    return this.#state.shared;
  }

  get files(): PlateFiles {
    return this.#state.files;
  }

  get images(): ImagesView {
    return this.#state.images;
  }

  get stacks(): StacksView {
    return this.#state.stacks;
  }

  get source(): SourceView {
    return this.#state.source;
  }

  get tables(): TablesView {
    return this.#state.tables;
  }

  get omeZarr(): OmeZarrView {
    return this.#state.omeZarr;
  }

  /** Absent where the mount has none. */
  get previews(): PreviewsView | undefined {
    return this.#state.previews;
  }

  /** The view a node belongs to; undefined for the root and what lies in it beside the views. */
  #viewOf(node: number): View | undefined {
    for (const view of this.#state.views) if (view.owns(node)) return view;
    return undefined;
  }

  isDirectory(node: number): boolean {
    return node === ROOT_NODE || this.#viewOf(node)?.isDirectory(node) === true;
  }

  isReadOnly(node: number): boolean {
    return this.#viewOf(node)?.readOnly === true;
  }

  isDocument(node: number): boolean {
    return isDocument(node);
  }

  lookup(parent: number, name: string): number | undefined {
    if (parent !== ROOT_NODE) return this.#viewOf(parent)?.lookup(parent, name);
    if (name === OPENHCS_DOCUMENT.name) return OPENHCS_DOCUMENT.node;
    return this.#state.views.find((view) => view.name === name)?.root;
  }

  entryAfter(directory: number, cookie: number): TreeEntry | undefined {
    if (directory !== ROOT_NODE) return this.#viewOf(directory)?.entryAfter(directory, cookie);
    const view = this.#state.views[cookie];
    if (view) return { name: view.name, node: view.root, cookie: cookie + 1 };
    return cookie === this.#state.views.length ? { ...OPENHCS_DOCUMENT, cookie: cookie + 1 } : undefined;
  }

  *names(directory: number): Generator<string> {
    for (let entry = this.entryAfter(directory, 0); entry; entry = this.entryAfter(directory, entry.cookie))
      yield entry.name;
  }

  attributes(node: number): TreeAttributes | undefined {
    const { mountedAtMs } = this.shared;
    if (node === ROOT_NODE) return { directory: true, sizeBytes: 0, mtimeMs: mountedAtMs, live: false };
    if (node === OPENHCS_DOCUMENT.node) return documentAttributes(mountedAtMs);
    return this.#viewOf(node)?.attributes(node);
  }

  isKnown(node: number): boolean {
    return this.#viewOf(node)?.isKnown(node) ?? true;
  }

  isMeasured(): boolean {
    return true;
  }

  refreshNode(node: number): void {
    this.#viewOf(node)?.refresh(node);
  }

  content(node: number): TreeContent {
    if (this.isDocument(node)) return { kind: 'document' };
    const view = this.#viewOf(node);
    if (!view) throw new Error(`node ${node} is no file`);
    return view.content(node);
  }

  /** How a file of pixels or a document of an OME-Zarr is laid out; undefined for every other. @throws when no plane can be read. */
  layoutOf(node: number): FileLayout | undefined {
    const document = this.omeZarr.owns(node) ? this.omeZarr.documentOf(node) : undefined;
    return document ? documentLayout(document).layout : this.renderedImage(node)?.layout;
  }

  /** How a file is put together when it is read; undefined for every other. @throws when no plane can be read. */
  renderedImage(node: number): RenderedImage | undefined {
    if (this.images.owns(node)) return this.images.rendered(node);
    if (this.omeZarr.owns(node)) return this.omeZarr.rendered(node);
    if (this.previews?.owns(node)) return this.previews.rendered(node);
    return this.stacks.owns(node) ? this.stacks.rendered(node) : undefined;
  }

  /**
   * Names the planes that are decoded together with the one at a region of a rendered file, in whatever file they are
   * shown; undefined where each is decoded alone. Cheap: asked at every read.
   */
  decodedTogether(node: number, region: Region): string | undefined {
    const { planeGroups, planes } = this.shared.index;
    if (!planeGroups) return undefined;
    const image = this.#grouped.get(node) ?? this.renderedImage(node);
    if (!image) return undefined;
    this.#grouped.set(node, image);
    const plane = image.planeAt(region);
    const file = plane === undefined ? undefined : planes.files[plane];
    const groups = file === undefined ? undefined : kindAt(planeGroups, file);
    return groups && `${file}\0${groupOfPage(groups, planes.pages[plane ?? 0] ?? 0)}`;
  }

  /** Whether a node is a file that is put together from planes, known without asking a source. */
  isRendered(node: number): boolean {
    const view = this.#viewOf(node);
    if (!view || view === this.tables || view.isDirectory(node) || !view.isKnown(node)) return false;
    return view.attributes(node) !== undefined && view.content(node).kind === 'rendered';
  }

  /** Where a plane's pixels are. */
  planeLocation(plane: number): PlaneLocation {
    return planeLocation(this.shared.index, this.files, plane);
  }

  pathOf(node: number): string {
    if (node === ROOT_NODE) return '';
    if (node === OPENHCS_DOCUMENT.node) return OPENHCS_DOCUMENT.name;
    const view = this.#viewOf(node);
    if (!view) throw new Error(`node ${node} does not exist`);
    return node === view.root ? view.name : `${view.name}/${view.pathOf(node)}`;
  }

  resolve(path: string): number | undefined {
    return resolvePath(this, path);
  }

  facts(node: number): ReadonlyMap<string, string> {
    const facts = new Map<string, string>();
    if (node === ROOT_NODE) {
      facts.set('plate', this.shared.index.facts.name);
      facts.set('format', this.shared.index.facts.format);
      facts.set('source', this.shared.index.rootPath);
    } else this.#viewOf(node)?.addFacts(node, facts);
    return facts;
  }
}
