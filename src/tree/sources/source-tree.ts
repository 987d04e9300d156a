import { FsRefusal } from '../../core/errors.ts';
import { type IndexedSource, isMeasured, measuredBytes } from '../../model/indexed-source.ts';
import { isUrl } from '../../model/source-url.ts';
import { PlateFiles } from '../plate-files.ts';
import { ngffVersionOf, type SharedTree } from '../shared-tree.ts';
import {
  ROOT_NODE,
  resolvePath,
  type Tree,
  type TreeAttributes,
  type TreeContent,
  type TreeEntry,
} from '../tree.ts';
import { DocumentsView, isDocument } from '../views/documents.ts';
import { OwnFiles } from './own-files.ts';
import { addSourceFacts } from './source-facts.ts';
import type { FolderNode, ItemNode } from './source-node.ts';
import { SourceNodes } from './source-nodes.ts';

/** The folder with a source's own bytes. */
const OWN = 'source';
/** Cookies of what stands in a folder beside the files that sources are shown as. */
const OWN_COOKIE = 2 ** 37 + 1;
const DOCUMENTS_COOKIE = 2 ** 37 + 2;
const ORDINARY_COOKIES = 2 ** 38;
const BEYOND_ORDINARY_COOKIES = 2 ** 39;
/** Folders for stores that are one file: their node is that of the store's folder, moved by this. */
const OWN_FOLDERS = 2 ** 38;

const isZarrFolder = (item: ItemNode | undefined): boolean =>
  item?.inZarr?.zarr.isDirectory(item.inZarr.ordinal) === true;

interface TreeState {
  readonly shared: SharedTree;
  readonly files: PlateFiles;
  readonly nodes: SourceNodes;
  readonly own: OwnFiles;
  readonly documents: DocumentsView;
  /** By name. */
  readonly sources: ReadonlyMap<string, IndexedSource>;
  /** The one that is all that is mounted. */
  readonly only: IndexedSource | undefined;
}

/**
 * The tree of files and stores that are no plates. One alone is the mount's root; of a folder of them each becomes a
 * folder of the mount, and ordinary files and folders stand beside it as they are.
 */
export class SourceTree implements Tree {
  #state: TreeState;

  constructor(shared: SharedTree) {
    this.#state = SourceTree.#stateOf(shared);
  }

  static #stateOf(shared: SharedTree): TreeState {
    const found = shared.index.sources ?? [];
    const sources = new Map(found.map((source) => [source.name, source]));
    const only = sources.get('');
    const files = new PlateFiles(shared.index);
    return {
      shared,
      files,
      nodes: new SourceNodes(found, shared.items, ngffVersionOf(shared.options)),
      own: new OwnFiles(shared, files, (name) => only !== undefined || sources.has(name)),
      documents: new DocumentsView(shared),
      sources,
      only,
    };
  }

  adopt(shared: SharedTree): void {
    this.#state = SourceTree.#stateOf(shared);
  }

  get shared(): SharedTree {
    return this.#state.shared;
  }

  get files(): PlateFiles {
    return this.#state.files;
  }

  /** The file behind a node that is made of a source; undefined when it is gone. */
  itemAt(node: number): ItemNode | undefined {
    return this.#state.nodes.itemAt(node);
  }

  /** The folders that sources are shown as, for whoever compares two generations. */
  get nodes(): SourceNodes {
    return this.#state.nodes;
  }

  // ---- the folder with a source's own bytes

  #ownName(source: IndexedSource): string {
    return source.path.slice(source.path.lastIndexOf('/') + 1);
  }

  /** The node of `source/` in a source's folder. */
  #ownNode(folder: FolderNode): number | undefined {
    const { source, parent } = folder;
    if (!source || isUrl(source.path)) return undefined;
    if (source.name === '') return folder.node === ROOT_NODE ? this.#state.own.view.root : undefined;
    if (parent?.node !== ROOT_NODE) return undefined;
    return source.isFolder
      ? this.#state.own.view.lookup(this.#state.own.view.root, source.name)
      : folder.node + OWN_FOLDERS;
  }

  /** The source whose one file lies in this folder of its own. */
  #ownFolderAt(node: number): FolderNode | undefined {
    const folder = this.#state.nodes.folderAt(node - OWN_FOLDERS);
    return folder && this.#ownNode(folder) === node ? folder : undefined;
  }

  #ownFile(folder: FolderNode): number | undefined {
    const { view } = this.#state.own;
    return view.lookup(view.root, folder.name);
  }

  /** Nodes of the folders of the mount in which what lies in a directory of the index stands. */
  ownFolderNodes(directory: number): number[] {
    const { own, only } = this.#state;
    if (directory !== 0) return [own.outer(own.view.directoryNode(directory))];
    return only ? [own.view.root] : [ROOT_NODE];
  }

  /** The node of a file of the index. */
  ownFileNode(file: number): number {
    return this.#state.own.view.fileNode(file);
  }

  // ---- names

  isDirectory(node: number): boolean {
    const { nodes, own, documents } = this.#state;
    if (nodes.folderAt(node) || this.#ownFolderAt(node)) return true;
    if (nodes.owns(node)) return isZarrFolder(nodes.itemAt(node));
    if (own.owns(node)) return own.inner(node) >= 0 && own.view.isDirectory(own.inner(node));
    return documents.owns(node) && documents.isDirectory(node);
  }

  isDocument(node: number): boolean {
    return isDocument(node);
  }

  #isOrdinary(name: string): boolean {
    return this.#state.only === undefined && !this.#state.sources.has(name) && name !== '.platefs';
  }

  isReadOnly(node: number): boolean {
    const { nodes, own, documents, only } = this.#state;
    if (documents.owns(node) || this.#ownFolderAt(node)) return true;
    if (nodes.itemAt(node)?.inZarr) return true;
    if (nodes.owns(node) || node === ROOT_NODE || !own.owns(node)) return false;
    if (only !== undefined) return true;
    return !this.#isOrdinary(own.view.pathOf(own.inner(node)).split('/')[0] ?? '');
  }

  lookup(parent: number, name: string): number | undefined {
    const { nodes, own, documents } = this.#state;
    const folder = nodes.folderAt(parent);
    if (folder) {
      const child = nodes.child(folder, name);
      if (child) return child.node;
      if (name === OWN) {
        const node = this.#ownNode(folder);
        if (node !== undefined) return node;
      }
      if (parent !== ROOT_NODE) return undefined;
      if (name === documents.name) return documents.root;
      return this.#isOrdinary(name) ? own.lookup(own.view.root, name) : undefined;
    }
    const owner = this.#ownFolderAt(parent);
    if (owner) return name === this.#ownNameOf(owner) ? this.#ownFile(owner) : undefined;
    if (own.owns(parent)) return own.lookup(parent, name);
    const { inZarr } = nodes.itemAt(parent) ?? {};
    if (inZarr) {
      const ordinal = inZarr.zarr.lookup(inZarr.ordinal, name);
      return ordinal === undefined ? undefined : parent - inZarr.ordinal + ordinal;
    }
    return documents.owns(parent) ? documents.lookup(parent, name) : undefined;
  }

  #ownNameOf({ source }: FolderNode): string {
    return source ? this.#ownName(source) : '';
  }

  entryAfter(directory: number, cookie: number): TreeEntry | undefined {
    const { nodes, own, documents } = this.#state;
    const folder = nodes.folderAt(directory);
    if (!folder) {
      const owner = this.#ownFolderAt(directory);
      if (owner) {
        const node = this.#ownFile(owner);
        return cookie > 0 || node === undefined
          ? undefined
          : { name: this.#ownNameOf(owner), node, cookie: 1 };
      }
      if (own.owns(directory)) return own.entryAfter(directory, cookie);
      const { inZarr } = nodes.itemAt(directory) ?? {};
      if (inZarr) {
        const entry = inZarr.zarr.entryAfter(inZarr.ordinal, cookie);
        return (
          entry && {
            name: entry.name,
            node: directory - inZarr.ordinal + entry.ordinal,
            cookie: entry.cookie,
          }
        );
      }
      return documents.owns(directory) ? documents.entryAfter(directory, cookie) : undefined;
    }
    const child = nodes.childAfter(folder, cookie);
    if (child && child.cookie < OWN_COOKIE)
      return { name: child.name, node: child.node, cookie: child.cookie };
    return this.#besideAfter(folder, cookie) ?? child;
  }

  /** The first entry behind a cookie that no source is shown as. */
  #besideAfter(folder: FolderNode, cookie: number): TreeEntry | undefined {
    const { own, documents, only } = this.#state;
    if (cookie < OWN_COOKIE) {
      const node = this.#ownNode(folder);
      if (node !== undefined) return { name: OWN, node, cookie: OWN_COOKIE };
    }
    if (folder.node !== ROOT_NODE) return undefined;
    if (cookie < DOCUMENTS_COOKIE)
      return { name: documents.name, node: documents.root, cookie: DOCUMENTS_COOKIE };
    if (only !== undefined) return undefined;
    let inner = Math.max(0, cookie - ORDINARY_COOKIES);
    while (ORDINARY_COOKIES + inner < BEYOND_ORDINARY_COOKIES) {
      const entry = own.entryAfter(own.view.root, inner);
      if (!entry) return undefined;
      if (this.#isOrdinary(entry.name)) return { ...entry, cookie: ORDINARY_COOKIES + entry.cookie };
      inner = entry.cookie;
    }
    return undefined;
  }

  *names(directory: number): Generator<string> {
    for (let entry = this.entryAfter(directory, 0); entry; entry = this.entryAfter(directory, entry.cookie))
      yield entry.name;
  }

  // ---- what they are

  attributes(node: number): TreeAttributes | undefined {
    const { nodes, own, documents, shared } = this.#state;
    const folderOf = (mtimeMs: number): TreeAttributes => ({
      directory: true,
      sizeBytes: 0,
      mtimeMs,
      live: false,
    });
    const folder = nodes.folderAt(node) ?? this.#ownFolderAt(node);
    if (folder) return folderOf(folder.source?.mtimeMs ?? shared.changedAtMs);
    if (nodes.owns(node)) {
      const item = nodes.itemAt(node);
      if (!item) return undefined;
      if (isZarrFolder(item)) return folderOf(item.source.mtimeMs);
      if (!isMeasured(item.file)) throw new FsRefusal('io', `${item.path} is not measured yet`);
      const sizeBytes = measuredBytes(item.file);
      return { directory: false, sizeBytes, mtimeMs: item.source.mtimeMs, live: false };
    }
    if (own.owns(node)) return own.inner(node) < 0 ? undefined : own.view.attributes(own.inner(node));
    return documents.owns(node) ? documents.attributes(node) : undefined;
  }

  isKnown(node: number): boolean {
    const { nodes, own } = this.#state;
    if (nodes.folderAt(node) || nodes.owns(node) || !own.owns(node)) return true;
    return own.inner(node) < 0 || own.view.isKnown(own.inner(node));
  }

  isMeasured(node: number): boolean {
    return this.#state.nodes.isMeasured(node);
  }

  refreshNode(node: number): void {
    const { own } = this.#state;
    if (own.owns(node) && own.inner(node) >= 0) own.view.refresh(own.inner(node));
  }

  content(node: number): TreeContent {
    const { nodes, own } = this.#state;
    if (isDocument(node)) return { kind: 'document' };
    if (nodes.owns(node)) return { kind: 'rendered' };
    if (!own.owns(node)) throw new Error(`node ${node} is no file`);
    return own.view.content(own.inner(node));
  }

  pathOf(node: number): string {
    const { nodes, own, documents } = this.#state;
    const folder = nodes.folderAt(node);
    if (folder) return folder.path;
    const item = nodes.itemAt(node);
    if (item) return item.path;
    const owner = this.#ownFolderAt(node);
    if (owner) return `${owner.path}/${OWN}`;
    if (documents.owns(node))
      return node === documents.root ? documents.name : `${documents.name}/${documents.pathOf(node)}`;
    if (!own.owns(node)) throw new Error(`node ${node} does not exist`);
    return this.#ownPath(own.view.pathOf(own.inner(node)));
  }

  /** The path in the mount of a path below the index's root. */
  #ownPath(path: string): string {
    const { only, sources } = this.#state;
    if (only) return path === '' ? OWN : `${OWN}/${path}`;
    const [top = '', ...rest] = path.split('/');
    const source = sources.get(top);
    if (!source) return path;
    return [top, OWN, ...(source.isFolder ? rest : [top])].join('/');
  }

  resolve(path: string): number | undefined {
    return resolvePath(this, path);
  }

  facts(node: number): ReadonlyMap<string, string> {
    const facts = new Map<string, string>();
    const { nodes, own, shared } = this.#state;
    const folder = nodes.folderAt(node);
    const item = nodes.itemAt(node);
    if (folder?.source) addSourceFacts(folder.source, undefined, facts);
    else if (item) addSourceFacts(item.source, item, facts);
    else if (node === ROOT_NODE) facts.set('source', shared.index.rootPath);
    else if (own.owns(node) && own.inner(node) >= 0) own.view.addFacts(own.inner(node), facts);
    return facts;
  }
}
