import { isFile, type OverlayInode, S_IFMT } from '../overlay/inode.ts';
import type { Overlay } from '../overlay/overlay.ts';
import { type Attributes, DAY_MS } from './attributes.ts';
import type { FileData } from './file-data.ts';
import {
  type AttributeChange,
  type AttributesReply,
  DEFERRED,
  type Deferred,
  type RequestContext,
} from './file-system.ts';
import { knownInode } from './known-inode.ts';
import type { NameChanges } from './name-changes.ts';
import { INVALID, NOT_PERMITTED, READ_ONLY, STALE } from './refusals.ts';
import { uniqueOf } from './request-number.ts';
import { withoutSetId } from './set-id-bits.ts';
import type { StagedCopies } from './staged-copies.ts';
import type { Xattrs } from './xattrs.ts';

/** What changes of attributes rest on. */
interface Rooms {
  readonly attributes: Attributes;
  readonly names: NameChanges;
  readonly copies: StagedCopies;
  readonly data: FileData;
}

/** Changes of what stat(2) shows and of extended attributes. A tree file is copied first, as for writing. */
export class AttributeChanges {
  readonly #overlay: Overlay;
  readonly #readOnly: boolean;
  readonly #rooms: Rooms;
  readonly #xattrs: Xattrs;

  constructor(
    parts: { readonly overlay: Overlay; readonly readOnly: boolean },
    rooms: Rooms,
    xattrs: Xattrs,
  ) {
    this.#overlay = parts.overlay;
    this.#readOnly = parts.readOnly;
    this.#rooms = rooms;
    this.#xattrs = xattrs;
  }

  setattr(context: RequestContext, node: number, change: AttributeChange): AttributesReply | Deferred {
    if (this.#readOnly || this.#rooms.names.isFixed(node)) throw READ_ONLY;
    const inode = knownInode(this.#overlay, node);
    if (!inode) {
      // The tree's own folders keep their owner, rights and times.
      if (this.#overlay.names.isDirectory(node)) throw NOT_PERMITTED;
      return this.#rooms.copies.copyUp(context, node, change.sizeBytes === 0);
    }
    if (change.sizeBytes !== undefined) {
      if (!isFile(inode)) throw INVALID;
      if (inode.landed && change.sizeBytes !== 0) return this.#recall(context, inode, change);
      this.#rooms.data.truncate(context, inode, change.sizeBytes);
      if (!this.#overlay.handles.isWriting(node)) this.#overlay.seal(inode);
    }
    this.#changeOwnership(context, inode, change);
    if (change.atimeNs !== undefined || change.mtimeNs !== undefined) {
      const reply = this.#setTimes(context, inode, change);
      if (reply === DEFERRED) return reply;
    }
    const attributes = this.#rooms.attributes.of(node);
    if (!attributes) throw STALE;
    return { attrTimeoutMs: DAY_MS, attributes };
  }

  /** Takes a landed file's bytes back, and changes it then. */
  #recall(context: RequestContext, inode: OverlayInode, change: AttributeChange): Deferred {
    const asked = { ...context };
    return this.#rooms.copies.recall(context, inode, () => this.setattr(asked, inode.number, change));
  }

  #changeOwnership(context: RequestContext, inode: OverlayInode, change: AttributeChange): void {
    const { mode, uid, gid } = change;
    // A change of nothing: chown(2) to nobody, or a write that is about to take these bits away by itself.
    const isEmpty = Object.keys(change).length === 1 && [0, inode.uid].includes(context.uid);
    const isChown = uid !== undefined || gid !== undefined;
    const dropped = isEmpty || (isChown && context.dropsSetId) ? withoutSetId(inode) : inode.mode;
    const present = mode === undefined ? dropped : (inode.mode & S_IFMT) | (mode & 0o7777);
    if (!isChown && present === inode.mode && mode === undefined) return;
    this.#overlay.setAttributes(inode.number, {
      ...(present === inode.mode ? {} : { mode: present }),
      ...(uid === undefined ? {} : { uid }),
      ...(gid === undefined ? {} : { gid }),
    });
  }

  #setTimes(context: RequestContext, inode: OverlayInode, change: AttributeChange): Deferred | undefined {
    if (inode.landed && change.mtimeNs !== undefined) return this.#recall(context, inode, change);
    const nowNs = BigInt(Date.now()) * 1_000_000n;
    const pick = (wanted: bigint | 'now' | undefined): bigint | undefined =>
      wanted === 'now' ? nowNs : wanted;
    this.#overlay.setTimes(inode, { atimeNs: pick(change.atimeNs), mtimeNs: pick(change.mtimeNs) });
    return undefined;
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
    if (this.#rooms.names.wasCarriedOut(context)) return undefined;
    if (this.#readOnly || this.#rooms.names.isFixed(node)) throw READ_ONLY;
    if (!knownInode(this.#overlay, node)) {
      if (this.#overlay.names.isDirectory(node)) throw NOT_PERMITTED;
      return this.#rooms.copies.copyUp(context, node, false);
    }
    change();
    return undefined;
  }
}
