import {
  isDirectory,
  isFile,
  isOverlayNode,
  type Place,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
} from '../overlay/inode.ts';
import type { Overlay } from '../overlay/overlay.ts';
import type { NewInode } from '../overlay/records.ts';
import type { Tree } from '../tree/tree.ts';
import type { Attributes } from './attributes.ts';
import type { Entry, RequestContext } from './file-system.ts';
import type { FrontNotice } from './jobs.ts';
import {
  CROSSES,
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
import { uniqueOf } from './request-number.ts';
import { S_ISGID } from './set-id-bits.ts';

export const MAX_NAME_BYTES = 255;
const RENAME_NOREPLACE = 1;
const RENAME_EXCHANGE = 2;

export interface NameChangeParts {
  readonly tree: Tree;
  readonly overlay: Overlay;
  readonly readOnly: boolean;
  readonly notify: (notice: FrontNotice) => void;
}

/** @throws NAME_TOO_LONG for a name that no file can have. */
export function checkName(name: string): void {
  // A UTF-16 code unit is three bytes at most.
  if (name.length * 3 > MAX_NAME_BYTES && Buffer.byteLength(name) > MAX_NAME_BYTES) throw NAME_TOO_LONG;
}

/**
 * Makes, removes and moves names. Each change is checked as POSIX asks, journalled with its request's number, and
 * made once: a request that the kernel sends again, after a daemon that made the change and died, succeeds without
 * a second change. Refused changes throw a refusal of `refusals.ts` and leave everything as it was.
 */
export class NameChanges {
  readonly #tree: Tree;
  readonly #overlay: Overlay;
  readonly #attributes: Attributes;
  readonly #readOnly: boolean;
  readonly #notify: (notice: FrontNotice) => void;

  constructor(parts: NameChangeParts, attributes: Attributes) {
    this.#tree = parts.tree;
    this.#overlay = parts.overlay;
    this.#attributes = attributes;
    this.#readOnly = parts.readOnly;
    this.#notify = parts.notify;
  }

  /** The kernel sent this change to a daemon that made it and died before it could say so. */
  wasCarriedOut(context: RequestContext): boolean {
    return context.resent && this.#overlay.names.lastRequest?.unique === uniqueOf(context);
  }

  /** A tree node that must stay where it is. */
  isFixed(node: number): boolean {
    return !isOverlayNode(node) && this.#tree.isReadOnly(node);
  }

  /** Checks that names in `parent` may change. */
  #writableDirectory(parent: number): void {
    if (this.#readOnly) throw READ_ONLY;
    if (!this.#overlay.names.isDirectory(parent)) throw NOT_A_DIRECTORY;
    if (!isOverlayNode(parent) && this.#tree.isReadOnly(parent)) throw READ_ONLY;
    const inode = this.#overlay.inode(parent);
    if (inode && !inode.place) throw NO_SUCH_ENTRY;
  }

  /** Makes a name and what it leads to. @throws ENTRY_EXISTS when the name is taken. */
  make(context: RequestContext, made: NewInode): Entry {
    if (this.wasCarriedOut(context)) {
      const { node = 0 } = this.#overlay.names.lastRequest ?? {};
      return this.#attributes.entry(node);
    }
    this.#freeName(made.parent, made.name);
    const owned = { ...made, ...this.ownership(made) };
    return this.#attributes.entry(this.#overlay.make(owned, uniqueOf(context)).number);
  }

  /** Checks that a name may be made. */
  #freeName(parent: number, name: string): void {
    this.#writableDirectory(parent);
    checkName(name);
    if (this.#overlay.names.lookup(parent, name) !== undefined) throw ENTRY_EXISTS;
  }

  /** What is made in a directory that hands its group on has that group; a directory hands it on as well. */
  ownership({ parent, mode, gid }: Pick<NewInode, 'parent' | 'mode' | 'gid'>): { mode: number; gid: number } {
    const directory = this.#overlay.inode(parent);
    if (!directory || (directory.mode & S_ISGID) === 0) return { mode, gid };
    return { mode: (mode & S_IFMT) === S_IFDIR ? mode | S_ISGID : mode, gid: directory.gid };
  }

  /** Checks that a directory may take a file that has no name yet. */
  checkDirectory(parent: number): void {
    this.#writableDirectory(parent);
  }

  /** Whether a link is to be made to a file that must be copied first. */
  isCopyNeeded(context: RequestContext, node: number, parent: number): boolean {
    if (isOverlayNode(node) || this.wasCarriedOut(context)) return false;
    this.#writableDirectory(parent);
    if (this.#overlay.names.isDirectory(node)) throw NOT_PERMITTED;
    if (this.isFixed(node)) throw CROSSES;
    return true;
  }

  /** One more name for a file, or the first one of a file that has none. */
  link(context: RequestContext, node: number, parent: number, name: string): Entry {
    if (this.wasCarriedOut(context)) return this.#attributes.entry(node);
    this.#freeName(parent, name);
    const inode = this.#overlay.inode(node);
    if (!inode) throw STALE;
    if (isDirectory(inode)) throw NOT_PERMITTED;
    this.#overlay.link(node, { parent, name }, uniqueOf(context));
    return this.#attributes.entry(node);
  }

  mknod(context: RequestContext, parent: number, name: string, mode: number, rdev: number): Entry {
    const { uid, gid } = context;
    const made = { parent, name, mode: mode & S_IFMT ? mode : mode | S_IFREG, uid, gid, rdev };
    return this.make(context, { ...made, sealed: isFile(made) });
  }

  mkdir(context: RequestContext, parent: number, name: string, mode: number): Entry {
    const { uid, gid } = context;
    return this.make(context, { parent, name, mode: S_IFDIR | (mode & 0o7777), uid, gid });
  }

  symlink(context: RequestContext, parent: number, name: string, target: string): Entry {
    const { uid, gid } = context;
    return this.make(context, { parent, name, mode: S_IFLNK | 0o777, uid, gid, target });
  }

  unlink(context: RequestContext, parent: number, name: string): void {
    if (this.wasCarriedOut(context)) return;
    this.#writableDirectory(parent);
    const node = this.#overlay.names.lookup(parent, name);
    if (node === undefined) throw NO_SUCH_ENTRY;
    if (this.#overlay.names.isDirectory(node)) throw IS_A_DIRECTORY;
    if (this.isFixed(node)) throw READ_ONLY;
    const first = this.#overlay.inode(node)?.place;
    this.#overlay.remove({ parent, name }, uniqueOf(context));
    this.#tellMoved([node], [first]);
  }

  rmdir(context: RequestContext, parent: number, name: string): void {
    if (this.wasCarriedOut(context)) return;
    this.#writableDirectory(parent);
    const node = this.#overlay.names.lookup(parent, name);
    if (node === undefined) throw NO_SUCH_ENTRY;
    if (!this.#overlay.names.isDirectory(node)) throw NOT_A_DIRECTORY;
    if (this.isFixed(node)) throw READ_ONLY;
    if (!this.#overlay.names.isEmpty(node)) throw NOT_EMPTY;
    this.#overlay.remove({ parent, name }, uniqueOf(context));
  }

  /** `flags`: RENAME_NOREPLACE 1, RENAME_EXCHANGE 2. */
  rename(
    context: RequestContext,
    parent: number,
    name: string,
    newParent: number,
    newName: string,
    flags: number,
  ): void {
    if (this.wasCarriedOut(context)) return;
    if (flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE)) throw INVALID;
    this.#writableDirectory(parent);
    this.#writableDirectory(newParent);
    checkName(newName);
    const node = this.#overlay.names.lookup(parent, name);
    const target = this.#overlay.names.lookup(newParent, newName);
    if (node === undefined) throw NO_SUCH_ENTRY;
    if (flags & RENAME_NOREPLACE && target !== undefined) throw ENTRY_EXISTS;
    const exchange = (flags & RENAME_EXCHANGE) !== 0;
    if (exchange && target === undefined) throw NO_SUCH_ENTRY;
    if (node === target) return;
    if (this.isFixed(node) || (target !== undefined && this.isFixed(target))) throw READ_ONLY;
    if (this.#overlay.names.isBelow(newParent, node)) throw INVALID;
    if (target !== undefined) this.#checkReplacement(node, target, parent, exchange);
    const nodes = target === undefined ? [node] : [node, target];
    const first = nodes.map((one) => this.#overlay.inode(one)?.place);
    this.#overlay.move({ parent, name }, { parent: newParent, name: newName }, exchange, uniqueOf(context));
    this.#tellMoved(nodes, first);
  }

  /** A file lands under its first name: `before` is what that was. */
  #tellMoved(nodes: readonly number[], before: readonly (Place | undefined)[]): void {
    for (const [index, node] of nodes.entries()) {
      const first = this.#overlay.inode(node)?.place;
      if (first !== undefined && first !== before[index]) this.#notify({ kind: 'moved', inode: node });
    }
  }

  #checkReplacement(node: number, target: number, parent: number, exchange: boolean): void {
    if (exchange) {
      if (this.#overlay.names.isBelow(parent, target)) throw INVALID;
      return;
    }
    if (this.#overlay.names.isDirectory(target)) {
      if (!this.#overlay.names.isDirectory(node)) throw IS_A_DIRECTORY;
      if (!this.#overlay.names.isEmpty(target)) throw NOT_EMPTY;
    } else if (this.#overlay.names.isDirectory(node)) throw NOT_A_DIRECTORY;
  }
}
