import { isOverlayNode } from '../overlay/inode.ts';
import { type OverlayEntry, WHITEOUT } from '../overlay/namespace.ts';
import type { Overlay } from '../overlay/overlay.ts';
import { ROOT_NODE, type Tree } from '../tree/tree.ts';
import type { Attributes } from './attributes.ts';
import type { DirectorySink, Entry } from './file-system.ts';

/** `.` and `..` take the cookies 1 and 2, tree entries follow: their own begin with 1. */
const TREE_COOKIE = 2;
/** Overlay entries come after every possible tree entry. */
const OVERLAY_COOKIE = 2 ** 44;
const MAX_KEPT_CURSORS = 64;
/** For how long one reply may ask the source; a local disk answers for all of its entries in less. */
const PATIENCE_MS = 2;

interface Cursor {
  readonly directory: number;
  readonly entries: IterableIterator<[string, OverlayEntry]>;
  /** Taken from the iterator but not yet accepted by a sink. */
  pending: [string, OverlayEntry] | undefined;
}

/**
 * Lists the merged view of a directory. A cookie stays good while entries come and go: those of the tree are
 * permanent, and overlay entries are numbered in the order they were made.
 */
export class Listing {
  readonly #tree: Tree;
  readonly #overlay: Overlay;
  readonly #attributes: Attributes;
  readonly #entryOf: (node: number, mayAsk: boolean) => Entry | undefined;
  /** Where the last listings of overlay entries stopped, by the cookie they go on from. */
  readonly #cursors = new Map<string, Cursor>();
  #patienceEndMs = 0;

  constructor(
    tree: Tree,
    overlay: Overlay,
    attributes: Attributes,
    entryOf: (node: number, mayAsk: boolean) => Entry | undefined,
  ) {
    this.#tree = tree;
    this.#overlay = overlay;
    this.#attributes = attributes;
    this.#entryOf = entryOf;
  }

  /**
   * Fills `sink` from `cookie` on, until it is full or the directory ends. Attributes that the source must be
   * asked for are given as long as it answers quickly; the kernel asks for the others when somebody wants them.
   */
  list(directory: number, cookie: number, sink: DirectorySink): void {
    this.#patienceEndMs = performance.now() + PATIENCE_MS;
    if (cookie < 1 && !sink.add('.', directory, this.#attributes.typeOf(directory), 1)) return;
    if (cookie < 2) {
      const parent = this.#overlay.names.parentOf(directory) ?? ROOT_NODE;
      if (!sink.add('..', parent, this.#attributes.typeOf(parent), 2)) return;
    }
    if (cookie < OVERLAY_COOKIE && !isOverlayNode(directory)) {
      const over = this.#overlay.names.entriesOf(directory);
      const from = Math.max(0, cookie - TREE_COOKIE);
      for (
        let entry = this.#tree.entryAfter(directory, from);
        entry;
        entry = this.#tree.entryAfter(directory, entry.cookie)
      ) {
        // A name that the tree has keeps its position when it is written, so that no listing shows it twice.
        const written = over?.get(entry.name)?.node;
        if (written === WHITEOUT) continue;
        if (!this.#add(sink, entry.name, written ?? entry.node, TREE_COOKIE + entry.cookie)) return;
      }
    }
    this.#listOverlay(directory, Math.max(cookie, OVERLAY_COOKIE), sink);
  }

  #add(sink: DirectorySink, name: string, node: number, next: number): boolean {
    const entry = sink.plus ? this.#entryOf(node, performance.now() < this.#patienceEndMs) : undefined;
    return sink.add(name, node, this.#attributes.typeOf(node), next, entry);
  }

  #listOverlay(directory: number, cookie: number, sink: DirectorySink): void {
    const entries = this.#overlay.names.entriesOf(directory);
    if (!entries) return;
    const key = `${directory}:${cookie}`;
    const kept = this.#cursors.get(key);
    this.#cursors.delete(key);
    const cursor: Cursor = kept ?? { directory, entries: entries.entries(), pending: undefined };
    let reached = cookie;
    for (;;) {
      const item = cursor.pending ?? cursor.entries.next().value;
      cursor.pending = undefined;
      if (item === undefined) return;
      const [name, { node, order }] = item;
      const next = OVERLAY_COOKIE + order;
      if (!isOverlayNode(directory) && this.#tree.lookup(directory, name) !== undefined) continue;
      if (node === WHITEOUT || next <= cookie || entries.get(name)?.order !== order) continue;
      if (!this.#add(sink, name, node, next)) {
        cursor.pending = item;
        break;
      }
      reached = next;
    }
    if (this.#cursors.size >= MAX_KEPT_CURSORS) {
      const oldest = this.#cursors.keys().next().value;
      if (oldest !== undefined) this.#cursors.delete(oldest);
    }
    this.#cursors.set(`${directory}:${reached}`, cursor);
  }
}
