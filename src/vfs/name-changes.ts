import { isFile, isOverlayNode, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from '../overlay/inode.ts';
import type { Overlay } from '../overlay/overlay.ts';
import type { NewInode } from '../overlay/records.ts';
import type { Tree } from '../tree/tree.ts';
import type { Attributes } from './attributes.ts';
import type { Entry, RequestContext } from './file-system.ts';
import type { FrontNotice } from './jobs.ts';
import {
  ENTRY_EXISTS,
  INVALID,
  IS_A_DIRECTORY,
  NAME_TOO_LONG,
  NO_SUCH_ENTRY,
  NOT_A_DIRECTORY,
  NOT_EMPTY,
  READ_ONLY,
} from './refusals.ts';
import { uniqueOf } from './request-number.ts';

export const MAX_NAME_BYTES = 255;
const RENAME_NOREPLACE = 1;
const RENAME_EXCHANGE = 2;

export interface NameChangeParts {
  readonly tree: Tree;
  readonly overlay: Overlay;
  readonly readOnly: boolean;
  readonly notify: (notice: FrontNotice) => void;
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
    this.#writableDirectory(made.parent);
    if (Buffer.byteLength(made.name) > MAX_NAME_BYTES) throw NAME_TOO_LONG;
    if (this.#overlay.names.lookup(made.parent, made.name) !== undefined) throw ENTRY_EXISTS;
    return this.#attributes.entry(this.#overlay.make(made, uniqueOf(context)).number);
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
    this.#overlay.remove({ parent, name }, uniqueOf(context));
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
    if (Buffer.byteLength(newName) > MAX_NAME_BYTES) throw NAME_TOO_LONG;
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
    this.#overlay.move({ parent, name }, { parent: newParent, name: newName }, exchange, uniqueOf(context));
    for (const moved of exchange && target !== undefined ? [node, target] : [node]) {
      if (isOverlayNode(moved)) this.#notify({ kind: 'moved', inode: moved });
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
