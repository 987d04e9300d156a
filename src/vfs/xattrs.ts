import { residencyInMemory, residencyOfLanding } from '../model/residency.ts';
import { isFile } from '../overlay/inode.ts';
import { originOf } from '../overlay/made-by.ts';
import type { Overlay } from '../overlay/overlay.ts';
import type { Tree } from '../tree/tree.ts';
import { EXISTING_ATTRIBUTE, INVALID, NO_ATTRIBUTE, NOT_SUPPORTED, READ_ONLY } from './refusals.ts';

/** PlateFS's own facts about a node; read-only. */
const OWN_PREFIX = 'user.platefs.';
/** Programs may set these; other namespaces belong to the system. */
const USER_PREFIX = 'user.';
/** The namespaces of Linux; xattr(7). */
const NAMESPACES = [USER_PREFIX, 'security.', 'system.', 'trusted.'];
const XATTR_CREATE = 1;
const XATTR_REPLACE = 2;

/** Extended attributes: facts about what a file is, and whatever programs hang on files they wrote. */
export class Xattrs {
  readonly #tree: Tree;
  readonly #overlay: Overlay;

  constructor(tree: Tree, overlay: Overlay) {
    this.#tree = tree;
    this.#overlay = overlay;
  }

  #own(node: number): ReadonlyMap<string, string> {
    const inode = this.#overlay.inode(node);
    if (!inode) return this.#tree.facts(node);
    if (!isFile(inode)) return new Map();
    const residency = inode.landed
      ? residencyOfLanding(inode.landed.record)
      : residencyInMemory(inode.splitAt);
    const hook = originOf(inode)?.hook;
    return new Map([
      ['residency', residency],
      ...(hook === undefined ? [] : [['made-by', JSON.stringify(hook)] as const]),
    ]);
  }

  get(node: number, name: string): Uint8Array {
    if (name === USER_PREFIX) throw INVALID;
    if (!NAMESPACES.some((prefix) => name.startsWith(prefix))) throw NOT_SUPPORTED;
    if (name.startsWith(OWN_PREFIX)) {
      const value = this.#own(node).get(name.slice(OWN_PREFIX.length));
      if (value === undefined) throw NO_ATTRIBUTE;
      return Buffer.from(value);
    }
    const value = this.#overlay.inode(node)?.xattrs?.get(name);
    if (value === undefined) throw NO_ATTRIBUTE;
    return value;
  }

  list(node: number): string[] {
    const own = [...this.#own(node).keys()].map((name) => OWN_PREFIX + name);
    const set = [...(this.#overlay.inode(node)?.xattrs?.keys() ?? [])];
    return [...own, ...set.filter((name) => !name.startsWith(OWN_PREFIX))];
  }

  /** `inode` is the overlay's; a tree file must have been copied up before. */
  set(inode: number, name: string, value: Uint8Array, flags: number, unique: string): void {
    this.#check(name);
    const present = this.#overlay.inode(inode)?.xattrs?.has(name) ?? false;
    if (flags & XATTR_CREATE && present) throw EXISTING_ATTRIBUTE;
    if (flags & XATTR_REPLACE && !present) throw NO_ATTRIBUTE;
    this.#overlay.setXattr(inode, name, value, unique);
  }

  remove(inode: number, name: string, unique: string): void {
    this.#check(name);
    if (!this.#overlay.inode(inode)?.xattrs?.has(name)) throw NO_ATTRIBUTE;
    this.#overlay.setXattr(inode, name, null, unique);
  }

  #check(name: string): void {
    if (name.startsWith(OWN_PREFIX)) throw READ_ONLY;
    if (name === USER_PREFIX) throw INVALID;
    if (!name.startsWith(USER_PREFIX)) throw NOT_SUPPORTED;
  }
}
