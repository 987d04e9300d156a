import { FsRefusal } from '../core/errors.ts';
import type { Journal } from '../journal/journal.ts';
import { ByteChanges } from './byte-changes.ts';
import type { DataStore, FileStat } from './data-store.ts';
import { DepartedInodes } from './departed-inodes.ts';
import type { FilePlacements } from './file-placement.ts';
import type { HandleLog } from './handle-log.ts';
import { type Abandoned, isFile, isOverlayNode, type OverlayInode, type Place } from './inode.ts';
import { nsOf } from './inode-state.ts';
import { LandingBook } from './landing-book.ts';
import type { LowerTree } from './lower-tree.ts';
import type { Namespace } from './namespace.ts';
import type { NewInode, OverlayRecord } from './records.ts';
import { SealedFiles } from './sealed-files.ts';
import { SyncPlans } from './sync-plans.ts';

export interface OverlayParts {
  readonly journal: Journal;
  readonly store: DataStore;
  readonly handles: HandleLog;
  readonly lower: LowerTree;
  readonly placements: FilePlacements;
  /** Called when a version is whole: its last writer closed it, or a hook published it. */
  readonly onSealed: (inode: number) => void;
  /** Called when a file that was sealed is written again or unlinked. */
  readonly onUnsealed: (inode: number) => void;
  /** Called when a landing is no longer needed; told again after a restart until {@link LandingBook.cleared}. */
  readonly onAbandoned: (abandoned: Abandoned) => void;
}

/**
 * Everything written, and the only place that changes it. Each change is in the journal before it is in memory,
 * and in memory before it is acknowledged; bytes are in tmpfs or on disk before their write is. Runs in one
 * thread; every call is synchronous.
 */
export class Overlay {
  readonly names: Namespace;
  /** Closed files that have not landed. */
  readonly sealed: SealedFiles;
  /** What programs write, and where it finds room. */
  readonly bytes: ByteChanges;
  /** What lies in the output folder. */
  readonly landings: LandingBook;
  /** What was freed last. */
  readonly departed = new DepartedInodes();
  /** How files and names are made to survive power loss. */
  readonly syncs: SyncPlans;
  readonly #parts: OverlayParts;

  private constructor(names: Namespace, parts: OverlayParts) {
    this.names = names;
    this.#parts = parts;
    const { store, handles, placements, journal, onAbandoned } = parts;
    const commit = (record: OverlayRecord): void => this.#commit(record);
    this.sealed = new SealedFiles(names, store);
    this.syncs = new SyncPlans(names, store, journal);
    this.bytes = new ByteChanges({ names, store, handles, placements, commit });
    this.landings = new LandingBook({
      names,
      store,
      handles,
      commit,
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
    // What the kernel had removed it knows to be gone; of what the daemon replaced it must look the name up again.
    const isKnown = record.op !== 'published' && record.op !== 'revealed';
    for (const inode of unlinked) this.#unlinked(inode, isKnown);
  }

  #unlinked(inode: OverlayInode, isKnown: boolean): void {
    this.sealed.changed(inode.number);
    this.#parts.onUnsealed(inode.number);
    if (this.#parts.handles.countsOf(inode.number) === undefined) this.drop(inode.number, isKnown);
  }

  /**
   * Frees an unlinked inode that nobody has open any more.
   * @param isKnown - Whether the kernel knows that it is gone, and may still ask what it was.
   */
  drop(number: number, isKnown = true): void {
    const inode = this.inode(number);
    if (!inode || inode.place !== undefined) return;
    if (isKnown) this.departed.note(inode, isFile(inode) ? this.stat(inode) : undefined);
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

  /** Makes an empty file that has no name: it lives while a program has it open, or until it gets one. */
  makeNameless(made: { mode: number; uid: number; gid: number }, unique: string): OverlayInode {
    const number = this.names.nextInode;
    this.store.create({ number, splitAt: Number.POSITIVE_INFINITY });
    this.#commit({ op: 'nameless', inode: number, ...made, at: Date.now(), unique });
    return this.#known(number);
  }

  /** Gives what is no directory one more name, or its first one; the name must be free. */
  link(inode: number, place: Place, unique: string): void {
    this.#commit({ op: 'linked', inode, place, at: Date.now(), unique });
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
      ...(unique === undefined ? {} : { unique }),
    });
  }

  /** The path the tree itself gives a node that is named here, when it is the tree's. */
  #treePath(place: Place): string | undefined {
    const node = this.names.lookup(place.parent, place.name);
    return node === undefined || this.inode(node) ? undefined : this.#parts.lower.pathOf(node);
  }

  /** Carries changes out all at once. All bytes of files that are made lie in their spill files already. */
  restore(records: readonly OverlayRecord[]): void {
    this.#commit({ op: 'batch', records });
    for (const record of records) {
      if (record.op !== 'make' || !isFile(record)) continue;
      this.store.recover(this.#known(record.inode));
      this.sealed.changed(record.inode);
      this.#parts.onSealed(record.inode);
    }
  }

  /** Gives up what was written at these names, all at once: the tree shows there again. */
  reveal(places: readonly Place[]): void {
    this.#commit({ op: 'revealed', places, at: Date.now() });
  }

  remove(place: Place, unique: string): void {
    this.#commit({ op: 'remove', place, at: Date.now(), unique });
  }

  setAttributes(inode: number, change: { mode?: number; uid?: number; gid?: number }): void {
    this.#commit({ op: 'attributes', inode, ...change, at: Date.now() });
  }

  /** Sets times that a program names. Of a file the bytes must be in the store where `mtimeNs` is set. */
  setTimes(inode: OverlayInode, times: { atimeNs: bigint | undefined; mtimeNs: bigint | undefined }): void {
    const { atimeNs = inode.atimeNs, mtimeNs } = times;
    this.#commit({
      op: 'touched',
      inode: inode.number,
      changedNs: String(nsOf(Date.now())),
      atimeNs: String(atimeNs),
      ...(mtimeNs === undefined ? {} : { mtimeNs: String(mtimeNs) }),
    });
    // A file's lies with its bytes; a request that ends between the two is sent again.
    if (mtimeNs !== undefined && isFile(inode)) this.store.setTimes(inode, atimeNs, mtimeNs);
  }

  setXattr(inode: number, name: string, value: Uint8Array | null, unique?: string): void {
    this.#commit({
      op: 'xattr',
      inode,
      name,
      value: value === null ? null : Buffer.from(value).toString('base64'),
      at: Date.now(),
      ...(unique === undefined ? {} : { unique }),
    });
  }

  stat(inode: OverlayInode): FileStat {
    if (inode.landed) {
      const { sizeBytes, mtimeNs } = inode.landed;
      return {
        sizeBytes,
        allocatedBytes: sizeBytes,
        mtimeNs,
        ctimeNs: inode.changedNs,
        atimeNs: inode.atimeNs,
      };
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

  /** Takes away the names of a file whose bytes are gone. */
  forgetLost(inode: OverlayInode): void {
    while (inode.place) this.#commit({ op: 'remove', place: inode.place, at: Date.now() });
  }

  /** As {@link ByteChanges.write}. */
  write(inode: OverlayInode, data: Uint8Array, offsetBytes: number): void {
    this.bytes.write(inode, data, offsetBytes);
  }

  /** As {@link ByteChanges.truncate}. */
  truncate(inode: OverlayInode, sizeBytes: number): void {
    this.bytes.truncate(inode, sizeBytes);
  }

  /** As {@link ByteChanges.allocate}. */
  allocate(inode: OverlayInode, mode: number, offsetBytes: number, wantedBytes: number): void {
    this.bytes.allocate(inode, mode, offsetBytes, wantedBytes);
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
