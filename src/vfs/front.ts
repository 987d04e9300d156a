import { rmSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { errnoOf } from '../core/errno.ts';
import { explain } from '../core/errors.ts';
import type { FileCalls } from '../core/file-calls.ts';
import type { RequestNumber } from '../overlay/handle-log.ts';
import {
  FIRST_OVERLAY_INODE,
  isFile,
  type OverlayInode,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
} from '../overlay/inode.ts';
import type { NewInode, Overlay } from '../overlay/overlay.ts';
import { ROOT_NODE, type Tree } from '../tree/tree.ts';
import { Attributes, type Owner } from './attributes.ts';
import {
  type AttributeChange,
  type AttributesReply,
  DEFERRED,
  type Deferred,
  type DirectorySink,
  type Entry,
  type FileSystem,
  type OpenReply,
  type RequestContext,
  type StatFs,
} from './file-system.ts';
import type { FrontNotice, MovableJob, ReaderJob, StageJob, Ticket } from './jobs.ts';
import { Listing } from './listing.ts';
import {
  type BackingFiles,
  FOPEN_CACHE_DIR,
  FOPEN_KEEP_CACHE,
  OpenFiles,
  SourceDescriptors,
  statOpen,
} from './open-files.ts';
import {
  ENTRY_EXISTS,
  INVALID,
  IS_A_DIRECTORY,
  NAME_TOO_LONG,
  NO_SUCH_ENTRY,
  NOT_A_DIRECTORY,
  NOT_EMPTY,
  NOT_PERMITTED,
  READ_ONLY,
  STALE,
} from './refusals.ts';
import { Xattrs } from './xattrs.ts';

/** Nothing changes behind the kernel's back without a notification, so it may remember for a day. */
const DAY_MS = 86_400_000;
const MAX_NAME_BYTES = 255;
const O_ACCMODE = 3;
const O_TRUNC = 0o1000;
const O_EXCL = 0o200;
const RENAME_NOREPLACE = 1;
const RENAME_EXCHANGE = 2;
const S_ISUID = 0o4000;
const S_ISGID = 0o2000;
const S_IXGRP = 0o010;
/** Descriptors kept for reads that are not passed through. */
const MAX_SOURCE_DESCRIPTORS = 128;
/** Whoever asks again in a client's name: rights were checked the first time. */
const NOBODY = { resent: false, uid: 0, gid: 0, pid: 0 };
/** Share of the budget from which the main thread is told to make room. */
const LOW_MARK = 0.5;

export interface FrontParts {
  readonly tree: Tree;
  readonly overlay: Overlay;
  /** Absent where the kernel or our rights don't allow it. */
  readonly backing: BackingFiles | undefined;
  readonly calls: FileCalls;
  readonly owner: Owner;
  readonly readOnly: boolean;
  /** For copies being made, on the memory folder's file system. */
  readonly stagingFolder: string;
  /** On disk: copies of files that must survive power loss. */
  readonly durableFolder: string;
  readonly journalPath: string;
  /** Whose free space statfs shows. */
  readonly diskFolder: string;
  /** Hands a job to a reader thread. */
  readonly submit: (job: ReaderJob) => void;
  readonly notify: (notice: FrontNotice) => void;
  /** Answers a deferred READ. */
  readonly answer: (ticket: Ticket, bytes: Uint8Array) => void;
  /** Answers a deferred request with an errno. */
  readonly refuse: (ticket: Ticket, errno: number) => void;
  /** Handles messages from other threads. */
  readonly drain: () => void;
}

interface Staging {
  readonly waiting: Ticket[];
  readonly job: StageJob;
}

/**
 * The file system as the kernel sees it: the tree with the overlay laid over it. Runs in the front thread; every
 * method answers from memory or tmpfs, and hands on what would wait for a disk.
 *
 * A tree file that is about to be written gets a new node: the request is answered ESTALE once the copy is in
 * place, which makes the kernel look the name up again and repeat the request on the new node. Programs never
 * see that, and whoever reads the old node keeps what it had open.
 */
export class Front implements FileSystem {
  readonly #parts: FrontParts;
  readonly #tree: Tree;
  readonly #overlay: Overlay;
  readonly #attributes: Attributes;
  readonly #listing: Listing;
  readonly #files: OpenFiles;
  readonly #xattrs: Xattrs;
  readonly #descriptors = new SourceDescriptors(MAX_SOURCE_DESCRIPTORS);
  /** Copies under way, by the node they are of. */
  readonly #staging = new Map<number, Staging>();
  #toldPressed = false;

  constructor(parts: FrontParts) {
    this.#parts = parts;
    this.#tree = parts.tree;
    this.#overlay = parts.overlay;
    this.#attributes = new Attributes(parts.tree, parts.overlay, parts.owner, !parts.readOnly);
    this.#listing = new Listing(parts.tree, parts.overlay, this.#attributes, (node, mayAsk) =>
      this.#listedEntry(node, mayAsk),
    );
    this.#files = new OpenFiles(parts.overlay, parts.backing);
    this.#xattrs = new Xattrs(parts.tree, parts.overlay);
  }

  // ---- names

  lookup(context: RequestContext, parent: number, name: string): Entry | Deferred {
    const node = this.#overlay.names.lookup(parent, name);
    if (node === undefined) {
      if (!this.#isDirectory(parent)) throw NOT_A_DIRECTORY;
      return { node: 0, entryTimeoutMs: DAY_MS, attrTimeoutMs: 0 };
    }
    if (this.#isDocument(node)) return this.#askMain(context, node, { op: 'lookup' });
    return this.#entry(node);
  }

  #entry(node: number): Entry {
    const attributes = this.#attributes.of(node);
    if (!attributes) throw NO_SUCH_ENTRY;
    return { node, entryTimeoutMs: DAY_MS, attrTimeoutMs: DAY_MS, attributes };
  }

  /** For a listing: nothing where the main thread, a slow or a failing source would have to be asked. */
  #listedEntry(node: number, mayAsk: boolean): Entry | undefined {
    if (this.#isDocument(node)) return undefined;
    if (!mayAsk && node < FIRST_OVERLAY_INODE && !this.#tree.isKnown(node)) return undefined;
    try {
      return this.#entry(node);
    } catch (error) {
      this.#report(node, error);
      return undefined;
    }
  }

  #isDocument(node: number): boolean {
    return node < FIRST_OVERLAY_INODE && this.#tree.isDocument(node);
  }

  #isDirectory(node: number): boolean {
    return this.#overlay.names.isDirectory(node);
  }

  #report(node: number, error: unknown): void {
    const path = this.#overlay.names.pathOf(node) ?? `inode ${node}`;
    this.#parts.notify({ kind: 'failed', path, message: explain(error) });
  }

  #askMain(
    context: RequestContext,
    node: number,
    request: Extract<FrontNotice, { kind: 'document' }>['request'],
  ): Deferred {
    const { uniqueLow, uniqueHigh } = context;
    this.#parts.notify({ kind: 'document', uniqueLow, uniqueHigh, node, request });
    return DEFERRED;
  }

  forget(): void {
    // Node numbers are permanent and unlinked files live by their open handles, so there is nothing to forget.
  }

  /** Checks that names in `parent` may change. */
  #writableDirectory(parent: number): void {
    if (this.#parts.readOnly) throw READ_ONLY;
    if (!this.#isDirectory(parent)) throw NOT_A_DIRECTORY;
    if (parent < FIRST_OVERLAY_INODE && this.#tree.isReadOnly(parent)) throw READ_ONLY;
    const inode = this.#overlay.inode(parent);
    if (inode && !inode.place) throw NO_SUCH_ENTRY;
  }

  #make(context: RequestContext, made: NewInode): Entry {
    if (this.#wasCarriedOut(context)) {
      const { node = 0 } = this.#overlay.names.lastRequest ?? {};
      return this.#entry(node);
    }
    this.#writableDirectory(made.parent);
    if (Buffer.byteLength(made.name) > MAX_NAME_BYTES) throw NAME_TOO_LONG;
    if (this.#overlay.names.lookup(made.parent, made.name) !== undefined) throw ENTRY_EXISTS;
    return this.#entry(this.#overlay.make(made, uniqueOf(context)).number);
  }

  /** The kernel sent this change to a daemon that made it and died before it could say so. */
  #wasCarriedOut(context: RequestContext): boolean {
    return context.resent && this.#overlay.names.lastRequest?.unique === uniqueOf(context);
  }

  mknod(context: RequestContext, parent: number, name: string, mode: number, rdev: number): Entry {
    const { uid, gid } = context;
    const made = { parent, name, mode: mode & S_IFMT ? mode : mode | S_IFREG, uid, gid, rdev };
    return this.#make(context, { ...made, sealed: isFile(made) });
  }

  mkdir(context: RequestContext, parent: number, name: string, mode: number): Entry {
    const { uid, gid } = context;
    return this.#make(context, { parent, name, mode: S_IFDIR | (mode & 0o7777), uid, gid });
  }

  symlink(context: RequestContext, parent: number, name: string, target: string): Entry {
    const { uid, gid } = context;
    return this.#make(context, { parent, name, mode: S_IFLNK | 0o777, uid, gid, target });
  }

  readlink(_context: RequestContext, node: number): string {
    const target = this.#overlay.inode(node)?.target;
    if (target === undefined) throw INVALID;
    return target;
  }

  /** A file has one name: a second one could not land, so link(2) is refused as on FAT. */
  link(): Entry {
    throw NOT_PERMITTED;
  }

  unlink(context: RequestContext, parent: number, name: string): void {
    if (this.#wasCarriedOut(context)) return;
    this.#writableDirectory(parent);
    const node = this.#overlay.names.lookup(parent, name);
    if (node === undefined) throw NO_SUCH_ENTRY;
    if (this.#isDirectory(node)) throw IS_A_DIRECTORY;
    if (this.#isFixed(node)) throw READ_ONLY;
    this.#overlay.remove({ parent, name }, uniqueOf(context));
  }

  rmdir(context: RequestContext, parent: number, name: string): void {
    if (this.#wasCarriedOut(context)) return;
    this.#writableDirectory(parent);
    const node = this.#overlay.names.lookup(parent, name);
    if (node === undefined) throw NO_SUCH_ENTRY;
    if (!this.#isDirectory(node)) throw NOT_A_DIRECTORY;
    if (this.#isFixed(node)) throw READ_ONLY;
    if (!this.#overlay.names.isEmpty(node)) throw NOT_EMPTY;
    this.#overlay.remove({ parent, name }, uniqueOf(context));
  }

  /** A tree node that must stay where it is. */
  #isFixed(node: number): boolean {
    return node < FIRST_OVERLAY_INODE && this.#tree.isReadOnly(node);
  }

  rename(
    context: RequestContext,
    parent: number,
    name: string,
    newParent: number,
    newName: string,
    flags: number,
  ): void {
    if (this.#wasCarriedOut(context)) return;
    if (flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE)) throw INVALID;
    this.#writableDirectory(parent);
    this.#writableDirectory(newParent);
    if (Buffer.byteLength(newName) > MAX_NAME_BYTES) throw NAME_TOO_LONG;
    const node = this.#overlay.names.lookup(parent, name);
    const target = this.#overlay.names.lookup(newParent, newName);
    if (node === undefined) throw NO_SUCH_ENTRY;
    if (flags & RENAME_NOREPLACE && target !== undefined) throw ENTRY_EXISTS;
    const exchange = (flags & RENAME_EXCHANGE) !== 0;
    if (exchange && target === undefined) throw NO_SUCH_ENTRY;
    if (node === target) return;
    if (this.#isFixed(node) || (target !== undefined && this.#isFixed(target))) throw READ_ONLY;
    if (this.#overlay.names.isBelow(newParent, node)) throw INVALID;
    if (target !== undefined) this.#checkReplacement(node, target, parent, exchange);
    this.#overlay.move({ parent, name }, { parent: newParent, name: newName }, exchange, uniqueOf(context));
    for (const moved of exchange && target !== undefined ? [node, target] : [node]) {
      if (moved >= FIRST_OVERLAY_INODE) this.#parts.notify({ kind: 'moved', inode: moved });
    }
  }

  #checkReplacement(node: number, target: number, parent: number, exchange: boolean): void {
    if (exchange) {
      if (this.#overlay.names.isBelow(parent, target)) throw INVALID;
      return;
    }
    if (this.#isDirectory(target)) {
      if (!this.#isDirectory(node)) throw IS_A_DIRECTORY;
      if (!this.#overlay.names.isEmpty(target)) throw NOT_EMPTY;
    } else if (this.#isDirectory(node)) throw NOT_A_DIRECTORY;
  }

  // ---- attributes

  getattr(context: RequestContext, node: number): AttributesReply | Deferred {
    if (this.#isDocument(node)) return this.#askMain(context, node, { op: 'getattr' });
    const attributes = this.#attributes.of(node);
    if (!attributes) throw STALE;
    return { attrTimeoutMs: DAY_MS, attributes };
  }

  setattr(context: RequestContext, node: number, change: AttributeChange): AttributesReply | Deferred {
    if (this.#parts.readOnly || this.#isFixed(node)) throw READ_ONLY;
    const inode = this.#overlay.inode(node);
    if (!inode) {
      // The tree's own folders keep their owner, rights and times.
      if (this.#isDirectory(node)) throw NOT_PERMITTED;
      return this.#copyUp(context, node, change.sizeBytes === 0);
    }
    if (change.sizeBytes !== undefined) {
      if (!isFile(inode)) throw INVALID;
      if (inode.landed && change.sizeBytes !== 0) return this.#recall(context, inode);
      this.#overlay.recallEmpty(inode);
      this.#overlay.unseal(inode);
      this.#overlay.truncate(inode, change.sizeBytes);
      this.#dropPrivileges(context, inode);
      if (!this.#overlay.handles.isWriting(node)) this.#overlay.seal(inode);
    }
    this.#changeOwnership(inode, change);
    if (change.atimeNs !== undefined || change.mtimeNs !== undefined) {
      const reply = this.#setTimes(context, inode, change);
      if (reply === DEFERRED) return reply;
    }
    const attributes = this.#attributes.of(node);
    if (!attributes) throw STALE;
    return { attrTimeoutMs: DAY_MS, attributes };
  }

  #changeOwnership(inode: OverlayInode, change: AttributeChange): void {
    const { mode, uid, gid } = change;
    if (mode === undefined && uid === undefined && gid === undefined) return;
    this.#overlay.setAttributes(inode.number, {
      ...(mode === undefined ? {} : { mode: (inode.mode & S_IFMT) | (mode & 0o7777) }),
      ...(uid === undefined ? {} : { uid }),
      ...(gid === undefined ? {} : { gid }),
    });
  }

  #setTimes(context: RequestContext, inode: OverlayInode, change: AttributeChange): Deferred | undefined {
    if (!isFile(inode)) {
      const nowNs = BigInt(Date.now()) * 1_000_000n;
      const mtimeNs = change.mtimeNs ?? 'now';
      this.#overlay.setDirectoryTime(inode, mtimeNs === 'now' ? nowNs : mtimeNs);
      return undefined;
    }
    if (inode.landed) return this.#recall(context, inode);
    const stat = this.#overlay.stat(inode);
    const nowNs = BigInt(Date.now()) * 1_000_000n;
    const pick = (wanted: bigint | 'now' | undefined, present: bigint): bigint =>
      wanted === undefined ? present : wanted === 'now' ? nowNs : wanted;
    this.#overlay.store.setTimes(
      inode,
      pick(change.atimeNs, stat.atimeNs),
      pick(change.mtimeNs, stat.mtimeNs),
    );
    return undefined;
  }

  /** A write takes set-user-ID and set-group-ID away, as on every local disk. */
  #dropPrivileges(context: RequestContext, inode: OverlayInode): void {
    if (context.uid === 0 || (inode.mode & (S_ISUID | S_ISGID)) === 0) return;
    const groupRuns = (inode.mode & S_IXGRP) !== 0;
    const mode = inode.mode & ~S_ISUID & (groupRuns ? ~S_ISGID : ~0);
    if (mode !== inode.mode) this.#overlay.setAttributes(inode.number, { mode });
  }

  access(): void {
    // The kernel checks rights by the attributes (default_permissions).
  }

  getxattr(_context: RequestContext, node: number, name: string): Uint8Array {
    return this.#xattrs.get(node, name);
  }

  listxattr(_context: RequestContext, node: number): readonly string[] {
    return this.#xattrs.list(node);
  }

  setxattr(
    context: RequestContext,
    node: number,
    name: string,
    value: Uint8Array,
    flags: number,
  ): undefined | Deferred {
    return this.#onInode(context, node, () => this.#xattrs.set(node, name, value, flags, uniqueOf(context)));
  }

  removexattr(context: RequestContext, node: number, name: string): undefined | Deferred {
    return this.#onInode(context, node, () => this.#xattrs.remove(node, name, uniqueOf(context)));
  }

  #onInode(context: RequestContext, node: number, change: () => void): undefined | Deferred {
    if (this.#wasCarriedOut(context)) return undefined;
    if (this.#parts.readOnly || this.#isFixed(node)) throw READ_ONLY;
    if (!this.#overlay.inode(node)) {
      if (this.#isDirectory(node)) throw NOT_PERMITTED;
      return this.#copyUp(context, node, false);
    }
    change();
    return undefined;
  }

  // ---- directories

  opendir(_context: RequestContext, node: number): OpenReply {
    if (!this.#isDirectory(node)) throw NOT_A_DIRECTORY;
    return { handle: 0n, openFlags: FOPEN_KEEP_CACHE | FOPEN_CACHE_DIR };
  }

  readdir(
    _context: RequestContext,
    node: number,
    _handle: bigint,
    cookie: number,
    sink: DirectorySink,
  ): undefined {
    this.#listing.list(node, cookie, sink);
  }

  releasedir(): void {
    // Listings are kept by where they stopped, not by handle.
  }

  fsyncdir(context: RequestContext): undefined | Deferred {
    return this.#persist(context, 0, [], 0, '');
  }

  // ---- files

  create(
    context: RequestContext,
    parent: number,
    name: string,
    mode: number,
    flags: number,
  ): { entry: Entry; open: OpenReply } {
    const existing = this.#wasCarriedOut(context) ? undefined : this.#overlay.names.lookup(parent, name);
    if (existing !== undefined) {
      if (flags & O_EXCL) throw ENTRY_EXISTS;
      // The kernel believed the name was free: let it look again.
      throw STALE;
    }
    const { uid, gid } = context;
    const entry = this.#make(context, { parent, name, mode: S_IFREG | (mode & 0o7777), uid, gid });
    const inode = this.#overlay.inode(entry.node);
    if (!inode) throw STALE;
    return { entry, open: this.#files.openInode(inode, (flags & O_ACCMODE) !== 0, numberOf(context)) };
  }

  open(context: RequestContext, node: number, flags: number): OpenReply | Deferred {
    const writing = (flags & O_ACCMODE) !== 0;
    const truncating = (flags & O_TRUNC) !== 0;
    if (this.#isDirectory(node)) throw IS_A_DIRECTORY;
    const inode = this.#overlay.inode(node);
    if (inode) return this.#openInode(context, inode, writing, truncating);
    if (writing) {
      if (this.#parts.readOnly || this.#isFixed(node)) throw READ_ONLY;
      return this.#copyUp(context, node, truncating);
    }
    const content = this.#tree.content(node);
    if (content.kind === 'document') return this.#askMain(context, node, { op: 'open' });
    if (content.kind === 'rendered') return this.#files.openRendered(node, numberOf(context));
    const fd = this.#descriptors.get(node, content.path);
    this.#checkUnchanged(node, fd);
    const reply = this.#files.openVerbatim(node, fd, numberOf(context));
    if (reply.backingId !== undefined) this.#descriptors.forget(node);
    return reply;
  }

  /** A source file that grew or was replaced since it was listed is shown as it is now. */
  #checkUnchanged(node: number, fd: number): void {
    const known = this.#attributes.of(node);
    const { sizeBytes, mtimeMs } = statOpen(fd);
    if (known && known.sizeBytes === sizeBytes && Math.abs(Number(known.mtimeNs) / 1e6 - mtimeMs) < 1) return;
    // Before the kernel is told to ask again.
    this.#tree.refreshNode(node);
    this.#parts.notify({ kind: 'source-changed', node });
  }

  #openInode(
    context: RequestContext,
    inode: OverlayInode,
    writing: boolean,
    truncating: boolean,
  ): OpenReply | Deferred {
    if (writing && this.#parts.readOnly) throw READ_ONLY;
    if (writing && inode.landed && !truncating) return this.#recall(context, inode);
    if (writing && truncating) {
      this.#overlay.recallEmpty(inode);
      this.#overlay.unseal(inode);
      this.#overlay.truncate(inode, 0);
      this.#dropPrivileges(context, inode);
    }
    return this.#files.openInode(inode, writing, numberOf(context));
  }

  release(context: RequestContext, node: number, handle: bigint): void {
    if (this.#isDocument(node)) {
      this.#askMain(context, node, { op: 'release', handle });
      return;
    }
    const wrote = this.#files.release(node, handle, numberOf(context));
    const inode = this.#overlay.inode(node);
    if (!inode) return;
    if (!inode.place) {
      if (this.#overlay.handles.countsOf(node) === undefined) this.#overlay.drop(node);
      return;
    }
    if (wrote && !this.#overlay.handles.isWriting(node)) this.#overlay.seal(inode);
  }

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
    const content = this.#tree.content(node);
    switch (content.kind) {
      case 'document':
        return this.#askMain(context, node, { op: 'read', handle, offsetBytes, sizeBytes });
      case 'rendered':
        this.#parts.submit({ kind: 'read-rendered', uniqueLow, uniqueHigh, node, offsetBytes, sizeBytes });
        return DEFERRED;
      case 'verbatim': {
        const fd = this.#descriptors.get(node, content.path);
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
          path: content.path,
          offsetBytes,
          sizeBytes,
        });
        return DEFERRED;
      }
    }
  }

  readonly #buffer = Buffer.allocUnsafeSlow(1 << 20);

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
    this.#parts.submit({
      kind: 'read-pieces',
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

  write(
    context: RequestContext,
    node: number,
    _handle: bigint,
    offsetBytes: number,
    data: Uint8Array,
  ): number {
    const inode = this.#writableInode(node);
    this.#overlay.unseal(inode);
    this.#overlay.write(inode, data, offsetBytes);
    this.#dropPrivileges(context, inode);
    this.#watchBudget();
    return data.length;
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
    const pressed = reservedBytes > budgetBytes * LOW_MARK;
    if (pressed && !this.#toldPressed) this.#parts.notify({ kind: 'pressed', reservedBytes, budgetBytes });
    this.#toldPressed = pressed;
  }

  flush(): undefined {
    // Written bytes are in memory or on disk already when write(2) returns.
  }

  fsync(context: RequestContext, node: number): undefined | Deferred {
    const inode = this.#overlay.inode(node);
    if (!inode || !isFile(inode) || inode.landed) return this.#persist(context, 0, [], 0, '');
    const { sizeBytes } = this.#overlay.store.stat(inode);
    const durablePath = inode.place ? join(this.#parts.durableFolder, node.toString(16)) : '';
    return this.#persist(context, node, this.#overlay.store.pieces(inode), sizeBytes, durablePath);
  }

  #persist(
    context: RequestContext,
    inode: number,
    pieces: Extract<ReaderJob, { kind: 'persist' }>['pieces'],
    fileSizeBytes: number,
    durablePath: string,
  ): Deferred {
    const { uniqueLow, uniqueHigh } = context;
    const { journalPath } = this.#parts;
    this.#parts.submit({
      kind: 'persist',
      inode,
      uniqueLow,
      uniqueHigh,
      pieces,
      fileSizeBytes,
      durablePath,
      journalPath,
    });
    return DEFERRED;
  }

  fallocate(
    _context: RequestContext,
    node: number,
    mode: number,
    offsetBytes: number,
    sizeBytes: number,
  ): undefined {
    const inode = this.#writableInode(node);
    this.#overlay.unseal(inode);
    this.#overlay.allocate(inode, mode, offsetBytes, sizeBytes);
    this.#watchBudget();
  }

  lseek(_context: RequestContext, node: number, offsetBytes: number, whence: number): number {
    const inode = this.#overlay.inode(node);
    if (inode && !inode.landed) return this.#overlay.store.seek(inode, offsetBytes, whence);
    const sizeBytes = this.#attributes.of(node)?.sizeBytes ?? 0;
    if (offsetBytes >= sizeBytes) throw Object.assign(new Error('past the end'), { errno: -6 });
    return whence === 3 ? offsetBytes : sizeBytes;
  }

  copyFileRange(
    context: RequestContext,
    from: { node: number; offsetBytes: number },
    to: { node: number; offsetBytes: number },
    sizeBytes: number,
  ): number {
    const target = this.#writableInode(to.node);
    const source = this.#overlay.inode(from.node);
    // Only what is in memory is copied here; for the rest the kernel reads and writes itself.
    if (!source || source.landed || !isFile(source))
      throw Object.assign(new Error('not in memory'), { errno: -18 });
    const buffer = this.#readBuffer(Math.min(sizeBytes, this.#buffer.length));
    const got = this.#overlay.store.read(source, buffer, from.offsetBytes);
    if (got === undefined) throw Object.assign(new Error('not in memory'), { errno: -18 });
    if (got === 0) return 0;
    return this.write(context, target.number, 0n, to.offsetBytes, buffer.subarray(0, got));
  }

  /**
   * A reader failed. Where the file lies elsewhere by now (it landed, or came back to be written), the request is
   * taken up again; else it fails with `errno`, and `message` is reported.
   */
  failed(job: MovableJob, errno: number, message: string): void {
    if (!this.#hasMoved(job)) {
      this.#parts.notify({ kind: 'failed', path: '', message });
      this.#parts.refuse(job, errno);
      return;
    }
    const context = { ...NOBODY, uniqueLow: job.uniqueLow, uniqueHigh: job.uniqueHigh };
    const inode = this.#overlay.inode(job.inode);
    try {
      if (!inode) throw STALE;
      if (job.kind === 'persist') this.fsync(context, job.inode);
      else {
        const bytes = this.#readInode(context, inode, job.offsetBytes, job.sizeBytes);
        if (bytes !== DEFERRED) this.#parts.answer(job, bytes);
      }
    } catch (error) {
      this.#parts.refuse(job, errnoOf(error));
    }
  }

  #hasMoved(job: MovableJob): boolean {
    const inode = this.#overlay.inode(job.inode);
    if (!inode || !isFile(inode)) return false;
    if (job.kind === 'read-landed') return !isDeepStrictEqual(inode.landed?.record, job.record);
    return inode.landed !== undefined || !isDeepStrictEqual(this.#overlay.store.pieces(inode), job.pieces);
  }

  statfs(): StatFs {
    const stat = statfsSync(this.#parts.diskFolder);
    return {
      blocks: stat.blocks,
      freeBlocks: stat.bfree,
      availableBlocks: stat.bavail,
      files: stat.files,
      freeFiles: stat.ffree,
      blockSizeBytes: stat.bsize,
      maxNameBytes: MAX_NAME_BYTES,
    };
  }

  interrupt(): void {
    // What is deferred ends by itself soon; the kernel accepts the answer as well as a refusal.
  }

  idle(): void {
    this.#parts.drain();
  }

  // ---- copies

  /**
   * Begins to lay a copy of a tree file over it. The request is answered ESTALE when the copy is in place: at
   * once when it begins empty.
   */
  #copyUp(context: RequestContext, node: number, empty: boolean): Deferred {
    this.#placeOf(node);
    if (empty) {
      this.#finishCopyUp(node, undefined);
      throw STALE;
    }
    const content = this.#tree.content(node);
    if (content.kind === 'document') throw READ_ONLY;
    const attributes = this.#attributes.of(node);
    if (!attributes) throw STALE;
    const from = content.kind === 'verbatim' ? content : { kind: 'rendered' as const, node };
    return this.#stage(context, node, attributes.sizeBytes, from);
  }

  /** Begins to take a landed file's bytes back into memory, to be written. */
  #recall(context: RequestContext, inode: OverlayInode): Deferred {
    const { landed, number, version } = inode;
    if (!landed) throw STALE;
    const from = { kind: 'landed' as const, inode: number, version, record: landed.record };
    return this.#stage(context, number, landed.sizeBytes, from);
  }

  #stage(context: RequestContext, node: number, sizeBytes: number, from: StageJob['from']): Deferred {
    const { uniqueLow, uniqueHigh } = context;
    const ticket = { uniqueLow, uniqueHigh };
    const running = this.#staging.get(node);
    if (running) {
      running.waiting.push(ticket);
      return DEFERRED;
    }
    const stagedPath = join(this.#parts.stagingFolder, `copy-${node.toString(16)}`);
    const job: StageJob = { kind: 'stage', node, stagedPath, sizeBytes, from };
    this.#staging.set(node, { waiting: [ticket], job });
    this.#parts.submit(job);
    return DEFERRED;
  }

  /** A reader finished a copy, or failed with an errno. */
  staged(node: number, failedErrno: number): void {
    const staging = this.#staging.get(node);
    if (!staging) return;
    this.#staging.delete(node);
    const landed = this.#overlay.inode(node)?.landed?.record;
    const hasMoved = staging.job.from.kind === 'landed' && landed !== staging.job.from.record;
    let errno = failedErrno !== 0 && hasMoved ? errnoOf(STALE) : failedErrno;
    if (errno === 0) {
      const { from, stagedPath } = staging.job;
      try {
        const inode = this.#overlay.inode(node);
        if (!inode) this.#finishCopyUp(node, stagedPath);
        else if (from.kind === 'landed' && inode.landed?.record === from.record)
          this.#overlay.recall(inode, stagedPath);
        errno = errnoOf(STALE);
      } catch (error) {
        if (error !== STALE) this.#report(node, error);
        errno = errnoOf(error);
      }
      rmSync(stagedPath, { force: true });
    }
    for (const ticket of staging.waiting) this.#parts.refuse(ticket, errno);
  }

  #finishCopyUp(node: number, stagedPath: string | undefined): void {
    const attributes = this.#attributes.of(node);
    if (!attributes) throw STALE;
    const place = this.#placeOf(node);
    const { mode, uid, gid } = attributes;
    const inode = this.#overlay.copyUp({ ...place, mode, uid, gid }, stagedPath);
    if (stagedPath !== undefined) this.#overlay.store.setTimes(inode, attributes.atimeNs, attributes.mtimeNs);
  }

  /**
   * The directory and name a tree node hangs at. @throws STALE when it is gone, or something else lies there: a
   * copy that was made before, mostly, and may have been written since.
   */
  #placeOf(node: number): { parent: number; name: string } {
    const path = this.#overlay.names.pathOf(node);
    if (path === undefined) throw STALE;
    const names = path.split('/');
    const name = names.pop() ?? '';
    let parent = ROOT_NODE;
    for (const part of names) {
      const next = this.#overlay.names.lookup(parent, part);
      if (next === undefined) throw STALE;
      parent = next;
    }
    if (this.#overlay.names.lookup(parent, name) !== node) throw STALE;
    return { parent, name };
  }
}

const numberOf = (context: RequestContext): RequestNumber => ({
  low: context.uniqueLow,
  high: context.uniqueHigh & 0x7fff_ffff,
});

/** The request's number without the mark that it was sent again. */
const uniqueOf = (context: RequestContext): string =>
  `${context.uniqueHigh & 0x7fff_ffff}:${context.uniqueLow}`;
