import { statfsSync } from 'node:fs';
import { explain } from '../core/errors.ts';
import { isOverlayNode } from '../overlay/inode.ts';
import type { Overlay } from '../overlay/overlay.ts';
import type { Tree } from '../tree/tree.ts';
import { AttributeChanges } from './attribute-changes.ts';
import { Attributes, DAY_MS, type Owner } from './attributes.ts';
import { DocumentRequests } from './document-requests.ts';
import { FileData, type FileDataParts } from './file-data.ts';
import { type FileOpenParts, FileOpens } from './file-opens.ts';
import type {
  AttributeChange,
  AttributesReply,
  Deferred,
  DirectorySink,
  Entry,
  FileSystem,
  OpenReply,
  RequestContext,
  StatFs,
} from './file-system.ts';
import type { MovableJob, SyncReport, Ticket } from './jobs.ts';
import { knownInode } from './known-inode.ts';
import { Listing } from './listing.ts';
import { type MeasureParts, Measures } from './measures.ts';
import { checkName, MAX_NAME_BYTES, type NameChangeParts, NameChanges } from './name-changes.ts';
import { FOPEN_CACHE_DIR, FOPEN_KEEP_CACHE, SourceDescriptors } from './open-files.ts';
import { INVALID, NOT_A_DIRECTORY, STALE } from './refusals.ts';
import { StagedCopies, type StagedCopyParts } from './staged-copies.ts';
import { Xattrs } from './xattrs.ts';

/** Descriptors kept for reads that are not passed through. */
const MAX_SOURCE_DESCRIPTORS = 128;

export interface FrontParts
  extends NameChangeParts,
    StagedCopyParts,
    FileDataParts,
    FileOpenParts,
    MeasureParts {
  readonly owner: Owner;
  /** Whose free space statfs shows. */
  readonly diskFolder: string;
  /** Handles messages from other threads. */
  readonly drain: () => void;
}

/**
 * The file system as the kernel sees it: the tree with the overlay laid over it. Runs in the front thread; every
 * method answers from memory or tmpfs, and hands on what would wait for a disk. Here names are looked up,
 * and attributes shown; {@link NameChanges}, {@link AttributeChanges}, {@link FileOpens}, {@link FileData} and
 * {@link StagedCopies} do the rest.
 */
export class Front implements FileSystem {
  readonly #parts: FrontParts;
  readonly #tree: Tree;
  readonly #overlay: Overlay;
  readonly #attributes: Attributes;
  readonly #listing: Listing;
  readonly #xattrs: Xattrs;
  readonly #descriptors = new SourceDescriptors(MAX_SOURCE_DESCRIPTORS);
  readonly #documents: DocumentRequests;
  readonly #measures: Measures;
  readonly #names: NameChanges;
  readonly #copies: StagedCopies;
  readonly #data: FileData;
  readonly #changes: AttributeChanges;
  readonly #opens: FileOpens;

  constructor(parts: FrontParts) {
    this.#parts = parts;
    this.#tree = parts.tree;
    this.#overlay = parts.overlay;
    this.#attributes = new Attributes(parts.tree, parts.overlay, parts.owner, !parts.readOnly);
    this.#listing = new Listing(parts.tree, parts.overlay, this.#attributes, (node, mayAsk) =>
      this.#listedEntry(node, mayAsk),
    );
    this.#xattrs = new Xattrs(parts.tree, parts.overlay);
    this.#documents = new DocumentRequests(parts.tree, parts.notify);
    this.#measures = new Measures(parts);
    this.#names = new NameChanges(parts, this.#attributes);
    this.#copies = new StagedCopies(parts, this.#attributes, this.#documents, (node, error) =>
      this.#report(node, error),
    );
    this.#data = new FileData(parts, this.#attributes, this.#documents, this.#descriptors);
    const rooms = {
      attributes: this.#attributes,
      documents: this.#documents,
      names: this.#names,
      copies: this.#copies,
      data: this.#data,
    };
    this.#changes = new AttributeChanges(parts, rooms, this.#xattrs);
    this.#opens = new FileOpens(parts, rooms, this.#descriptors);
  }

  /** What was asked to be measured is, or could not be: then `errno` is not 0. */
  measured(node: number, errno: number): void {
    this.#measures.measured(node, errno);
  }

  // ---- names

  lookup(context: RequestContext, parent: number, name: string): Entry | Deferred {
    checkName(name);
    const node = this.#overlay.names.lookup(parent, name);
    if (node === undefined) {
      if (!this.#overlay.names.isDirectory(parent)) throw NOT_A_DIRECTORY;
      return { node: 0, entryTimeoutMs: DAY_MS, attrTimeoutMs: 0 };
    }
    if (this.#documents.isDocument(node)) return this.#documents.ask(context, node, { op: 'lookup' });
    if (!this.#measures.isMeasured(node))
      return this.#measures.wait(context, node, () => ({
        kind: 'entry',
        entry: this.#attributes.entry(node),
      }));
    return this.#attributes.entry(node);
  }

  /** For a listing: nothing where the main thread, a slow or a failing source would have to be asked. */
  #listedEntry(node: number, mayAsk: boolean): Entry | undefined {
    if (this.#documents.isDocument(node)) return undefined;
    if (!this.#measures.isMeasured(node)) return undefined;
    if (!mayAsk && !isOverlayNode(node) && !this.#tree.isKnown(node)) return undefined;
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
    const target = this.#overlay.inode(node)?.target ?? this.#tree.linkTarget?.(node);
    if (target === undefined) throw INVALID;
    return target;
  }

  /** A tree file is copied first, as for writing. */
  link(context: RequestContext, node: number, newParent: number, newName: string): Entry | Deferred {
    if (this.#names.isCopyNeeded(context, node, newParent)) return this.#copies.copyUp(context, node, false);
    return this.#names.link(context, node, newParent, newName);
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
    if (!this.#measures.isMeasured(node))
      return this.#measures.wait(context, node, () => ({
        kind: 'attributes',
        reply: this.#attributesReply(node),
      }));
    return this.#attributesReply(node);
  }

  #attributesReply(node: number): AttributesReply {
    const attributes = this.#attributes.of(node);
    if (!attributes) throw STALE;
    return { attrTimeoutMs: DAY_MS, attributes };
  }

  setattr(context: RequestContext, node: number, change: AttributeChange): AttributesReply | Deferred {
    return this.#changes.setattr(context, node, change);
  }

  access(): void {
    // The kernel checks rights by the attributes (default_permissions).
  }

  getxattr(_context: RequestContext, node: number, name: string): Uint8Array {
    knownInode(this.#overlay, node);
    return this.#xattrs.get(node, name);
  }

  listxattr(_context: RequestContext, node: number): readonly string[] {
    knownInode(this.#overlay, node);
    return this.#xattrs.list(node);
  }

  setxattr(
    context: RequestContext,
    node: number,
    name: string,
    value: Uint8Array,
    flags: number,
  ): undefined | Deferred {
    return this.#changes.setxattr(context, node, name, value, flags);
  }

  removexattr(context: RequestContext, node: number, name: string): undefined | Deferred {
    return this.#changes.removexattr(context, node, name);
  }

  // ---- directories

  opendir(_context: RequestContext, node: number): OpenReply {
    if (!this.#overlay.names.isDirectory(node)) throw NOT_A_DIRECTORY;
    const live = !isOverlayNode(node) && this.#tree.attributes(node)?.live === true;
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
    return this.#opens.create(context, parent, name, mode, flags);
  }

  tmpfile(
    context: RequestContext,
    parent: number,
    mode: number,
    flags: number,
  ): { entry: Entry; open: OpenReply } {
    return this.#opens.tmpfile(context, parent, mode, flags);
  }

  open(context: RequestContext, node: number, flags: number): OpenReply | Deferred {
    return this.#opens.open(context, node, flags);
  }

  release(context: RequestContext, node: number, handle: bigint): void {
    this.#opens.release(context, node, handle);
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
  ): number | Deferred {
    return this.#data.writeAtPace(context, node, offsetBytes, data);
  }

  flush(context: RequestContext, node: number, handle: bigint): undefined | Deferred {
    return this.#data.flush(context, node, handle);
  }

  /** A reader has done a sync, and answered where all went well. */
  synced(report: SyncReport): void {
    this.#data.synced(report);
  }

  fsync(context: RequestContext, node: number): undefined | Deferred {
    return this.#data.fsync(context, node);
  }

  fallocate(
    context: RequestContext,
    node: number,
    mode: number,
    offsetBytes: number,
    sizeBytes: number,
  ): undefined {
    this.#data.fallocate(context, node, mode, offsetBytes, sizeBytes);
  }

  lseek(_context: RequestContext, node: number, offsetBytes: number, whence: number): number {
    return this.#data.lseek(node, offsetBytes, whence);
  }

  copyFileRange(
    context: RequestContext,
    from: { node: number; offsetBytes: number },
    to: { node: number; offsetBytes: number },
    sizeBytes: number,
  ): number | Deferred {
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
    this.#opens.idle();
    this.#parts.drain();
  }

  /** Bytes of a file on disk were flushed, or could not be. */
  flushed(inode: number, sizeBytes: number, hasFailed: boolean): void {
    this.#data.paced?.flushed(inode, sizeBytes, hasFailed);
  }

  /** A reader has found out whether a finished render of a file is kept. @returns the answer to its OPEN. */
  renderFound(ticket: Ticket, node: number, path: string | undefined): OpenReply {
    return this.#opens.renderFound(ticket, node, path);
  }

  /** Finished renders are kept of other files than before. */
  rendersChanged(nodes: readonly number[]): void {
    for (const gone of this.#parts.renders.replace(nodes)) this.#descriptors.forget(gone);
  }

  /** The tree below is another one: things that are still there have the numbers they had. */
  treeChanged(): void {
    this.#descriptors.clear();
    this.#parts.renders.forget();
  }

  /** A reader finished a copy, or failed with an errno. */
  staged(node: number, failedErrno: number): void {
    this.#copies.staged(node, failedErrno);
  }
}
