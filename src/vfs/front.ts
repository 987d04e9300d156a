import { statfsSync } from 'node:fs';
import { explain } from '../core/errors.ts';
import { FIRST_OVERLAY_INODE, isFile, type OverlayInode, S_IFMT, S_IFREG } from '../overlay/inode.ts';
import type { Overlay } from '../overlay/overlay.ts';
import type { Tree } from '../tree/tree.ts';
import { Attributes, DAY_MS, type Owner } from './attributes.ts';
import { DocumentRequests } from './document-requests.ts';
import { FileData, type FileDataParts } from './file-data.ts';
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
import type { MovableJob } from './jobs.ts';
import { Listing } from './listing.ts';
import { MAX_NAME_BYTES, type NameChangeParts, NameChanges } from './name-changes.ts';
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
  NOT_A_DIRECTORY,
  NOT_PERMITTED,
  READ_ONLY,
  STALE,
} from './refusals.ts';
import { numberOf, uniqueOf } from './request-number.ts';
import { StagedCopies, type StagedCopyParts } from './staged-copies.ts';
import { Xattrs } from './xattrs.ts';

const O_ACCMODE = 3;
const O_TRUNC = 0o1000;
const O_EXCL = 0o200;
/** Descriptors kept for reads that are not passed through. */
const MAX_SOURCE_DESCRIPTORS = 128;

export interface FrontParts extends NameChangeParts, StagedCopyParts, FileDataParts {
  /** Absent where the kernel or our rights don't allow it. */
  readonly backing: BackingFiles | undefined;
  readonly owner: Owner;
  /** Whose free space statfs shows. */
  readonly diskFolder: string;
  /** Handles messages from other threads. */
  readonly drain: () => void;
}

/**
 * The file system as the kernel sees it: the tree with the overlay laid over it. Runs in the front thread; every
 * method answers from memory or tmpfs, and hands on what would wait for a disk. Here names are looked up,
 * attributes shown and files opened; {@link NameChanges}, {@link FileData} and {@link StagedCopies} do the rest.
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
  readonly #documents: DocumentRequests;
  readonly #names: NameChanges;
  readonly #copies: StagedCopies;
  readonly #data: FileData;

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
    this.#documents = new DocumentRequests(parts.tree, parts.notify);
    this.#names = new NameChanges(parts, this.#attributes);
    this.#copies = new StagedCopies(parts, this.#attributes, this.#documents, (node, error) =>
      this.#report(node, error),
    );
    this.#data = new FileData(parts, this.#attributes, this.#documents, this.#descriptors);
  }

  // ---- names

  lookup(context: RequestContext, parent: number, name: string): Entry | Deferred {
    const node = this.#overlay.names.lookup(parent, name);
    if (node === undefined) {
      if (!this.#overlay.names.isDirectory(parent)) throw NOT_A_DIRECTORY;
      return { node: 0, entryTimeoutMs: DAY_MS, attrTimeoutMs: 0 };
    }
    if (this.#documents.isDocument(node)) return this.#documents.ask(context, node, { op: 'lookup' });
    return this.#attributes.entry(node);
  }

  /** For a listing: nothing where the main thread, a slow or a failing source would have to be asked. */
  #listedEntry(node: number, mayAsk: boolean): Entry | undefined {
    if (this.#documents.isDocument(node)) return undefined;
    if (!mayAsk && node < FIRST_OVERLAY_INODE && !this.#tree.isKnown(node)) return undefined;
    try {
      return this.#attributes.entry(node);
    } catch (error) {
      this.#report(node, error);
      return undefined;
    }
  }

  #report(node: number, error: unknown): void {
    const path = this.#overlay.names.pathOf(node) ?? `inode ${node}`;
    this.#parts.notify({ kind: 'failed', path, message: explain(error) });
  }

  forget(): void {
    // Node numbers are permanent and unlinked files live by their open handles, so there is nothing to forget.
  }

  mknod(context: RequestContext, parent: number, name: string, mode: number, rdev: number): Entry {
    return this.#names.mknod(context, parent, name, mode, rdev);
  }

  mkdir(context: RequestContext, parent: number, name: string, mode: number): Entry {
    return this.#names.mkdir(context, parent, name, mode);
  }

  symlink(context: RequestContext, parent: number, name: string, target: string): Entry {
    return this.#names.symlink(context, parent, name, target);
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
    this.#names.unlink(context, parent, name);
  }

  rmdir(context: RequestContext, parent: number, name: string): void {
    this.#names.rmdir(context, parent, name);
  }

  rename(
    context: RequestContext,
    parent: number,
    name: string,
    newParent: number,
    newName: string,
    flags: number,
  ): void {
    this.#names.rename(context, parent, name, newParent, newName, flags);
  }

  // ---- attributes

  getattr(context: RequestContext, node: number): AttributesReply | Deferred {
    if (this.#documents.isDocument(node)) return this.#documents.ask(context, node, { op: 'getattr' });
    const attributes = this.#attributes.of(node);
    if (!attributes) throw STALE;
    return { attrTimeoutMs: DAY_MS, attributes };
  }

  setattr(context: RequestContext, node: number, change: AttributeChange): AttributesReply | Deferred {
    if (this.#parts.readOnly || this.#names.isFixed(node)) throw READ_ONLY;
    const inode = this.#known(node);
    if (!inode) {
      // The tree's own folders keep their owner, rights and times.
      if (this.#overlay.names.isDirectory(node)) throw NOT_PERMITTED;
      return this.#copies.copyUp(context, node, change.sizeBytes === 0);
    }
    if (change.sizeBytes !== undefined) {
      if (!isFile(inode)) throw INVALID;
      if (inode.landed && change.sizeBytes !== 0) return this.#copies.recall(context, inode);
      this.#data.truncate(context, inode, change.sizeBytes);
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
    if (inode.landed) return this.#copies.recall(context, inode);
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

  access(): void {
    // The kernel checks rights by the attributes (default_permissions).
  }

  getxattr(_context: RequestContext, node: number, name: string): Uint8Array {
    this.#known(node);
    return this.#xattrs.get(node, name);
  }

  listxattr(_context: RequestContext, node: number): readonly string[] {
    this.#known(node);
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
    if (this.#names.wasCarriedOut(context)) return undefined;
    if (this.#parts.readOnly || this.#names.isFixed(node)) throw READ_ONLY;
    if (!this.#known(node)) {
      if (this.#overlay.names.isDirectory(node)) throw NOT_PERMITTED;
      return this.#copies.copyUp(context, node, false);
    }
    change();
    return undefined;
  }

  // ---- directories

  opendir(_context: RequestContext, node: number): OpenReply {
    if (!this.#overlay.names.isDirectory(node)) throw NOT_A_DIRECTORY;
    const live = node < FIRST_OVERLAY_INODE && this.#tree.attributes(node)?.live === true;
    return { handle: 0n, openFlags: live ? 0 : FOPEN_KEEP_CACHE | FOPEN_CACHE_DIR };
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
    return this.#data.syncNames(context);
  }

  // ---- files

  create(
    context: RequestContext,
    parent: number,
    name: string,
    mode: number,
    flags: number,
  ): { entry: Entry; open: OpenReply } {
    const existing = this.#names.wasCarriedOut(context)
      ? undefined
      : this.#overlay.names.lookup(parent, name);
    if (existing !== undefined) {
      if (flags & O_EXCL) throw ENTRY_EXISTS;
      // The kernel believed the name was free: let it look again.
      throw STALE;
    }
    const { uid, gid } = context;
    const entry = this.#names.make(context, { parent, name, mode: S_IFREG | (mode & 0o7777), uid, gid });
    const inode = this.#overlay.inode(entry.node);
    if (!inode) throw STALE;
    return { entry, open: this.#files.openInode(inode, (flags & O_ACCMODE) !== 0, numberOf(context)) };
  }

  /**
   * The overlay inode of a node; undefined for the tree's.
   * @throws stale for one that is gone: another took its name while the kernel was about to ask for it, so the
   *   kernel looks the name up again and finds the new one.
   */
  #known(node: number): OverlayInode | undefined {
    const inode = this.#overlay.inode(node);
    if (!inode && node >= FIRST_OVERLAY_INODE) throw STALE;
    return inode;
  }

  open(context: RequestContext, node: number, flags: number): OpenReply | Deferred {
    const writing = (flags & O_ACCMODE) !== 0;
    const truncating = (flags & O_TRUNC) !== 0;
    if (this.#overlay.names.isDirectory(node)) throw IS_A_DIRECTORY;
    const inode = this.#known(node);
    if (inode) return this.#openInode(context, inode, writing, truncating);
    if (writing) {
      if (this.#parts.readOnly || this.#names.isFixed(node)) throw READ_ONLY;
      return this.#copies.copyUp(context, node, truncating);
    }
    const content = this.#tree.content(node);
    if (content.kind === 'document') return this.#documents.ask(context, node, { op: 'open' });
    if (content.kind === 'rendered') return this.#files.openRendered(node, numberOf(context));
    // Opened anew, since another file may have taken the name.
    this.#descriptors.forget(node);
    const fd = this.#descriptors.get(node, content.path);
    const hasChanged = this.#noteChange(node, fd);
    const reply = this.#files.openVerbatim(node, fd, numberOf(context));
    if (reply.backingId !== undefined) this.#descriptors.forget(node);
    // What the kernel keeps of the file is of the old one.
    return hasChanged ? { ...reply, openFlags: reply.openFlags & ~FOPEN_KEEP_CACHE } : reply;
  }

  /** A source file that grew or was replaced since it was listed is shown as it is now. */
  #noteChange(node: number, fd: number): boolean {
    const known = this.#attributes.of(node);
    const { sizeBytes, mtimeMs } = statOpen(fd);
    if (known && known.sizeBytes === sizeBytes && Math.abs(Number(known.mtimeNs) / 1e6 - mtimeMs) < 1)
      return false;
    // Before the kernel is told to ask again.
    this.#tree.refreshNode(node);
    this.#parts.notify({ kind: 'source-changed', node });
    return true;
  }

  #openInode(
    context: RequestContext,
    inode: OverlayInode,
    writing: boolean,
    truncating: boolean,
  ): OpenReply | Deferred {
    if (writing && this.#parts.readOnly) throw READ_ONLY;
    if (writing && inode.landed && !truncating) return this.#copies.recall(context, inode);
    if (writing && truncating) this.#data.truncate(context, inode, 0);
    return this.#files.openInode(inode, writing, numberOf(context));
  }

  release(context: RequestContext, node: number, handle: bigint): void {
    if (this.#documents.isDocument(node)) {
      this.#documents.ask(context, node, { op: 'release', handle });
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
    return this.#data.read(context, node, handle, offsetBytes, sizeBytes);
  }

  write(
    context: RequestContext,
    node: number,
    _handle: bigint,
    offsetBytes: number,
    data: Uint8Array,
  ): number {
    return this.#data.write(context, node, offsetBytes, data);
  }

  flush(): undefined {
    // Written bytes are in memory or on disk already when write(2) returns.
  }

  fsync(context: RequestContext, node: number): undefined | Deferred {
    return this.#data.fsync(context, node);
  }

  fallocate(
    _context: RequestContext,
    node: number,
    mode: number,
    offsetBytes: number,
    sizeBytes: number,
  ): undefined {
    this.#data.fallocate(node, mode, offsetBytes, sizeBytes);
  }

  lseek(_context: RequestContext, node: number, offsetBytes: number, whence: number): number {
    return this.#data.lseek(node, offsetBytes, whence);
  }

  copyFileRange(
    context: RequestContext,
    from: { node: number; offsetBytes: number },
    to: { node: number; offsetBytes: number },
    sizeBytes: number,
  ): number {
    return this.#data.copyFileRange(context, from, to, sizeBytes);
  }

  /**
   * A reader failed. Where the file lies elsewhere by now (it landed, or came back to be written), the request is
   * taken up again; else it fails with `errno`, and `message` is reported.
   */
  failed(job: MovableJob, errno: number, message: string): void {
    this.#data.failed(job, errno, message);
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

  /** The tree below is another one: things that are still there have the numbers they had. */
  treeChanged(): void {
    this.#descriptors.clear();
  }

  /** A reader finished a copy, or failed with an errno. */
  staged(node: number, failedErrno: number): void {
    this.#copies.staged(node, failedErrno);
  }
}
