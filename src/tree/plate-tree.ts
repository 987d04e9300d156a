import type { ImageEncoder } from '../encoders.ts';
import type { PlateIndex } from '../model/plate-index.ts';
import { type PlaneLocation, planeLocation } from './plane-access.ts';
import { PlateFiles } from './plate-files.ts';
import type { RenderedImage } from './rendered-image.ts';
import type { SharedTree } from './shared-tree.ts';
import { ROOT_NODE, type Tree, type TreeAttributes, type TreeContent } from './tree.ts';
import { DocumentsView, documentAttributes, isDocument, OPENHCS_DOCUMENT } from './views/documents.ts';
import { ImagesView } from './views/images.ts';
import { SourceView } from './views/source.ts';
import { type Probe, StacksView } from './views/stacks.ts';
import type { View } from './views/view.ts';

/** The tree of one plate: a folder per view, and the document that OpenHCS looks for. */
export class PlateTree implements Tree {
  readonly shared: SharedTree;
  readonly #index: PlateIndex;
  readonly files: PlateFiles;
  readonly #images: ImagesView;
  readonly #stacks: StacksView;
  readonly #views: readonly View[];

  constructor(shared: SharedTree, encoders: readonly ImageEncoder[], probe: Probe) {
    this.shared = shared;
    this.#index = shared.index;
    const byId = new Map(encoders.map((encoder) => [encoder.id, encoder]));
    const files = new PlateFiles(shared.index);
    this.files = files;
    this.#images = new ImagesView(shared, files, byId.get('tiff'));
    this.#stacks = new StacksView(shared, files, byId, probe);
    this.#views = [this.#images, this.#stacks, new SourceView(shared, files), new DocumentsView(shared)];
  }

  /** The view a node belongs to; undefined for the root and what lies in it beside the views. */
  #viewOf(node: number): View | undefined {
    for (const view of this.#views) if (view.owns(node)) return view;
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
    return this.#views.find((view) => view.name === name)?.root;
  }

  entryCount(directory: number): number {
    if (directory === ROOT_NODE) return this.#views.length + 1;
    return this.#viewOf(directory)?.entryCount(directory) ?? 0;
  }

  entryAt(directory: number, position: number): { readonly name: string; readonly node: number } | undefined {
    if (directory !== ROOT_NODE) return this.#viewOf(directory)?.entryAt(directory, position);
    const view = this.#views[position];
    if (view) return { name: view.name, node: view.root };
    return position === this.#views.length ? OPENHCS_DOCUMENT : undefined;
  }

  *names(directory: number): Generator<string> {
    const count = this.entryCount(directory);
    for (let position = 0; position < count; position++) {
      const entry = this.entryAt(directory, position);
      if (entry) yield entry.name;
    }
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

  refreshNode(node: number): void {
    this.#viewOf(node)?.refresh(node);
  }

  content(node: number): TreeContent {
    if (this.isDocument(node)) return { kind: 'document' };
    const view = this.#viewOf(node);
    if (!view) throw new Error(`node ${node} is no file`);
    return view.content(node);
  }

  /** How a file is put together when it is read; undefined for every other. @throws when no plane can be read. */
  renderedImage(node: number): RenderedImage | undefined {
    if (this.#images.owns(node)) return this.#images.rendered(node);
    return this.#stacks.owns(node) ? this.#stacks.rendered(node) : undefined;
  }

  /** Where a plane's pixels are. */
  planeLocation(plane: number): PlaneLocation {
    return planeLocation(this.#index, this.files, plane);
  }

  /** Finds out the shapes of a field's stacks, which is slow once. @throws when none of its planes can be read. */
  learnShapes(field: number): void {
    this.#stacks.learnShapes(field);
  }

  pathOf(node: number): string {
    if (node === ROOT_NODE) return '';
    if (node === OPENHCS_DOCUMENT.node) return OPENHCS_DOCUMENT.name;
    const view = this.#viewOf(node);
    if (!view) throw new Error(`node ${node} does not exist`);
    return node === view.root ? view.name : `${view.name}/${view.pathOf(node)}`;
  }

  resolve(path: string): number | undefined {
    let node: number | undefined = ROOT_NODE;
    if (path === '') return node;
    for (const name of path.split('/')) {
      node = this.lookup(node, name);
      if (node === undefined) return undefined;
    }
    return node;
  }

  facts(node: number): ReadonlyMap<string, string> {
    const facts = new Map<string, string>();
    if (node === ROOT_NODE) {
      facts.set('plate', this.#index.facts.name);
      facts.set('format', this.#index.facts.format);
      facts.set('source', this.#index.rootPath);
    } else this.#viewOf(node)?.addFacts(node, facts);
    return facts;
  }
}
