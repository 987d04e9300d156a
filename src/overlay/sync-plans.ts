import { isDeepStrictEqual } from 'node:util';
import type { SumsOfUnits } from '../core/unit-sums.ts';
import type { Journal } from '../journal/journal.ts';
import type { DataPiece, DataStore } from './data-store.ts';
import type { SyncedState } from './durable-log.ts';
import { isFile } from './inode.ts';
import type { Namespace } from './namespace.ts';
import type { SyncPlan } from './synced-files.ts';

/** A sync of one file: what to add to which log. */
export interface SyncItem {
  readonly inode: number;
  readonly pieces: readonly DataPiece[];
  readonly state: SyncedState;
  /** Of all of it, where it has any. */
  readonly sums?: SumsOfUnits;
  /** Whether bytes only go to the disk ahead of a sync that is to come: a power loss finds nothing of them. */
  readonly isAhead: boolean;
  readonly plan: SyncPlan;
}

/** What must be done so that files and names survive power loss, for a thread that may wait for the disk. */
export class SyncPlans {
  readonly #names: Namespace;
  readonly #store: DataStore;
  readonly #journal: Journal;

  constructor(names: Namespace, store: DataStore, journal: Journal) {
    this.#names = names;
    this.#store = store;
    this.#journal = journal;
  }

  /**
   * Begins to make a file survive power loss. Undefined where there is nothing to do but to sync the names.
   * @param isChecked - Whether bytes that are not what was written are refused.
   * @param isAhead - Whether this is only to leave less to the next one.
   */
  beginFile(node: number, isChecked = true, isAhead = false): SyncItem | undefined {
    const inode = this.#names.inodes.get(node);
    if (!inode || !isFile(inode) || inode.landed || this.#store.synced.isClean(node)) return undefined;
    const { sizeBytes, mtimeNs, atimeNs } = this.#store.stat(inode);
    const sums = this.#store.sums.of(node, 0, sizeBytes);
    const { synced } = this.#store;
    const splitAt = synced.isSpillDoubted(node) ? Number.POSITIVE_INFINITY : inode.splitAt;
    return {
      inode: node,
      pieces: this.#store.pieces(inode),
      state: { sizeBytes, splitAt, mtimeNs, atimeNs },
      ...(sums === undefined || !isChecked ? {} : { sums }),
      isAhead,
      plan: synced.begin(node, sizeBytes, isAhead),
    };
  }

  /** Whether a file, and every name, survives power loss as it is. */
  isSafe(node: number): boolean {
    return this.#journal.isSafe && this.#store.synced.isClean(node);
  }

  /** Whether the bytes of a file lie elsewhere than when a sync of it began. */
  hasMoved({ inode: node, pieces, state, sums }: SyncItem): boolean {
    const inode = this.#names.inodes.get(node);
    if (!inode || !isFile(inode)) return false;
    if (inode.landed !== undefined || !isDeepStrictEqual(this.#store.pieces(inode), pieces)) return true;
    // Or they were written meanwhile, so that they could not be what they had been.
    return sums !== undefined && !isDeepStrictEqual(this.#store.sums.of(node, 0, state.sizeBytes), sums);
  }

  /**
   * Begins to make names survive power loss.
   * @returns how much of the journal is to be synced, and what nobody needs once it is.
   * @throws the system's error when a sync failed before and what was appended since can't be written anew.
   */
  beginNames(): { readonly journalBytes: number; readonly unwanted: readonly string[] } {
    this.#journal.trust();
    return { journalBytes: this.#journal.sizeBytes, unwanted: this.#store.synced.takeUnwanted() };
  }

  /** A sync of names ended, well or not. */
  endNames(journalBytes: number, unwanted: readonly string[], isSafe: boolean): void {
    const { synced } = this.#store;
    if (isSafe) {
      this.#journal.synced(journalBytes);
      synced.removed(unwanted);
      return;
    }
    this.#journal.distrust();
    for (const path of unwanted) synced.removeLater(path);
  }
}
