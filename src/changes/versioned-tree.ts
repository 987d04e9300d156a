import { LRUCache } from 'lru-cache';
import { isDirectory as isFolder, isOverlayNode, type OverlayInode } from '../overlay/inode.ts';
import { Namespace, type OverlayEntry, WHITEOUT } from '../overlay/namespace.ts';
import {
  ROOT_NODE,
  resolvePath,
  type Tree,
  type TreeAttributes,
  type TreeContent,
  type TreeEntry,
} from '../tree/tree.ts';
import type { RevisionStore } from './revision-store.ts';
import { isVersionNode, VERSIONS_NODE, type VersionNodes, type VersionPlace } from './version-nodes.ts';

const FOLDER = '.platefs';
const NAME = 'versions';
/** Names of as many revisions stay in memory. */
const LOADED = 4;
/** And lists of as many folders. */
const LISTED = 16;
/** Entries of a revision's own come behind the tree's, but for parts of the mount (`MountTree`). */
const WRITTEN_COOKIES = 2 ** 39;

/**
 * A mount's tree with `.platefs/versions`: each revision of what was written, laid over the same tree, read-only. What
 * the plate has grown by since shows in all of them.
 */
export class VersionedTree implements Tree {
  readonly #base: Tree;
  readonly #store: RevisionStore;
  readonly #nodes: VersionNodes;
  readonly #folder: number | undefined;
  readonly #waiting = new Map<number, Set<number>>();
  readonly #loaded = new LRUCache<number, Namespace>({ max: LOADED });
  readonly #lists = new LRUCache<string, readonly (readonly [string, OverlayEntry])[]>({ max: LISTED });

  constructor(base: Tree, store: RevisionStore, nodes: VersionNodes) {
    this.#base = base;
    this.#store = store;
    this.#nodes = nodes;
    this.#folder = base.lookup(ROOT_NODE, FOLDER);
  }

  /** Revisions came or went. */
  reload(): void {
    this.#nodes.reload();
    this.#loaded.clear();
    this.#lists.clear();
  }

  /** The tree is another one. */
  treeChanged(): void {
    this.#loaded.clear();
    this.#lists.clear();
  }

  /** Names of a revision; undefined where there is none. */
  namesIn(revision: number): Namespace | undefined {
    return this.#store.has(revision) ? this.#names(revision) : undefined;
  }

  #names(revision: number): Namespace {
    const known = this.#loaded.get(revision);
    if (known) return known;
    const names = new Namespace(this.#base);
    for (const record of this.#store.records(revision)) names.apply(record);
    this.#loaded.set(revision, names);
    return names;
  }

  /** Notes who waits for a measure. @returns the mount's own node that has to be measured for a node. */
  measuredBy(node: number): number {
    const base = this.baseOf(node) ?? node;
    this.#waiting.set(base, new Set(this.#waiting.get(base)).add(node));
    return base;
  }

  /** Nodes that waited for a measure of a node, which ends their waiting. */
  shownAs(base: number): Iterable<number> {
    const waiting = this.#waiting.get(base) ?? [base];
    this.#waiting.delete(base);
    return waiting;
  }

  /** The node of the mount's own tree that shows the same; undefined for what was written. */
  baseOf(node: number): number | undefined {
    if (!isVersionNode(node)) return node;
    const place = this.#nodes.placeOf(node);
    return place && !isOverlayNode(place.node) ? place.node : undefined;
  }

  #placeOf(node: number): VersionPlace | undefined {
    return isVersionNode(node) ? this.#nodes.placeOf(node) : undefined;
  }

  #inodeOf({ revision, node }: VersionPlace): OverlayInode | undefined {
    return this.#names(revision).inodes.get(node);
  }

  /** What is made anew whenever it is read, and `.platefs` itself, belongs to no revision. */
  #isShown(revision: number, node: number): boolean {
    return isOverlayNode(node)
      ? this.#names(revision).inodes.has(node)
      : !this.#base.isDocument(node) && node !== this.#folder;
  }

  lookup(parent: number, name: string): number | undefined {
    if (parent === VERSIONS_NODE) {
      const revision = /^[1-9]\d*$/.test(name) ? Number(name) : 0;
      return this.#store.has(revision) ? this.#nodes.nodeOf({ revision, node: ROOT_NODE }) : undefined;
    }
    if (parent === this.#folder && name === NAME) return VERSIONS_NODE;
    const place = this.#placeOf(parent);
    if (!place) return isVersionNode(parent) ? undefined : this.#base.lookup(parent, name);
    const { revision } = place;
    const child = this.#names(revision).lookup(place.node, name);
    if (child === undefined || !this.#isShown(revision, child)) return undefined;
    return this.#nodes.nodeOf({ revision, node: child });
  }

  isDirectory(node: number): boolean {
    if (node === VERSIONS_NODE) return true;
    if (!isVersionNode(node)) return this.#base.isDirectory(node);
    const place = this.#placeOf(node);
    return place !== undefined && this.#names(place.revision).isDirectory(place.node);
  }

  isReadOnly(node: number): boolean {
    return node === VERSIONS_NODE || isVersionNode(node) || this.#base.isReadOnly(node);
  }

  attributes(node: number): TreeAttributes | undefined {
    if (node === VERSIONS_NODE) {
      const root = this.#base.attributes(ROOT_NODE);
      // What a listing of it says may be old in the next moment.
      return root && { ...root, live: true };
    }
    if (!isVersionNode(node)) return this.#base.attributes(node);
    const place = this.#placeOf(node);
    if (!place) return undefined;
    if (!isOverlayNode(place.node)) return this.#base.attributes(place.node);
    const inode = this.#inodeOf(place);
    if (!inode) return undefined;
    const { landed, mode, mtimeNs } = inode;
    return {
      directory: isFolder(inode),
      sizeBytes: landed?.sizeBytes ?? Buffer.byteLength(inode.target ?? ''),
      mtimeMs: Number(landed?.mtimeNs ?? mtimeNs) / 1e6,
      live: false,
      mode,
    };
  }

  /** What a symbolic link of a revision leads to. */
  linkTarget(node: number): string | undefined {
    const place = this.#placeOf(node);
    return place && isOverlayNode(place.node) ? this.#inodeOf(place)?.target : undefined;
  }

  refreshNode(node: number): void {
    const base = this.baseOf(node);
    if (base !== undefined && node !== VERSIONS_NODE) this.#base.refreshNode(base);
  }

  pathOf(node: number): string {
    if (node === VERSIONS_NODE) return `${FOLDER}/${NAME}`;
    if (!isVersionNode(node)) return this.#base.pathOf(node);
    const place = this.#placeOf(node);
    if (!place) return `${FOLDER}/${NAME}`;
    const { revision } = place;
    const path = this.#names(revision).pathOf(place.node) ?? '';
    return `${FOLDER}/${NAME}/${revision}${path === '' ? '' : `/${path}`}`;
  }

  resolve(path: string): number | undefined {
    return resolvePath(this, path);
  }

  entryAfter(directory: number, cookie: number): TreeEntry | undefined {
    if (directory === VERSIONS_NODE) return this.#revisionAfter(cookie);
    const place = this.#placeOf(directory);
    if (!place) {
      if (isVersionNode(directory)) return undefined;
      const entry = this.#base.entryAfter(directory, cookie);
      if (entry || directory !== this.#folder || cookie >= WRITTEN_COOKIES) return entry;
      return { name: NAME, node: VERSIONS_NODE, cookie: WRITTEN_COOKIES };
    }
    return this.#versionEntry(place, cookie);
  }

  #revisionAfter(cookie: number): TreeEntry | undefined {
    const next = [...this.#nodes.revisions]
      .sort((a, b) => a - b)
      .find((revision) => revision > cookie && this.#store.has(revision));
    if (next === undefined) return undefined;
    const node = this.#nodes.nodeOf({ revision: next, node: ROOT_NODE });
    return node === undefined ? undefined : { name: String(next), node, cookie: next };
  }

  /** Of the tree below first, then what was written, then parts of the mount. */
  #versionEntry({ revision, node }: VersionPlace, cookie: number): TreeEntry | undefined {
    const names = this.#names(revision);
    const over = names.entriesOf(node);
    const isTree = !isOverlayNode(node);
    const entry = (name: string, child: number, at: number): TreeEntry | undefined => {
      const number = this.#isShown(revision, child)
        ? this.#nodes.nodeOf({ revision, node: child })
        : undefined;
      return number === undefined ? undefined : { name, node: number, cookie: at };
    };
    const ofTree = (from: number, end: number): TreeEntry | undefined => {
      for (
        let next = this.#base.entryAfter(node, from);
        next && next.cookie < end;
        next = this.#base.entryAfter(node, next.cookie)
      ) {
        const child = over?.get(next.name)?.node ?? next.node;
        const found = child === WHITEOUT ? undefined : entry(next.name, child, next.cookie);
        if (found) return found;
      }
      return undefined;
    };
    const first = isTree && cookie < WRITTEN_COOKIES ? ofTree(cookie, WRITTEN_COOKIES) : undefined;
    if (first) return first;
    const written = this.#listed(revision, node, over);
    for (let i = firstAfter(written, cookie - WRITTEN_COOKIES); i < written.length; i++) {
      const [name, { node: child, order }] = written[i] ?? ['', { node: WHITEOUT, order: 0 }];
      const at = WRITTEN_COOKIES + order;
      if (child === WHITEOUT) continue;
      if (isTree && this.#base.lookup(node, name) !== undefined) continue;
      const found = entry(name, child, at);
      if (found) return found;
    }
    return isTree ? ofTree(Math.max(cookie, WRITTEN_COOKIES), Number.POSITIVE_INFINITY) : undefined;
  }

  /** A folder's own entries as a list, in the order in which they came. */
  #listed(
    revision: number,
    node: number,
    entries: ReadonlyMap<string, OverlayEntry> | undefined,
  ): readonly (readonly [string, OverlayEntry])[] {
    const key = `${revision}/${node}`;
    const known = this.#lists.get(key);
    if (known) return known;
    const list = [...(entries ?? [])];
    this.#lists.set(key, list);
    return list;
  }

  *names(directory: number): Generator<string> {
    for (let entry = this.entryAfter(directory, 0); entry; entry = this.entryAfter(directory, entry.cookie))
      yield entry.name;
  }

  content(node: number): TreeContent {
    const base = this.baseOf(node);
    return base === undefined ? { kind: 'rendered' } : this.#base.content(base);
  }

  isDocument(node: number): boolean {
    return !isVersionNode(node) && node !== VERSIONS_NODE && this.#base.isDocument(node);
  }

  isKnown(node: number): boolean {
    const base = this.baseOf(node);
    return node === VERSIONS_NODE || base === undefined || this.#base.isKnown(base);
  }

  isMeasured(node: number): boolean {
    const base = this.baseOf(node);
    return node === VERSIONS_NODE || base === undefined || this.#base.isMeasured(base);
  }

  facts(node: number): ReadonlyMap<string, string> {
    const base = this.baseOf(node);
    return base === undefined || node === VERSIONS_NODE ? new Map() : this.#base.facts(base);
  }
}

/** Where the first entry stands that came after another one. */
function firstAfter(list: readonly (readonly [string, OverlayEntry])[], order: number): number {
  let low = 0;
  for (let high = list.length; low < high; ) {
    const middle = (low + high) >> 1;
    if ((list[middle]?.[1].order ?? 0) > order) high = middle;
    else low = middle + 1;
  }
  return low;
}
