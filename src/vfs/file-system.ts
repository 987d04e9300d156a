/**
 * What the wire asks of a file system. The session decodes a request, calls one method, and encodes what it
 * returns; nothing here knows the wire's byte layout and nothing behind it knows FUSE's.
 *
 * Node ids and offsets are safe integers. Names and link targets arrive as strings (UTF-8; a name that is not
 * valid UTF-8 is refused with EILSEQ by the session). A method either returns its reply, or throws (the
 * session asks the `errnoOf` it was given), or returns {@link DEFERRED}: then somebody else will write the
 * reply to the device with the request's `unique`, from any thread.
 */
export const DEFERRED: unique symbol = Symbol('deferred');
export type Deferred = typeof DEFERRED;

/**
 * Who asks, and the request's number, kept as two halves because resent requests set bit 63. One object, filled
 * anew for each request: who defers copies what it needs.
 */
export interface RequestContext {
  uniqueLow: number;
  uniqueHigh: number;
  /**
   * The kernel sent this request before, to a daemon that died without answering. It may have been carried out:
   * a name that a resent MKDIR finds, or a resent UNLINK does not find, is success.
   */
  resent: boolean;
  uid: number;
  gid: number;
  pid: number;
  /** What is asked takes set-user-ID and set-group-ID away: who asks may not keep them, or gives the file away. */
  dropsSetId?: boolean;
}

export interface NodeAttributes {
  ino: number;
  sizeBytes: number;
  /** 512-byte blocks in use. */
  blocks: number;
  atimeNs: bigint;
  mtimeNs: bigint;
  ctimeNs: bigint;
  /** File type and permission bits, as in st_mode. */
  mode: number;
  nlink: number;
  uid: number;
  gid: number;
  rdev: number;
  blockSizeBytes: number;
}

export interface Entry {
  /** 0: no such name, remember that for `entryTimeoutMs`. */
  node: number;
  entryTimeoutMs: number;
  attrTimeoutMs: number;
  /** Present unless `node` is 0. */
  attributes?: NodeAttributes;
}

export interface AttributesReply {
  attrTimeoutMs: number;
  attributes: NodeAttributes;
}

/** SETATTR: only what is set changes. Times `'now'` mean the daemon's clock. */
export interface AttributeChange {
  mode?: number;
  uid?: number;
  gid?: number;
  sizeBytes?: number;
  atimeNs?: bigint | 'now';
  mtimeNs?: bigint | 'now';
  ctimeNs?: bigint;
  /** The change came through an open file, not through a path. */
  throughHandle: boolean;
}

export interface OpenReply {
  handle: bigint;
  /** FOPEN_* bits. */
  openFlags: number;
  /** With FOPEN_PASSTHROUGH: the number the kernel gave for the backing file. */
  backingId?: number;
}

export interface StatFs {
  blocks: number;
  freeBlocks: number;
  availableBlocks: number;
  files: number;
  freeFiles: number;
  blockSizeBytes: number;
  maxNameBytes: number;
}

/**
 * Receives directory entries until it says it is full. `next` is the cookie from which the listing goes on
 * after this entry. Returns false when the entry did not fit; the entry is then asked for again.
 */
export interface DirectorySink {
  /** READDIRPLUS: entries may carry attributes; the kernel then counts a lookup on them. */
  readonly plus: boolean;
  /** `type` is st_mode's file-type bits. With `plus`, `entry` may be left out: the kernel looks it up later. */
  add(name: string, node: number, type: number, next: number, entry?: Entry): boolean;
}

export interface FileSystem {
  lookup(context: RequestContext, parent: number, name: string): Entry | Deferred;
  /**
   * The kernel dropped `lookups` of the times it was given this node (entries of a READDIRPLUS count too). Node
   * ids are permanent, so this matters for unlinked files only.
   */
  forget(node: number, lookups: number): void;
  getattr(context: RequestContext, node: number): AttributesReply | Deferred;
  setattr(context: RequestContext, node: number, change: AttributeChange): AttributesReply | Deferred;
  access(context: RequestContext, node: number, mask: number): void;
  readlink(context: RequestContext, node: number): string;
  symlink(context: RequestContext, parent: number, name: string, target: string): Entry;
  mknod(context: RequestContext, parent: number, name: string, mode: number, rdev: number): Entry;
  mkdir(context: RequestContext, parent: number, name: string, mode: number): Entry;
  unlink(context: RequestContext, parent: number, name: string): void;
  rmdir(context: RequestContext, parent: number, name: string): void;
  /** `flags`: RENAME_NOREPLACE 1, RENAME_EXCHANGE 2. */
  rename(
    context: RequestContext,
    parent: number,
    name: string,
    newParent: number,
    newName: string,
    flags: number,
  ): void;
  link(context: RequestContext, node: number, newParent: number, newName: string): Entry | Deferred;
  /** Makes and opens a file that has no name; a LINK may give it one. */
  tmpfile(
    context: RequestContext,
    parent: number,
    mode: number,
    flags: number,
  ): { entry: Entry; open: OpenReply };
  open(context: RequestContext, node: number, flags: number): OpenReply | Deferred;
  create(
    context: RequestContext,
    parent: number,
    name: string,
    mode: number,
    flags: number,
  ): { entry: Entry; open: OpenReply };
  /** The bytes, fewer only at the end of the file. The view is sent before the next call. */
  read(
    context: RequestContext,
    node: number,
    handle: bigint,
    offsetBytes: number,
    sizeBytes: number,
  ): Uint8Array | Deferred;
  /** `data` is valid only during the call. Returns the bytes taken, or throws. */
  write(
    context: RequestContext,
    node: number,
    handle: bigint,
    offsetBytes: number,
    data: Uint8Array,
  ): number | Deferred;
  /** Upon close(2). @throws a refusal with ENOSYS where it need not be asked: close(2) then succeeds, now and ever after. */
  flush(context: RequestContext, node: number, handle: bigint): undefined | Deferred;
  fsync(context: RequestContext, node: number, handle: bigint, dataOnly: boolean): undefined | Deferred;
  /** `flags` are the open's flags. */
  release(context: RequestContext, node: number, handle: bigint, flags: number): void;
  opendir(context: RequestContext, node: number): OpenReply;
  /** A deferred listing's reply must fit the least the kernel asks for, 4096 bytes. */
  readdir(
    context: RequestContext,
    node: number,
    handle: bigint,
    cookie: number,
    sink: DirectorySink,
  ): undefined | Deferred;
  releasedir(context: RequestContext, node: number, handle: bigint): void;
  fsyncdir(context: RequestContext, node: number): undefined | Deferred;
  statfs(context: RequestContext): StatFs;
  /** @throws a 'no-attribute' refusal when it isn't set. */
  getxattr(context: RequestContext, node: number, name: string): Uint8Array;
  listxattr(context: RequestContext, node: number): readonly string[];
  /** `flags`: XATTR_CREATE 1, XATTR_REPLACE 2. */
  setxattr(
    context: RequestContext,
    node: number,
    name: string,
    value: Uint8Array,
    flags: number,
  ): undefined | Deferred;
  removexattr(context: RequestContext, node: number, name: string): undefined | Deferred;
  /** SEEK_DATA 3 or SEEK_HOLE 4; returns the offset, throws a system error with errno ENXIO past the end. */
  lseek(context: RequestContext, node: number, offsetBytes: number, whence: number): number;
  fallocate(
    context: RequestContext,
    node: number,
    mode: number,
    offsetBytes: number,
    sizeBytes: number,
  ): undefined | Deferred;
  copyFileRange(
    context: RequestContext,
    from: { node: number; offsetBytes: number },
    to: { node: number; offsetBytes: number },
    sizeBytes: number,
  ): number | Deferred;
  /** The client gave up on an earlier request. */
  interrupt(uniqueLow: number, uniqueHigh: number): void;
  /** Between requests, and after a `FrontWake.kick`: handle messages from other threads. */
  idle(): void;
}
