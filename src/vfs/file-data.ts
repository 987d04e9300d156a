import { isDeepStrictEqual } from 'node:util';
import { errnoOf } from '../core/errno.ts';
import { FsRefusal } from '../core/errors.ts';
import type { FileCalls } from '../core/file-calls.ts';
import { systemCode } from '../core/system-code.ts';
import { budgetOf } from '../memory/budget.ts';
import type { Durability } from '../model/mount-definition.ts';
import { isFile, isOverlayNode, type OverlayInode } from '../overlay/inode.ts';
import type { Overlay } from '../overlay/overlay.ts';
import type { Tree } from '../tree/tree.ts';
import type { Attributes } from './attributes.ts';
import type { DocumentRequests } from './document-requests.ts';
import { DEFERRED, type Deferred, type RequestContext } from './file-system.ts';
import type { FrontNotice, MovableJob, ReaderJob, SyncReport, Ticket } from './jobs.ts';
import type { KeptRenders } from './kept-renders.ts';
import { isWritingHandle, openedAt, type SourceDescriptors } from './open-files.ts';
import { PacedWrites } from './paced-writes.ts';
import { CROSSES, INVALID, NOT_NEEDED, PAST_THE_END, STALE, TOO_LARGE } from './refusals.ts';
import { withoutSetId } from './set-id-bits.ts';
import { SyncQueue } from './sync-queue.ts';

/** Offsets are numbers that JavaScript counts exactly. */
const MAX_FILE_BYTES = Number.MAX_SAFE_INTEGER;
/** <linux/falloc.h>. */
const FALLOC_PUNCH_HOLE = 2;
/** Whoever asks again in a client's name: rights were checked the first time. */
const NOBODY = { resent: false, uid: 0, gid: 0, pid: 0 };
/** Of a rendered file, what is larger is put together by a reader, so that nobody waits for it. */
const MOST_LITERAL_BYTES = 128 * 1024;
/** Above the low mark the main thread is told again when so much more of the budget is taken. */
const PRESSED_SHARE = 1 / 16;
/** Where a close is to be waited for, the disk begins with a file after so much of it. */
const AHEAD_BYTES = 2 * 2 ** 20;

export interface FileDataParts {
  readonly tree: Tree;
  readonly overlay: Overlay;
  readonly calls: FileCalls;
  readonly journalPath: string;
  /** Which calls return only when what was written survives power loss. */
  readonly durability: Durability;
  /** Where a close is to be waited for: after how much of a file the disk begins with it. */
  readonly aheadBytes?: number;
  /** Hands a job to a reader thread. */
  readonly submit: (job: ReaderJob) => void;
  readonly notify: (notice: FrontNotice) => void;
  /**
   * Fills `target` from a rendered file where all of the range is known without a look at its sources.
   * @returns bytes filled, fewer only at the end of the file; undefined where a reader is needed.
   */
  readonly readLiteral: (node: number, offsetBytes: number, target: Uint8Array) => number | undefined;
  /** Finished renders that may be kept. */
  readonly renders: KeptRenders;
  /** Writers are slowed down to what memory and disk can take: somebody hears the notices of it. */
  readonly pacesWrites?: boolean;
  /** Answers a deferred READ. */
  readonly answer: (ticket: Ticket, bytes: Uint8Array) => void;
  /** Answers a deferred request with an errno. */
  readonly refuse: (ticket: Ticket, errno: number) => void;
}

/**
 * The bytes of files: read, written, made safe. What lies in memory, tmpfs or the page cache is answered at once;
 * what would wait for a disk or a decoder goes to a reader (`DEFERRED`), which answers on the device itself.
 * Never zeros or fewer bytes in place of an error.
 */
export class FileData {
  readonly #parts: FileDataParts;
  readonly #tree: Tree;
  readonly #overlay: Overlay;
  readonly #attributes: Attributes;
  readonly #documents: DocumentRequests;
  readonly #descriptors: SourceDescriptors;
  readonly #syncs: SyncQueue;
  /** What was written last, and how much of it in a row. */
  #ahead = { node: 0, sizeBytes: 0 };
  readonly #buffer = Buffer.allocUnsafeSlow(1 << 20);
  /** Memory that written files held when the main thread was last told. */
  #toldBytes = 0;
  /** Absent where nobody is slowed down. */
  readonly paced: PacedWrites | undefined;

  /** @param descriptors - Of source files, shared with whoever opens them anew. */
  constructor(
    parts: FileDataParts,
    attributes: Attributes,
    documents: DocumentRequests,
    descriptors: SourceDescriptors,
  ) {
    this.#parts = parts;
    this.#tree = parts.tree;
    this.#overlay = parts.overlay;
    this.#attributes = attributes;
    this.#documents = documents;
    this.#descriptors = descriptors;
    this.#syncs = new SyncQueue({
      overlay: parts.overlay,
      journalPath: parts.journalPath,
      submit: parts.submit,
      refuse: parts.refuse,
      report: (node, message) =>
        parts.notify({
          kind: 'failed',
          path: node === 0 ? '' : (parts.overlay.names.pathOf(node) ?? ''),
          message,
        }),
    });
    const { growing } = parts.overlay.store;
    growing.onGrown = (inode) => parts.notify({ kind: 'growing', inode });
    growing.onGone = (inode) => parts.notify({ kind: 'growing-gone', inode });
    if (parts.pacesWrites) this.paced = new PacedWrites(parts.overlay.store, parts.notify);
  }

  /** The bytes, fewer only at the end of the file. The next call writes over the view. */
  read(
    context: RequestContext,
    node: number,
    handle: bigint,
    offsetBytes: number,
    sizeBytes: number,
  ): Uint8Array | Deferred {
    const { uniqueLow, uniqueHigh } = context;
    const inode = this.#overlay.inode(node);
    if (inode) return this.#readInode(context, inode, offsetBytes, sizeBytes);
    if (isOverlayNode(node)) throw STALE;
    const content = this.#tree.content(node);
    switch (content.kind) {
      case 'document':
        return this.#documents.ask(context, node, { op: 'read', handle, offsetBytes, sizeBytes });
      case 'rendered': {
        const render = this.#parts.renders.pathOf(node);
        if (render !== undefined) {
          const read = this.#readRender(context, node, handle, render, offsetBytes, sizeBytes);
          if (read !== undefined) return read;
        }
        if (sizeBytes <= MOST_LITERAL_BYTES) {
          const target = this.#readBuffer(sizeBytes);
          const filledBytes = this.#parts.readLiteral(node, offsetBytes, target);
          if (filledBytes !== undefined) return target.subarray(0, filledBytes);
        }
        const openedAtMs = openedAt(handle);
        this.#parts.submit({
          kind: 'read-rendered',
          uniqueLow,
          uniqueHigh,
          node,
          openedAtMs,
          offsetBytes,
          sizeBytes,
        });
        return DEFERRED;
      }
      case 'verbatim':
        return this.#readFile(context, node, handle, content.path, offsetBytes, sizeBytes);
    }
  }

  /** From a finished render. @returns undefined when that was thrown out. */
  #readRender(
    context: RequestContext,
    node: number,
    handle: bigint,
    path: string,
    offsetBytes: number,
    sizeBytes: number,
  ): Uint8Array | Deferred | undefined {
    try {
      return this.#readFile(context, node, handle, path, offsetBytes, sizeBytes, node);
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw error;
      this.#parts.renders.found(node, undefined);
      return undefined;
    }
  }

  /** A node's bytes, which lie in one file as they are shown. */
  #readFile(
    { uniqueLow, uniqueHigh }: RequestContext,
    node: number,
    handle: bigint,
    path: string,
    offsetBytes: number,
    sizeBytes: number,
    renderOf?: number,
  ): Uint8Array | Deferred {
    const fd = this.#descriptors.get(node, path);
    const inFileBytes = (this.#tree.attributes(node)?.sizeBytes ?? 0) - offsetBytes;
    const wantedBytes = Math.max(0, Math.min(sizeBytes, inFileBytes));
    const target = this.#readBuffer(wantedBytes);
    const got = this.#parts.calls.preadNoWait(fd, target, 0, wantedBytes, offsetBytes);
    // A short answer may be the end of what is cached, or a file that changed: a reader tells them apart.
    if (got === wantedBytes) return target;
    this.#parts.submit({
      kind: 'read-file',
      uniqueLow,
      uniqueHigh,
      path,
      ...(renderOf === undefined ? {} : { renderOf }),
      openedAtMs: openedAt(handle),
      offsetBytes,
      sizeBytes,
    });
    return DEFERRED;
  }

  /** One buffer serves every read: the session sends it before the next call. */
  #readBuffer(sizeBytes: number): Uint8Array {
    return sizeBytes <= this.#buffer.length
      ? this.#buffer.subarray(0, sizeBytes)
      : Buffer.allocUnsafe(sizeBytes);
  }

  #readInode(
    context: RequestContext,
    inode: OverlayInode,
    offsetBytes: number,
    sizeBytes: number,
  ): Uint8Array | Deferred {
    const { uniqueLow, uniqueHigh } = context;
    if (!isFile(inode)) throw INVALID;
    if (inode.landed) {
      const { record, sizeBytes: fileSizeBytes } = inode.landed;
      const { number, version } = inode;
      const at = { uniqueLow, uniqueHigh, inode: number, version, fileSizeBytes, offsetBytes, sizeBytes };
      this.#parts.submit({ kind: 'read-landed', record, ...at });
      return DEFERRED;
    }
    const target = this.#readBuffer(sizeBytes);
    const got = this.#overlay.store.read(inode, target, offsetBytes);
    if (got !== undefined) return target.subarray(0, got);
    const pieces = this.#overlay.store.pieces(inode);
    const { sizeBytes: fileSizeBytes } = this.#overlay.store.stat(inode);
    const sums = this.#overlay.store.sums.of(inode.number, offsetBytes, sizeBytes);
    this.#parts.submit({
      kind: 'read-pieces',
      ...(sums === undefined ? {} : { sums }),
      inode: inode.number,
      uniqueLow,
      uniqueHigh,
      pieces,
      fileSizeBytes,
      offsetBytes,
      sizeBytes,
    });
    return DEFERRED;
  }

  /** Takes all of `data`. @throws STALE unless the node is an overlay file whose bytes are in memory. */
  write(context: RequestContext, node: number, offsetBytes: number, data: Uint8Array): number | Deferred {
    if (offsetBytes + data.length >= MAX_FILE_BYTES) throw TOO_LARGE;
    const inode = this.#writableInode(node);
    this.#overlay.unseal(inode);
    this.#overlay.write(inode, data, offsetBytes);
    this.#dropPrivileges(context, inode);
    this.#watchBudget();
    if (this.#parts.durability === 'close') this.#writeAhead(node, data.length);
    if (this.#parts.durability !== 'write') return data.length;
    const { uniqueLow, uniqueHigh } = context;
    this.#syncs.add({ uniqueLow, uniqueHigh, inode: node, writtenBytes: data.length });
    return DEFERRED;
  }

  /** So that a close has less to wait for. */
  #writeAhead(node: number, sizeBytes: number): void {
    if (node !== this.#ahead.node) this.#ahead = { node, sizeBytes: 0 };
    this.#ahead.sizeBytes += sizeBytes;
    if (this.#ahead.sizeBytes < (this.#parts.aheadBytes ?? AHEAD_BYTES)) return;
    this.#ahead.sizeBytes = 0;
    this.#syncs.addAhead(node);
  }

  /** {@link write} for a program, which is answered later where memory or the disk can't keep up with it. */
  writeAtPace(
    context: RequestContext,
    node: number,
    offsetBytes: number,
    data: Uint8Array,
  ): number | Deferred {
    const written = this.write(context, node, offsetBytes, data);
    if (written === DEFERRED) return DEFERRED;
    return this.paced?.answer(context, this.#overlay.inode(node), offsetBytes, written) ?? written;
  }

  /** Sets a file's length. A landed file's bytes must have been recalled before, unless it is to be empty. */
  truncate(context: RequestContext, inode: OverlayInode, sizeBytes: number): void {
    if (sizeBytes >= MAX_FILE_BYTES) throw TOO_LARGE;
    this.#overlay.recallEmpty(inode);
    this.#overlay.unseal(inode);
    this.#overlay.truncate(inode, sizeBytes);
    this.#dropPrivileges(context, inode);
  }

  /** A write takes set-user-ID and set-group-ID away, as on every local disk. */
  #dropPrivileges(context: RequestContext, inode: OverlayInode): void {
    if (!context.dropsSetId) return;
    const mode = withoutSetId(inode);
    if (mode !== inode.mode) this.#overlay.setAttributes(inode.number, { mode });
  }

  /** An overlay file that a program has open for writing. */
  #writableInode(node: number): OverlayInode {
    const inode = this.#overlay.inode(node);
    if (!inode || !isFile(inode)) throw STALE;
    if (inode.landed) throw STALE;
    return inode;
  }

  #watchBudget(): void {
    const { reservedBytes, budgetBytes } = this.#overlay.store;
    if (reservedBytes <= budgetOf(budgetBytes).lowMarkBytes) {
      this.#toldBytes = 0;
    } else if (reservedBytes >= this.#toldBytes + budgetBytes * PRESSED_SHARE) {
      this.#toldBytes = reservedBytes;
      this.#parts.notify({ kind: 'pressed' });
    }
  }

  /** Makes a file's bytes safe from power loss, and every name with them. */
  fsync({ uniqueLow, uniqueHigh }: RequestContext, node: number): Deferred {
    if (this.paced?.takeFailure(node))
      throw new FsRefusal(
        'io',
        `${this.#overlay.names.pathOf(node) ?? node}: the disk did not take all of it`,
      );
    this.#syncs.add({ uniqueLow, uniqueHigh, inode: node });
    return DEFERRED;
  }

  /** Makes names safe from power loss. */
  syncNames(context: RequestContext): Deferred {
    return this.fsync(context, 0);
  }

  /** A program closes a file: where that promises it, what was written is made safe first. */
  flush(context: RequestContext, node: number, handle: bigint): undefined | Deferred {
    // Spares a request per close(2): written bytes are in memory or on disk when write(2) returns.
    if (this.#parts.durability === 'fsync') throw NOT_NEEDED;
    if (!isWritingHandle(handle)) return undefined;
    const inode = this.#overlay.inode(node);
    if (!inode?.place || this.#overlay.syncs.isSafe(node)) return undefined;
    return this.fsync(context, node);
  }

  /** A reader has done a sync. */
  synced(report: SyncReport): void {
    this.#syncs.ended(report);
  }

  /** `mode`: FALLOC_FL_* bits. @throws STALE as `write` does. */
  fallocate(
    context: RequestContext,
    node: number,
    mode: number,
    offsetBytes: number,
    sizeBytes: number,
  ): void {
    const inode = this.#writableInode(node);
    const isHole = (mode & FALLOC_PUNCH_HOLE) !== 0;
    if (!isHole && offsetBytes + sizeBytes >= MAX_FILE_BYTES) throw TOO_LARGE;
    const endBytes = Math.min(offsetBytes + sizeBytes, MAX_FILE_BYTES - 1);
    if (endBytes <= offsetBytes) return;
    this.#overlay.unseal(inode);
    this.#overlay.allocate(inode, mode, offsetBytes, endBytes - offsetBytes);
    this.#dropPrivileges(context, inode);
    this.#watchBudget();
  }

  /** `whence`: SEEK_DATA 3 or SEEK_HOLE 4. @throws PAST_THE_END, or a system error that says it. */
  lseek(node: number, offsetBytes: number, whence: number): number {
    const inode = this.#overlay.inode(node);
    if (inode && !inode.landed) return this.#overlay.store.seek(inode, offsetBytes, whence);
    const sizeBytes = this.#attributes.of(node)?.sizeBytes ?? 0;
    if (offsetBytes >= sizeBytes) throw PAST_THE_END;
    return whence === 3 ? offsetBytes : sizeBytes;
  }

  /** @throws CROSSES where the kernel must read and write itself. */
  copyFileRange(
    context: RequestContext,
    from: { node: number; offsetBytes: number },
    to: { node: number; offsetBytes: number },
    sizeBytes: number,
  ): number | Deferred {
    const target = this.#writableInode(to.node);
    const source = this.#overlay.inode(from.node);
    // Only what is in memory is copied here; for the rest the kernel reads and writes itself.
    if (!source || source.landed || !isFile(source)) throw CROSSES;
    const buffer = this.#readBuffer(Math.min(sizeBytes, this.#buffer.length));
    const got = this.#overlay.store.read(source, buffer, from.offsetBytes);
    if (got === undefined) throw CROSSES;
    if (got === 0) return 0;
    return this.write(context, target.number, to.offsetBytes, buffer.subarray(0, got));
  }

  /**
   * A reader failed. Where the file lies elsewhere by now (it landed, or came back to be written), the request is
   * taken up again; else it fails with `errno`, and `message` is reported.
   */
  failed(job: MovableJob, errno: number, message: string): void {
    if (!this.#hasMoved(job)) {
      const path = this.#overlay.names.pathOf(job.inode) ?? '';
      this.#parts.notify({ kind: 'failed', path, message });
      this.#parts.refuse(job, errno);
      return;
    }
    const context = { ...NOBODY, uniqueLow: job.uniqueLow, uniqueHigh: job.uniqueHigh };
    const inode = this.#overlay.inode(job.inode);
    try {
      if (!inode) throw STALE;
      const bytes = this.#readInode(context, inode, job.offsetBytes, job.sizeBytes);
      if (bytes !== DEFERRED) this.#parts.answer(job, bytes);
    } catch (error) {
      this.#parts.refuse(job, errnoOf(error));
    }
  }

  #hasMoved(job: MovableJob): boolean {
    const inode = this.#overlay.inode(job.inode);
    if (!inode || !isFile(inode)) return false;
    if (job.kind === 'read-landed') return !isDeepStrictEqual(inode.landed?.record, job.record);
    const { store } = this.#overlay;
    if (inode.landed !== undefined || !isDeepStrictEqual(store.pieces(inode), job.pieces)) return true;
    // Or it was written while it was read.
    const sums = store.sums.of(job.inode, job.offsetBytes, job.sizeBytes);
    return job.sums !== undefined && !isDeepStrictEqual(sums, job.sums);
  }
}
