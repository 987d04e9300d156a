import { NoSpaceError } from '../core/errors.ts';
import { isOutOfSpace } from '../core/io.ts';
import type { DataStore } from './data-store.ts';
import type { FilePlacements } from './file-placement.ts';
import type { HandleLog } from './handle-log.ts';
import type { OverlayInode } from './inode.ts';
import type { Namespace } from './namespace.ts';
import type { OverlayRecord } from './records.ts';
import { longestResting } from './resting-files.ts';

const PAGE_BYTES = 4096;
/** <linux/falloc.h>. */
const FALLOC_PUNCH_HOLE = 2;
/** Copied to disk before the next request is answered: some ten milliseconds. */
const SPILL_STEP_BYTES = 16 * 2 ** 20;

interface ByteChangesParts {
  readonly names: Namespace;
  readonly store: DataStore;
  readonly handles: HandleLog;
  readonly placements: FilePlacements;
  /** Makes a change: in the journal first, then in memory. */
  readonly commit: (record: OverlayRecord) => void;
}

/**
 * How the bytes of a file change. What has no room in memory goes to disk, noted in the journal as the file's split;
 * so does what rests there when others need the room.
 */
export class ByteChanges {
  readonly #parts: ByteChangesParts;

  constructor(parts: ByteChangesParts) {
    this.#parts = parts;
  }

  /**
   * Writes all of `data`.
   * @throws NoSpaceError when neither memory nor disk has room for it.
   */
  write(inode: OverlayInode, data: Uint8Array, offsetBytes: number): void {
    this.#makeRoom(inode, offsetBytes + data.length);
    try {
      this.#parts.store.write(inode, data, offsetBytes);
    } catch (error) {
      if (!isOutOfSpace(error)) throw error;
      if (inode.splitAt === 0) throw this.#full(error);
      this.spill(inode);
      try {
        this.#parts.store.write(inode, data, offsetBytes);
      } catch (again) {
        throw isOutOfSpace(again) ? this.#full(again) : again;
      }
    }
    this.#moveHead(inode, offsetBytes + data.length, data.length);
  }

  /** What a large file began with in memory follows to disk, a part with each write: no request waits for all of it. */
  #moveHead(inode: OverlayInode, endBytes: number, writtenBytes: number): void {
    const from = this.#parts.placements.nextSplit(inode, endBytes, writtenBytes);
    // What the kernel reads and writes by itself must stay where it is.
    if (from === undefined || (this.#parts.handles.countsOf(inode.number)?.backingId ?? 0) !== 0) return;
    try {
      this.spill(inode, from);
    } catch (error) {
      // It stays in memory, which has room for it.
      if (!isOutOfSpace(error)) throw error;
    }
  }

  /** Makes a file as long as that: cut, or zeros at its end. */
  truncate(inode: OverlayInode, sizeBytes: number): void {
    this.#makeRoom(inode, sizeBytes);
    this.#parts.store.truncate(inode, sizeBytes);
  }

  /** fallocate(2). A hole past the end is none. */
  allocate(inode: OverlayInode, mode: number, offsetBytes: number, wantedBytes: number): void {
    const isHole = (mode & FALLOC_PUNCH_HOLE) !== 0;
    const inFileBytes = isHole ? this.#parts.store.stat(inode).sizeBytes - offsetBytes : wantedBytes;
    const sizeBytes = Math.min(wantedBytes, inFileBytes);
    if (sizeBytes <= 0) return;
    this.#makeRoom(inode, offsetBytes + sizeBytes);
    this.#parts.store.allocate(inode, mode, offsetBytes, sizeBytes);
  }

  /** Moves a file's memory from `fromBytes` on to disk, for a budget it no longer fits in or a tmpfs that is full. */
  spill(inode: OverlayInode, fromBytes = 0): void {
    if (fromBytes >= inode.splitAt) return;
    if (inode.splitAt === Number.POSITIVE_INFINITY) this.#parts.store.files.clearSpill(inode.number);
    this.#parts.store.spillFrom(inode, fromBytes);
    this.#parts.commit({ op: 'split', inode: inode.number, splitAt: fromBytes });
    this.#parts.store.freeFrom(inode, fromBytes);
  }

  /**
   * Moves memory of files that are open for writing and rest to disk, longest rested first: one step, so that
   * requests are answered between two of them.
   * @param restingSinceMs - Files that were written later than this are left alone.
   * @returns bytes of memory freed; 0 when there is nothing to be had.
   */
  spillResting(wantedBytes: number, restingSinceMs: number): number {
    const oldest = longestResting(this.#parts.names.inodes, this.#parts, restingSinceMs);
    if (!oldest) return 0;
    const before = this.#parts.store.reservedBytes;
    const heldBytes = this.#parts.store.reservedOf(oldest.number);
    const stepBytes = Math.max(PAGE_BYTES, Math.min(wantedBytes, SPILL_STEP_BYTES));
    // A page stays: a file counts as one in any case, and what was synced of it keeps standing in for it.
    const keptBytes = Math.max(PAGE_BYTES, Math.floor((heldBytes - stepBytes) / PAGE_BYTES) * PAGE_BYTES);
    this.spill(oldest, keptBytes);
    return before - this.#parts.store.reservedBytes;
  }

  /** Has a file split where what it is to hold has no room in memory. */
  #makeRoom(inode: OverlayInode, sizeBytes: number): void {
    const splitAt = this.#parts.placements.splitFor(inode, sizeBytes);
    if (splitAt === undefined || splitAt >= inode.splitAt) return;
    if (inode.splitAt === Number.POSITIVE_INFINITY) this.#parts.store.files.clearSpill(inode.number);
    this.#parts.commit({ op: 'split', inode: inode.number, splitAt });
    this.#parts.store.split(inode, splitAt);
  }

  #full(cause: unknown): NoSpaceError {
    return new NoSpaceError('no room for written files, in memory or on disk', {
      cause,
      advice: 'free space on the disk that holds the state folder; nothing that was acknowledged is lost',
    });
  }
}
