import type { OverlayInode } from './inode.ts';
import type { MadeInode, OverlayRecord } from './records.ts';

/** A change of one inode that concerns no name and no other inode. */
export type StateRecord = Extract<
  OverlayRecord,
  {
    op:
      | 'attributes'
      | 'touched'
      | 'xattr'
      | 'split'
      | 'opened'
      | 'sealed'
      | 'landed'
      | 'recalled'
      | 'restored';
  }
>;

/** A record's wall clock as inodes keep it. */
export const nsOf = (atMs: number): bigint => BigInt(Math.trunc(atMs)) * 1_000_000n;

/** What an inode is that was just made, and has no name yet. */
export function firstState(made: Omit<MadeInode, 'parent' | 'name'>, atMs: number): OverlayInode {
  const atNs = nsOf(atMs);
  return {
    number: made.inode,
    mode: made.mode,
    uid: made.uid,
    gid: made.gid,
    rdev: made.rdev ?? 0,
    place: undefined,
    otherNames: undefined,
    target: made.target,
    origin: made.origin,
    xattrs: undefined,
    splitAt: Number.POSITIVE_INFINITY,
    version: 1,
    sealed: made.sealed === true,
    landed: undefined,
    previous: undefined,
    hooksDone: undefined,
    atimeNs: atNs,
    mtimeNs: atNs,
    changedNs: atNs,
  };
}

/** Moves an inode from one state to the next: the same for a change that happens and one that is replayed. */
export function changeState(inode: OverlayInode, record: StateRecord): void {
  switch (record.op) {
    case 'attributes':
      if (record.mode !== undefined) inode.mode = record.mode;
      if (record.uid !== undefined) inode.uid = record.uid;
      if (record.gid !== undefined) inode.gid = record.gid;
      inode.changedNs = nsOf(record.at);
      return;
    case 'touched':
      inode.changedNs = BigInt(record.changedNs);
      if (record.atimeNs !== undefined) inode.atimeNs = BigInt(record.atimeNs);
      if (record.mtimeNs !== undefined) inode.mtimeNs = BigInt(record.mtimeNs);
      return;
    case 'xattr':
      inode.changedNs = nsOf(record.at);
      if (record.value === null) {
        inode.xattrs?.delete(record.name);
        return;
      }
      inode.xattrs ??= new Map();
      inode.xattrs.set(record.name, Buffer.from(record.value, 'base64'));
      return;
    case 'split':
      inode.splitAt = record.splitAt;
      return;
    case 'opened':
      inode.version = record.version;
      inode.sealed = false;
      inode.hooksDone = undefined;
      return;
    case 'sealed':
      inode.version = record.version;
      inode.sealed = true;
      return;
    case 'landed':
      inode.previous = undefined;
      inode.changedNs = BigInt(record.changedNs);
      inode.landed = {
        record: record.record,
        sizeBytes: record.sizeBytes,
        mtimeNs: BigInt(record.mtimeNs),
      };
      inode.splitAt = Number.POSITIVE_INFINITY;
      return;
    case 'recalled':
      inode.previous = inode.landed;
      inode.landed = undefined;
      return;
    case 'restored':
      inode.landed = inode.previous;
      inode.previous = undefined;
      inode.splitAt = Number.POSITIVE_INFINITY;
      inode.sealed = true;
      inode.version++;
  }
}
