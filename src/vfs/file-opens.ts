import type { FileCalls } from '../core/file-calls.ts';
import { type OverlayInode, S_IFREG } from '../overlay/inode.ts';
import type { Overlay } from '../overlay/overlay.ts';
import type { Tree } from '../tree/tree.ts';
import type { Attributes } from './attributes.ts';
import type { DocumentRequests } from './document-requests.ts';
import type { FileData } from './file-data.ts';
import { DEFERRED, type Deferred, type Entry, type OpenReply, type RequestContext } from './file-system.ts';
import type { FrontNotice, ReaderJob, Ticket } from './jobs.ts';
import { KeptMaps } from './kept-maps.ts';
import type { KeptRenders } from './kept-renders.ts';
import { knownInode } from './known-inode.ts';
import type { NameChanges } from './name-changes.ts';
import {
  type BackingFiles,
  FOPEN_DIRECT_IO,
  FOPEN_KEEP_CACHE,
  OpenFiles,
  type SourceDescriptors,
  statOpen,
} from './open-files.ts';
import { ENTRY_EXISTS, IS_A_DIRECTORY, READ_ONLY, STALE } from './refusals.ts';
import { numberOf, uniqueOf } from './request-number.ts';
import type { StagedCopies } from './staged-copies.ts';

const O_ACCMODE = 3;
const O_TRUNC = 0o1000;
const O_EXCL = 0o200;

export interface FileOpenParts {
  readonly tree: Tree;
  readonly overlay: Overlay;
  readonly calls: FileCalls;
  /** Absent where the kernel or our rights don't allow it. */
  readonly backing: BackingFiles | undefined;
  readonly readOnly: boolean;
  readonly notify: (notice: FrontNotice) => void;
  /** Hands a job to a reader thread. */
  readonly submit: (job: ReaderJob) => void;
  readonly renders: KeptRenders;
  /** In memory: where it is noted which renders the kernel reads. */
  readonly passedFolder?: string;
}

/** What opening and closing rest on. */
interface Rooms {
  readonly attributes: Attributes;
  readonly documents: DocumentRequests;
  readonly names: NameChanges;
  readonly copies: StagedCopies;
  readonly data: FileData;
}

/** Opening and closing of files: by whom a file's bytes are kept, and when a version of it is whole. */
export class FileOpens {
  readonly #parts: FileOpenParts;
  readonly #tree: Tree;
  readonly #overlay: Overlay;
  readonly #rooms: Rooms;
  readonly #descriptors: SourceDescriptors;
  readonly #files: OpenFiles;
  readonly #maps: KeptMaps;

  constructor(parts: FileOpenParts, rooms: Rooms, descriptors: SourceDescriptors) {
    this.#parts = parts;
    this.#tree = parts.tree;
    this.#overlay = parts.overlay;
    this.#rooms = rooms;
    this.#descriptors = descriptors;
    this.#maps = new KeptMaps(parts.overlay, parts.calls);
    this.#files = new OpenFiles(parts.overlay, parts.backing, parts.passedFolder);
  }

  create(
    context: RequestContext,
    parent: number,
    name: string,
    mode: number,
    flags: number,
  ): { entry: Entry; open: OpenReply } {
    const existing = this.#rooms.names.wasCarriedOut(context)
      ? undefined
      : this.#overlay.names.lookup(parent, name);
    if (existing !== undefined) {
      if (flags & O_EXCL) throw ENTRY_EXISTS;
      // The kernel believed the name was free: let it look again.
      throw STALE;
    }
    const { uid, gid } = context;
    const entry = this.#rooms.names.make(context, {
      parent,
      name,
      mode: S_IFREG | (mode & 0o7777),
      uid,
      gid,
    });
    const inode = this.#overlay.inode(entry.node);
    if (!inode) throw STALE;
    return { entry, open: this.#files.openInode(inode, (flags & O_ACCMODE) !== 0, numberOf(context)) };
  }

  tmpfile(
    context: RequestContext,
    parent: number,
    mode: number,
    flags: number,
  ): { entry: Entry; open: OpenReply } {
    const { names } = this.#rooms;
    names.checkDirectory(parent);
    // What was made for a request that a dead daemon did not answer is gone where nobody had it open yet.
    const before = names.wasCarriedOut(context)
      ? this.#overlay.inode(this.#overlay.names.lastRequest?.node ?? 0)
      : undefined;
    const { uid, gid } = context;
    const owned = names.ownership({ parent, mode: S_IFREG | (mode & 0o7777), gid });
    const inode = before ?? this.#overlay.makeNameless({ ...owned, uid }, uniqueOf(context));
    const entry = this.#rooms.attributes.entry(inode.number);
    return { entry, open: this.#files.openInode(inode, (flags & O_ACCMODE) !== 0, numberOf(context)) };
  }

  open(context: RequestContext, node: number, flags: number): OpenReply | Deferred {
    const writing = (flags & O_ACCMODE) !== 0;
    const truncating = (flags & O_TRUNC) !== 0;
    if (this.#overlay.names.isDirectory(node)) throw IS_A_DIRECTORY;
    const inode = knownInode(this.#overlay, node);
    if (inode) return this.#openInode(context, inode, writing, truncating);
    if (writing || truncating) {
      if (this.#parts.readOnly || this.#rooms.names.isFixed(node)) throw READ_ONLY;
      return this.#rooms.copies.copyUp(context, node, truncating);
    }
    const content = this.#tree.content(node);
    if (content.kind === 'document') return this.#rooms.documents.ask(context, node, { op: 'open' });
    if (content.kind === 'rendered') {
      if (!this.#parts.renders.mayHave(node)) return this.#files.openRendered(node, numberOf(context));
      const { uniqueLow, uniqueHigh } = context;
      this.#parts.submit({ kind: 'find-render', uniqueLow, uniqueHigh, node });
      return DEFERRED;
    }
    // Opened anew, since another file may have taken the name.
    this.#descriptors.forget(node);
    const fd = this.#descriptors.get(node, content.path);
    const hasChanged = this.#noteChange(node, fd);
    const reply = this.#files.openVerbatim(node, fd, numberOf(context));
    if (reply.backingId !== undefined) this.#descriptors.forget(node);
    // What the kernel keeps of the file is of the old one.
    return hasChanged ? { ...reply, openFlags: reply.openFlags & ~FOPEN_KEEP_CACHE } : reply;
  }

  /** A reader has found out whether a finished render is kept. @returns how the file that waits is opened. */
  renderFound(ticket: Ticket, node: number, path: string | undefined): OpenReply {
    const { renders } = this.#parts;
    this.#descriptors.forget(node);
    renders.found(node, path);
    let render: number | undefined;
    try {
      if (path !== undefined) render = this.#descriptors.get(node, path);
    } catch {
      // Thrown out this moment: then it is rendered anew.
      renders.found(node, undefined);
    }
    const reply = this.#files.openRendered(node, numberOf(ticket), render);
    const isPassed = reply.backingId !== undefined && (reply.openFlags & FOPEN_DIRECT_IO) === 0;
    // Whoever has it open holds it; here it would be held when it is thrown out.
    if (isPassed) this.#descriptors.forget(node);
    if (renders.opened(node, isPassed)) this.#parts.notify({ kind: 'passed-through', node });
    // There was one: what the kernel keeps may be of sources that have changed since.
    return path === undefined ? { ...reply, openFlags: reply.openFlags & ~FOPEN_KEEP_CACHE } : reply;
  }

  /** A source file that grew or was replaced since it was listed is shown as it is now. */
  #noteChange(node: number, fd: number): boolean {
    const known = this.#rooms.attributes.of(node);
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
    if ((writing || truncating) && this.#parts.readOnly) throw READ_ONLY;
    if (writing && inode.landed && !truncating) return this.#rooms.copies.recall(context, inode);
    if (truncating) {
      this.#rooms.data.truncate(context, inode, 0);
      // Whoever can't write doesn't say when the file is whole: it is.
      if (!writing && !this.#overlay.handles.isWriting(inode.number)) this.#overlay.seal(inode);
    }
    return this.#maps.openInode(this.#files, inode, writing, numberOf(context));
  }

  /** Between requests: looks whether maps are gone that files waited for. */
  idle(): void {
    this.#maps.idle();
  }

  release(context: RequestContext, node: number, handle: bigint): void {
    if (this.#rooms.documents.isDocument(node)) {
      this.#rooms.documents.ask(context, node, { op: 'release', handle });
      return;
    }
    const wrote = this.#files.release(node, handle, numberOf(context));
    const inode = this.#overlay.inode(node);
    if (!inode) return;
    if (!inode.place) {
      if (this.#overlay.handles.countsOf(node) === undefined) this.#overlay.drop(node);
      return;
    }
    if (wrote && !this.#overlay.handles.isWriting(node)) this.#maps.seal(inode);
  }
}
