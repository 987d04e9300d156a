import { AbandonedLandings } from './abandoned-landings.ts';
import {
  type Abandoned,
  FIRST_OVERLAY_INODE,
  isDirectory,
  isOverlayNode,
  type OverlayInode,
  type Place,
} from './inode.ts';
import { giveName, isFirstName, preferName, takeName } from './inode-names.ts';
import { changeState, firstState, nsOf, type StateRecord } from './inode-state.ts';
import type { LowerTree } from './lower-tree.ts';
import type { MadeInode, OverlayRecord } from './records.ts';

/** The name is hidden though the tree has it. */
export const WHITEOUT = 0;

/** A name in the overlay. `order` grows with every entry made, so that a listing can go on where it stopped. */
export interface OverlayEntry {
  readonly node: number;
  readonly order: number;
}

/** What applying a record did to inodes, for whoever keeps their bytes. */
export interface Applied {
  /** Inodes that lost their last name. */
  readonly unlinked: readonly OverlayInode[];
}

const NOTHING: Applied = { unlinked: [] };

/**
 * The names and states of everything written, as one value that `apply` moves from record to record: the same
 * code runs when a change happens and when the journal is replayed. Does no I/O.
 */
export class Namespace {
  readonly inodes = new Map<number, OverlayInode>();
  /** Directory node → name → node, or WHITEOUT. Only names that differ from the tree. */
  readonly #entries = new Map<number, Map<string, OverlayEntry>>();
  #nextOrder = 1;
  /** Tree nodes that hang elsewhere than the tree says. */
  readonly #moved = new Map<number, Place>();
  /** Folders in the overlay's own folders, counted as they come and go. */
  readonly #subfolders = new Map<number, number>();
  /** When the list of a tree folder last changed. */
  readonly #directoryChangedMs = new Map<number, number>();
  /** The last request carried out, and the node it concerned. */
  lastRequest: { unique: string; node: number } | undefined;
  /** Names that the last hook result or discard brought; the kernel may not have heard of them if a daemon died. */
  lastPublished: readonly Place[] = [];
  nextInode = FIRST_OVERLAY_INODE;
  readonly #abandoned = new AbandonedLandings();
  readonly #lower: LowerTree;

  constructor(lower: LowerTree) {
    this.#lower = lower;
  }

  /** Landings to be removed, by their id. */
  get abandoned(): ReadonlyMap<number, Abandoned> {
    return this.#abandoned.all;
  }

  /** The node of a name in the merged view, or undefined. */
  lookup(parent: number, name: string): number | undefined {
    const entry = this.#entries.get(parent)?.get(name);
    if (entry !== undefined) return entry.node === WHITEOUT ? undefined : entry.node;
    return !isOverlayNode(parent) ? this.#lower.lookup(parent, name) : undefined;
  }

  /** All of the overlay's own entries: directory node → name → node, or WHITEOUT. */
  get entries(): ReadonlyMap<number, ReadonlyMap<string, OverlayEntry>> {
    return this.#entries;
  }

  /** The overlay's own entries of a directory, in the order they came; whiteouts included. */
  entriesOf(parent: number): ReadonlyMap<string, OverlayEntry> | undefined {
    return this.#entries.get(parent);
  }

  /** When the list of a tree folder was last changed here; undefined when it never was. */
  directoryChangedMs(node: number): number | undefined {
    return this.#directoryChangedMs.get(node);
  }

  /** How many folders one of the overlay's own folders holds. */
  subfolderCount(directory: number): number {
    return this.#subfolders.get(directory) ?? 0;
  }

  isDirectory(node: number): boolean {
    if (!isOverlayNode(node)) return this.#lower.isDirectory(node);
    const inode = this.inodes.get(node);
    return inode !== undefined && isDirectory(inode);
  }

  isEmpty(directory: number): boolean {
    const entries = this.#entries.get(directory);
    if (entries) for (const { node } of entries.values()) if (node !== WHITEOUT) return false;
    if (isOverlayNode(directory)) return true;
    for (const name of this.#lower.names(directory)) if (!entries?.has(name)) return false;
    return true;
  }

  /** Path below the mount's root, or undefined for something that was unlinked. */
  pathOf(node: number): string | undefined {
    const names: string[] = [];
    for (let current = node; ; ) {
      const place = isOverlayNode(current) ? this.inodes.get(current)?.place : this.#moved.get(current);
      if (place === undefined) {
        if (isOverlayNode(current)) return undefined;
        const base = this.#lower.pathOf(current);
        // Where a tree folder was moved, what lies in it moved along.
        if (this.#moved.size > 0 && base !== '') {
          const cut = base.lastIndexOf('/');
          const parent = this.#lower.resolve(base.slice(0, Math.max(0, cut)));
          if (parent === undefined) return undefined;
          names.push(base.slice(cut + 1));
          current = parent;
          continue;
        }
        const rest = names.reverse().join('/');
        return base === '' || rest === '' ? base + rest : `${base}/${rest}`;
      }
      names.push(place.name);
      current = place.parent;
    }
  }

  /** Whether `node` is `ancestor` or lies below it. */
  isBelow(node: number, ancestor: number): boolean {
    for (let at: number | undefined = node; at !== undefined; at = this.parentOf(at))
      if (at === ancestor) return true;
    return false;
  }

  /** The directory that a directory lies in; undefined for the root and for what was removed. */
  parentOf(node: number): number | undefined {
    if (isOverlayNode(node)) return this.inodes.get(node)?.place?.parent;
    const place = this.#moved.get(node);
    if (place) return place.parent;
    const path = this.#lower.pathOf(node);
    return path === '' ? undefined : this.#lower.resolve(path.slice(0, Math.max(0, path.lastIndexOf('/'))));
  }

  #put(place: Place, node: number): void {
    let entries = this.#entries.get(place.parent);
    if (!entries) this.#entries.set(place.parent, (entries = new Map()));
    entries.delete(place.name);
    entries.set(place.name, { node, order: this.#nextOrder++ });
    this.#countFolder(place.parent, node, 1);
    if (isOverlayNode(node)) {
      const inode = this.inodes.get(node);
      if (inode) giveName(inode, place);
    } else if (node !== WHITEOUT) {
      if (this.#lower.lookup(place.parent, place.name) === node) {
        entries.delete(place.name);
        this.#moved.delete(node);
      } else this.#moved.set(node, { parent: place.parent, name: place.name });
    }
  }

  #countFolder(parent: number, node: number, by: 1 | -1): void {
    if (node === WHITEOUT || !isOverlayNode(parent) || !this.isDirectory(node)) return;
    this.#subfolders.set(parent, this.subfolderCount(parent) + by);
  }

  #listChanged(directory: number, atMs: number): void {
    const inode = this.inodes.get(directory);
    if (inode) inode.mtimeNs = inode.changedNs = nsOf(atMs);
    else this.#directoryChangedMs.set(directory, atMs);
  }

  /** Takes a name away; the tree's own name below it, if any, stays hidden. @returns an inode whose last it was. */
  #clear(place: Place, atMs: number): OverlayInode[] {
    const entries = this.#entries.get(place.parent);
    const node = entries?.get(place.name)?.node;
    entries?.delete(place.name);
    if (node !== undefined) this.#countFolder(place.parent, node, -1);
    if (!isOverlayNode(place.parent) && this.#lower.lookup(place.parent, place.name) !== undefined) {
      this.#put(place, WHITEOUT);
    }
    if (node === undefined) return [];
    const inode = this.inodes.get(node);
    if (!inode) {
      // A tree node that hung here; whoever brings it back finds it where the tree has it.
      this.#moved.delete(node);
      return [];
    }
    takeName(inode, place);
    inode.changedNs = nsOf(atMs);
    return inode.place ? [] : [inode];
  }

  #make(made: MadeInode, atMs: number): OverlayInode[] {
    const replaced = this.#clear(made, atMs);
    this.#begin(made, atMs);
    this.#put(made, made.inode);
    this.#listChanged(made.parent, atMs);
    return replaced;
  }

  #begin(made: Omit<MadeInode, 'parent' | 'name'>, atMs: number): void {
    this.inodes.set(made.inode, firstState(made, atMs));
    this.nextInode = Math.max(this.nextInode, made.inode + 1);
  }

  #move(record: Extract<OverlayRecord, { op: 'move' }>): OverlayInode[] {
    const nodeAt = (place: Place, tree: string | undefined): number | undefined =>
      tree === undefined ? this.#entries.get(place.parent)?.get(place.name)?.node : this.#lower.resolve(tree);
    const moving = nodeAt(record.from, record.tree);
    const other = record.exchange ? nodeAt(record.to, record.otherTree) : undefined;
    if (moving === undefined || moving === WHITEOUT) return [];
    const isFirst = (node: number | undefined, place: Place): boolean => {
      const inode = node === undefined ? undefined : this.inodes.get(node);
      return inode !== undefined && isFirstName(inode, place);
    };
    const movesFirst = isFirst(moving, record.from);
    const otherMovesFirst = isFirst(other, record.to);
    const unlinked = this.#clear(record.from, record.at).filter((inode) => inode.number !== moving);
    unlinked.push(...this.#clear(record.to, record.at).filter((inode) => inode.number !== other));
    this.#rename(record.to, moving, movesFirst);
    if (other !== undefined && other !== WHITEOUT) this.#rename(record.from, other, otherMovesFirst);
    for (const place of [record.from, record.to]) this.#listChanged(place.parent, record.at);
    return unlinked;
  }

  /** Puts what had another name here; its first name stays its first. */
  #rename(place: Place, node: number, wasFirst: boolean): void {
    this.#put(place, node);
    const inode = this.inodes.get(node);
    if (inode && wasFirst) preferName(inode, place);
  }

  #link(record: Extract<OverlayRecord, { op: 'linked' }>): OverlayInode[] {
    const inode = this.inodes.get(record.inode);
    if (!inode) return [];
    const unlinked = this.#clear(record.place, record.at);
    this.#put(record.place, record.inode);
    inode.changedNs = nsOf(record.at);
    this.#listChanged(record.place.parent, record.at);
    return unlinked;
  }

  /** The overlay says nothing of these names any more. */
  #reveal(places: readonly Place[], atMs: number): OverlayInode[] {
    const unlinked: OverlayInode[] = [];
    for (const { parent, name } of places) {
      const entries = this.#entries.get(parent);
      const node = entries?.get(name)?.node;
      if (node === undefined) continue;
      entries?.delete(name);
      this.#countFolder(parent, node, -1);
      this.#listChanged(parent, atMs);
      if (node === WHITEOUT) continue;
      const inode = this.inodes.get(node);
      if (inode) {
        takeName(inode, { parent, name });
        inode.changedNs = nsOf(atMs);
        if (!inode.place) unlinked.push(inode);
      } else this.#moved.delete(node);
    }
    this.lastPublished = places;
    return unlinked;
  }

  /** The one way the namespace changes. */
  apply(record: OverlayRecord): Applied {
    switch (record.op) {
      case 'make': {
        const unlinked = this.#make(record, record.at);
        this.#note(record.unique, record.inode);
        return { unlinked };
      }
      case 'move': {
        const unlinked = this.#move(record);
        this.#note(record.unique, 0);
        return { unlinked };
      }
      case 'nameless':
        this.#begin(record, record.at);
        this.#note(record.unique, record.inode);
        return NOTHING;
      case 'linked': {
        const unlinked = this.#link(record);
        this.#note(record.unique, record.inode);
        return { unlinked };
      }
      case 'remove': {
        const unlinked = this.#clear(record.place, record.at);
        this.#listChanged(record.place.parent, record.at);
        this.#note(record.unique, 0);
        return { unlinked };
      }
      case 'batch':
        return { unlinked: record.records.flatMap((one) => this.apply(one).unlinked) };
      case 'revealed':
        return { unlinked: this.#reveal(record.places, record.at) };
      case 'published': {
        const unlinked = record.made.flatMap((made) => this.#make(made, record.at));
        for (const made of record.made) this.#sealOf(made.inode);
        this.lastPublished = record.made.map(({ parent, name }) => ({ parent, name }));
        this.#endHook(record.source);
        return { unlinked };
      }
      case 'hook-ended':
        this.#endHook(record);
        return NOTHING;
      case 'xattr':
        this.#note(record.unique, record.inode);
        return this.#change(record);
      case 'attributes':
      case 'touched':
      case 'split':
      case 'opened':
      case 'sealed':
      case 'recalled':
      case 'restored':
        return this.#change(record);
      case 'landed': {
        const inode = this.inodes.get(record.inode);
        if (inode) this.#abandoned.replaced(inode.landed ?? inode.previous, record.record);
        return this.#change(record);
      }
      case 'abandoned':
        this.#abandoned.note(record);
        return NOTHING;
      case 'cleared':
        this.#abandoned.cleared(record.id);
        return NOTHING;
      case 'dropped': {
        const inode = this.inodes.get(record.inode);
        this.#abandoned.gone(inode?.landed ?? inode?.previous);
        this.inodes.delete(record.inode);
        this.#entries.delete(record.inode);
        this.#subfolders.delete(record.inode);
        return NOTHING;
      }
      case 'whiteout':
        this.#put(record.place, WHITEOUT);
        return NOTHING;
      case 'placed': {
        const node = this.#lower.resolve(record.tree);
        if (node !== undefined) this.#put(record.place, node);
        return NOTHING;
      }
      case 'next':
        this.nextInode = Math.max(this.nextInode, record.inode);
        return NOTHING;
    }
  }

  #change(record: StateRecord): Applied {
    const inode = this.inodes.get(record.inode);
    if (inode) changeState(inode, record);
    return NOTHING;
  }

  #note(unique: string | undefined, node: number): void {
    if (unique !== undefined) this.lastRequest = { unique, node };
  }

  #sealOf(number: number): void {
    const inode = this.inodes.get(number);
    if (inode) inode.sealed = true;
  }

  #endHook(source: { readonly inode: number; readonly version: number; readonly rule: string }): void {
    const inode = this.inodes.get(source.inode);
    if (!inode || inode.version !== source.version) return;
    inode.hooksDone ??= new Set();
    inode.hooksDone.add(source.rule);
  }
}
