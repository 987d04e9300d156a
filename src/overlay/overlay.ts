import { isDeepStrictEqual } from 'node:util';
import { FsRefusal, NoSpaceError } from '../core/errors.ts';
import { isOutOfSpace } from '../core/io.ts';
import type { Journal } from '../journal/journal.ts';
import type { DataStore, FileStat, SyncItem } from './data-store.ts';
import type { HandleLog } from './handle-log.ts';
import { type Abandoned, isFile, isOverlayNode, type OverlayInode } from './inode.ts';
import { LandingBook } from './landing-book.ts';
import type { LowerTree } from './lower-tree.ts';
import type { Namespace } from './namespace.ts';
import type { OverlayRecord, Place } from './records.ts';
import { SealedFiles } from './sealed-files.ts';

export interface NewInode extends Place {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly rdev?: number;
  readonly target?: string;
  /** A file that is whole from the start; else it begins open for writing. */
  readonly sealed?: boolean;
}

export interface OverlayParts {
  readonly journal: Journal;
  readonly store: DataStore;
  readonly handles: HandleLog;
  readonly lower: LowerTree;
  /** Called when a version is whole: its last writer closed it, or a hook published it. */
  readonly onSealed: (inode: number) => void;
  /** Called when a file that was sealed is written again or unlinked. */
  readonly onUnsealed: (inode: number) => void;
  /** Called when a landing is no longer needed; told again after a restart until {@link LandingBook.cleared}. */
  readonly onAbandoned: (abandoned: Abandoned) => void;
}

const PAGE_BYTES = 4096;
/** Copied to disk before the next request is answered: some ten milliseconds. */
const SPILL_STEP_BYTES = 16 * 2 ** 20;

/**
 * Everything written, and the only place that changes it. Each change is in the journal before it is in memory,
 * and in memory before it is acknowledged; bytes are in tmpfs or on disk before their write is. Runs in one
 * thread; every call is synchronous.
 */
export class Overlay {
  readonly names: Namespace;
  /** Closed files that have not landed. */
  readonly sealed: SealedFiles;
  /** What lies in the output folder. */
  readonly landings: LandingBook;
  readonly #parts: OverlayParts;

  private constructor(names: Namespace, parts: OverlayParts) {
    this.names = names;
    this.#parts = parts;
    const { store, handles, journal, onAbandoned } = parts;
    this.sealed = new SealedFiles(names, store);
    this.landings = new LandingBook({
      names,
      store,
      handles,
      commit: (record) => this.#commit(record),
      sync: () => journal.sync(),
      onAbandoned,
    });
  }

  /** An overlay over a replayed namespace. */
  static over(names: Namespace, parts: OverlayParts): Overlay {
    return new Overlay(names, parts);
  }

  get store(): DataStore {
    return this.#parts.store;
  }

  get handles(): HandleLog {
    return this.#parts.handles;
  }

  inode(node: number): OverlayInode | undefined {
    return this.names.inodes.get(node);
  }

  #commit(record: OverlayRecord): void {
    this.#parts.journal.append(record);
    const { unlinked } = this.names.apply(record);
    if ('inode' in record) this.sealed.changed(record.inode);
    if (record.op === 'published') for (const { inode } of record.made) this.sealed.changed(inode);
    for (const inode of unlinked) this.#unlinked(inode);
  }

  #unlinked(inode: OverlayInode): void {
    this.sealed.changed(inode.number);
    this.#parts.onUnsealed(inode.number);
    if (this.#parts.handles.countsOf(inode.number) === undefined) this.drop(inode.number);
  }

  /** Frees an unlinked inode that nobody has open any more. */
  drop(number: number): void {
    const inode = this.inode(number);
    if (!inode || inode.place !== undefined) return;
    this.#commit({ op: 'dropped', inode: number });
    if (!isFile(inode)) return;
    this.store.remove(number);
    this.landings.announceAbandoned();
  }

  /** @throws FsRefusal when names in a directory can't change. */
  checkWritable(parent: number): void {
    if (!isOverlayNode(parent) && this.#parts.lower.isReadOnly(parent)) {
      throw new FsRefusal('read-only', `${this.names.pathOf(parent)} is read-only`);
    }
  }

  /** Makes a file, directory, symlink or special file. A file begins empty. */
  make(made: NewInode, unique?: string): OverlayInode {
    const number = this.names.nextInode;
    const place = { number, splitAt: Number.POSITIVE_INFINITY };
    if (isFile(made)) this.store.create(place);
    this.#commit({
      op: 'make',
      inode: number,
      ...made,
      at: Date.now(),
      ...(unique === undefined ? {} : { unique }),
    });
    if (made.sealed) this.#parts.onSealed(number);
    return this.#known(number);
  }

  /** Takes a staged copy of a tree file in the tree file's place. */
  copyUp(made: NewInode, stagedPath: string | undefined): OverlayInode {
    const number = this.names.nextInode;
    const place = { number, splitAt: Number.POSITIVE_INFINITY };
    if (stagedPath === undefined) this.store.create(place);
    else this.store.adopt(place, stagedPath);
    this.#commit({ op: 'make', inode: number, ...made, sealed: true, at: Date.now() });
    return this.#known(number);
  }

  #known(number: number): OverlayInode {
    const inode = this.inode(number);
    if (!inode) throw new Error(`inode ${number} was just made and is not there`);
    return inode;
  }

  move(from: Place, to: Place, exchange: boolean, unique: string): void {
    const tree = this.#treePath(from);
    const otherTree = exchange ? this.#treePath(to) : undefined;
    this.#commit({
      op: 'move',
      from,
      to,
      exchange,
      ...(tree === undefined ? {} : { tree }),
      ...(otherTree === undefined ? {} : { otherTree }),
      at: Date.now(),
      unique,
    });
  }

  /** The path the tree itself gives a node that is named here, when it is the tree's. */
  #treePath(place: Place): string | undefined {
    const node = this.names.lookup(place.parent, place.name);
    return node === undefined || this.inode(node) ? undefined : this.#parts.lower.pathOf(node);
  }

  remove(place: Place, unique: string): void {
    this.#commit({ op: 'remove', place, at: Date.now(), unique });
  }

  setAttributes(inode: number, change: { mode?: number; uid?: number; gid?: number }): void {
    this.#commit({ op: 'attributes', inode, ...change, at: Date.now() });
  }

  /** Sets when a directory or symlink was changed. */
  setDirectoryTime(inode: OverlayInode, changedNs: bigint): void {
    this.#commit({ op: 'touched', inode: inode.number, changedNs: String(changedNs) });
  }

  setXattr(inode: number, name: string, value: Uint8Array | null, unique: string): void {
    this.#commit({
      op: 'xattr',
      inode,
      name,
      value: value === null ? null : Buffer.from(value).toString('base64'),
      unique,
    });
  }

  stat(inode: OverlayInode): FileStat {
    if (inode.landed) {
      const { sizeBytes, mtimeNs } = inode.landed;
      return { sizeBytes, allocatedBytes: sizeBytes, mtimeNs, ctimeNs: mtimeNs, atimeNs: mtimeNs };
    }
    return this.store.stat(inode);
  }

  /** Begins a new version if the present one was whole. Call before a program may change the bytes. */
  unseal(inode: OverlayInode): void {
    if (!inode.sealed) return;
    this.#commit({ op: 'opened', inode: inode.number, version: inode.version + 1 });
    this.#parts.onUnsealed(inode.number);
  }

  /** Declares the version whole. */
  seal(inode: OverlayInode): void {
    if (inode.sealed || !isFile(inode)) return;
    this.#commit({ op: 'sealed', inode: inode.number, version: inode.version });
    this.#parts.onSealed(inode.number);
  }

  /** Forgets that a file landed, its bytes gone from the store: it is about to be made empty. */
  recallEmpty(inode: OverlayInode): void {
    if (!inode.landed) return;
    this.#parts.handles.replaced(inode.number);
    this.store.create(inode);
    this.#commit({ op: 'recalled', inode: inode.number });
  }

  /** Takes back the bytes of a landed file, which a reader has staged in memory. */
  recall(inode: OverlayInode, stagedPath: string): void {
    const { landed } = inode;
    if (!landed) return;
    this.#parts.handles.replaced(inode.number);
    this.store.adopt(inode, stagedPath);
    this.store.setTimes(inode, landed.mtimeNs, landed.mtimeNs);
    this.#commit({ op: 'recalled', inode: inode.number });
  }

  #makeRoom(inode: OverlayInode, sizeBytes: number): void {
    const splitAt = this.store.splitNeeded(inode, sizeBytes);
    if (splitAt === undefined || splitAt >= inode.splitAt) return;
    if (inode.splitAt === Number.POSITIVE_INFINITY) this.store.files.clearSpill(inode.number);
    this.#commit({ op: 'split', inode: inode.number, splitAt });
    this.store.split(inode, splitAt);
  }

  /** Moves a file's memory from `fromBytes` on to disk, for a budget it no longer fits in or a tmpfs that is full. */
  spill(inode: OverlayInode, fromBytes = 0): void {
    if (inode.splitAt === Number.POSITIVE_INFINITY) this.store.files.clearSpill(inode.number);
    this.store.spillFrom(inode, fromBytes);
    this.#commit({ op: 'split', inode: inode.number, splitAt: fromBytes });
    this.store.freeFrom(inode, fromBytes);
  }

  /**
   * Moves memory of files that are open for writing and rest to disk, longest rested first: one step, so that
   * requests are answered between two of them.
   * @param restingSinceMs - Files that were written later than this are left alone.
   * @returns bytes of memory freed; 0 when there is nothing to be had.
   */
  spillResting(wantedBytes: number, restingSinceMs: number): number {
    const oldest = this.#resting(restingSinceMs);
    if (!oldest) return 0;
    const before = this.store.reservedBytes;
    const heldBytes = this.store.reservedOf(oldest.number);
    const stepBytes = Math.max(PAGE_BYTES, Math.min(wantedBytes, SPILL_STEP_BYTES));
    // A page stays: a file counts as one in any case, and what was synced of it keeps standing in for it.
    const keptBytes = Math.max(PAGE_BYTES, Math.floor((heldBytes - stepBytes) / PAGE_BYTES) * PAGE_BYTES);
    this.spill(oldest, keptBytes);
    return before - this.store.reservedBytes;
  }

  #resting(sinceMs: number): OverlayInode | undefined {
    let oldest: { inode: OverlayInode; mtimeNs: bigint } | undefined;
    for (const number of this.handles.nodes()) {
      const inode = this.inode(number);
      if (!inode || inode.sealed || inode.landed || !isFile(inode)) continue;
      // What the kernel reads and writes by itself must stay where it is.
      if (this.handles.countsOf(number)?.backingId !== 0) continue;
      if (this.store.reservedOf(number) <= PAGE_BYTES) continue;
      const { mtimeNs } = this.store.stat(inode);
      if (Number(mtimeNs / 1_000_000n) > sinceMs) continue;
      if (!oldest || mtimeNs < oldest.mtimeNs) oldest = { inode, mtimeNs };
    }
    return oldest?.inode;
  }

  /** Brings back what had landed before, for a file whose bytes since then are gone. */
  restoreLanded(inode: OverlayInode): void {
    this.#commit({ op: 'restored', inode: inode.number });
    this.store.remove(inode.number);
  }

  /** Notes that all of a file lies in its spill file, where start-up put what was synced of it. */
  adoptSpilled(inode: OverlayInode): void {
    this.unseal(inode);
    this.#commit({ op: 'split', inode: inode.number, splitAt: 0 });
    this.store.recover(inode);
  }

  /**
   * Begins to make a file survive power loss. Undefined where there is nothing to do but to sync the names.
   * @param isChecked - Whether bytes that are not what was written are refused.
   */
  planSync(node: number, isChecked = true): SyncItem | undefined {
    const inode = this.inode(node);
    if (!inode || !isFile(inode) || inode.landed || this.store.synced.isClean(node)) return undefined;
    return this.store.planSync(inode, isChecked);
  }

  /** Whether the bytes of a file lie elsewhere than when a sync of it began. */
  hasMoved({ inode: node, pieces, state, sums }: SyncItem): boolean {
    const inode = this.inode(node);
    if (!inode || !isFile(inode)) return false;
    if (inode.landed !== undefined || !isDeepStrictEqual(this.store.pieces(inode), pieces)) return true;
    // Or they were written meanwhile, so that they could not be what they had been.
    return sums !== undefined && !isDeepStrictEqual(this.store.sums.of(node, 0, state.sizeBytes), sums);
  }

  /**
   * Begins to make names survive power loss.
   * @returns how much of the journal is to be synced, and what nobody needs once it is.
   * @throws the system's error when a sync failed before and what was appended since can't be written anew.
   */
  planNameSync(): { readonly journalBytes: number; readonly unwanted: readonly string[] } {
    const { journal } = this.#parts;
    journal.trust();
    return { journalBytes: journal.sizeBytes, unwanted: this.store.synced.takeUnwanted() };
  }

  /** A sync of names ended, well or not. */
  namesSynced(journalBytes: number, unwanted: readonly string[], isSafe: boolean): void {
    const { journal } = this.#parts;
    if (isSafe) journal.synced(journalBytes);
    else journal.distrust();
    if (isSafe) this.store.synced.removed(unwanted);
    else for (const path of unwanted) this.store.synced.removeLater(path);
  }

  /** Takes away the name of a file whose bytes are gone. */
  forgetLost(inode: OverlayInode): void {
    if (!inode.place) return;
    this.#commit({ op: 'remove', place: inode.place, at: Date.now() });
  }

  write(inode: OverlayInode, data: Uint8Array, offsetBytes: number): void {
    this.#makeRoom(inode, offsetBytes + data.length);
    try {
      this.store.write(inode, data, offsetBytes);
    } catch (error) {
      if (!isOutOfSpace(error)) throw error;
      if (inode.splitAt === 0) throw this.#full(error);
      this.spill(inode);
      try {
        this.store.write(inode, data, offsetBytes);
      } catch (again) {
        throw isOutOfSpace(again) ? this.#full(again) : again;
      }
    }
  }

  #full(cause: unknown): NoSpaceError {
    return new NoSpaceError('no room for written files, in memory or on disk', {
      cause,
      advice: 'free space on the disk that holds the state folder; nothing that was acknowledged is lost',
    });
  }

  truncate(inode: OverlayInode, sizeBytes: number): void {
    this.#makeRoom(inode, sizeBytes);
    this.store.truncate(inode, sizeBytes);
  }

  allocate(inode: OverlayInode, mode: number, offsetBytes: number, sizeBytes: number): void {
    this.#makeRoom(inode, offsetBytes + sizeBytes);
    this.store.allocate(inode, mode, offsetBytes, sizeBytes);
  }

  /**
   * Puts a hook's staged outputs into the namespace in one step, directories included, and notes that the rule
   * ran. False, with nothing changed, when the input was written again, renamed or removed meanwhile.
   */
  publish(
    source: { inode: number; version: number; rule: string; mountPath: string },
    files: readonly { made: NewInode; stagedPath: string }[],
    directories: readonly (NewInode & { inode: number })[],
  ): boolean {
    const input = this.inode(source.inode);
    if (!input?.place || input.version !== source.version) return false;
    if (this.names.pathOf(source.inode) !== source.mountPath) return false;
    let next = Math.max(this.names.nextInode, ...directories.map((directory) => directory.inode + 1));
    const made = [...directories];
    for (const { made: file, stagedPath } of files) {
      const number = next++;
      this.store.adopt({ number, splitAt: Number.POSITIVE_INFINITY }, stagedPath);
      made.push({ ...file, inode: number });
    }
    const { inode, version, rule } = source;
    this.#commit({ op: 'published', made, source: { inode, version, rule }, at: Date.now() });
    for (const file of made.slice(directories.length)) this.#parts.onSealed(file.inode);
    return true;
  }

  hookEnded(inode: number, version: number, rule: string): void {
    this.#commit({ op: 'hook-ended', inode, version, rule });
  }
}
