import type { FileStat } from '../overlay/data-store.ts';
import {
  isFile,
  isOverlayNode,
  type OverlayInode,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
} from '../overlay/inode.ts';
import { nameCount } from '../overlay/inode-names.ts';
import type { Overlay } from '../overlay/overlay.ts';
import type { Tree } from '../tree/tree.ts';
import type { Entry, NodeAttributes } from './file-system.ts';
import { NO_SUCH_ENTRY } from './refusals.ts';

/** Nothing changes behind the kernel's back without a notification, so it may remember for a day. */
export const DAY_MS = 86_400_000;
/** What stat(2) counts blocks in. */
const STAT_BLOCK_BYTES = 512;
/** The transfer size programs are told to prefer: the kernel's largest request. */
const PREFERRED_BLOCK_BYTES = 1 << 20;

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** Puts together what stat(2) shows, for tree and overlay nodes alike. */
export class Attributes {
  readonly #tree: Tree;
  readonly #overlay: Overlay;
  readonly #owner: Owner;
  readonly #writable: boolean;

  constructor(tree: Tree, overlay: Overlay, owner: Owner, writable: boolean) {
    this.#tree = tree;
    this.#overlay = overlay;
    this.#owner = owner;
    this.#writable = writable;
  }

  /** Undefined when there is no such node. @throws when the source can't be asked. */
  of(node: number): NodeAttributes | undefined {
    const inode = this.#overlay.inode(node);
    if (inode) return this.#ofInode(inode, isFile(inode) ? this.#overlay.stat(inode) : undefined);
    if (!isOverlayNode(node)) return this.#ofTree(node);
    const departed = this.#overlay.departed.get(node);
    return departed && this.#ofInode(departed.inode, departed.stat);
  }

  /** What a name that leads to `node` is answered with. @throws NO_SUCH_ENTRY when there is no such node. */
  entry(node: number): Entry {
    const attributes = this.of(node);
    if (!attributes) throw NO_SUCH_ENTRY;
    return { node, entryTimeoutMs: DAY_MS, attrTimeoutMs: DAY_MS, attributes };
  }

  /** st_mode's type bits of a node, without asking a source. */
  typeOf(node: number): number {
    const inode = this.#overlay.inode(node);
    if (inode) return inode.mode & S_IFMT;
    if (this.#tree.linkTarget?.(node) !== undefined) return S_IFLNK;
    return this.#tree.isDirectory(node) ? S_IFDIR : S_IFREG;
  }

  #ofTree(node: number): NodeAttributes | undefined {
    const attributes = this.#tree.attributes(node);
    if (!attributes) return undefined;
    const fixed = !this.#writable || this.#tree.isReadOnly(node);
    const kind = attributes.directory ? S_IFDIR : S_IFREG;
    const permissions = attributes.directory ? (fixed ? 0o555 : 0o755) : fixed ? 0o444 : 0o644;
    const changedMs = this.#overlay.names.directoryChangedMs(node);
    const timeNs = BigInt(Math.trunc(Math.max(attributes.mtimeMs, changedMs ?? 0) * 1000)) * 1000n;
    return {
      ino: node,
      sizeBytes: attributes.sizeBytes,
      blocks: Math.ceil(attributes.sizeBytes / STAT_BLOCK_BYTES),
      atimeNs: timeNs,
      mtimeNs: timeNs,
      ctimeNs: timeNs,
      mode: attributes.mode === undefined ? kind | permissions : attributes.mode & ~0o222,
      // Folders of the tree don't count what is in them: 1, by which find(1) and others know.
      nlink: 1,
      uid: this.#owner.uid,
      gid: this.#owner.gid,
      rdev: 0,
      blockSizeBytes: PREFERRED_BLOCK_BYTES,
    };
  }

  /** `stat` is that of a file's bytes. */
  #ofInode(inode: OverlayInode, stat: FileStat | undefined): NodeAttributes {
    const { number, mode, uid, gid, rdev, atimeNs, mtimeNs, changedNs } = inode;
    const base = { ino: number, mode, uid, gid, rdev, atimeNs, blockSizeBytes: PREFERRED_BLOCK_BYTES };
    const names = nameCount(inode);
    if (stat) {
      return {
        ...base,
        sizeBytes: stat.sizeBytes,
        blocks: Math.ceil(stat.allocatedBytes / STAT_BLOCK_BYTES),
        mtimeNs: stat.mtimeNs,
        ctimeNs: stat.ctimeNs > changedNs ? stat.ctimeNs : changedNs,
        nlink: names,
      };
    }
    const directory = (mode & S_IFMT) === S_IFDIR;
    return {
      ...base,
      sizeBytes: (mode & S_IFMT) === S_IFLNK ? Buffer.byteLength(inode.target ?? '') : 0,
      blocks: 0,
      mtimeNs,
      ctimeNs: changedNs,
      nlink: directory && names > 0 ? 2 + this.#overlay.names.subfolderCount(number) : names,
    };
  }
}
