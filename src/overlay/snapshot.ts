import { isFile, isOverlayNode, type LandedBytes, type OverlayInode } from './inode.ts';
import { nsOf } from './inode-state.ts';
import type { LowerTree } from './lower-tree.ts';
import { type Namespace, WHITEOUT } from './namespace.ts';
import type { OverlayRecord } from './records.ts';

/** Pure: records that lead from nothing to the present state: what a rewritten journal holds. */
export function* snapshotOf(names: Namespace, lower: LowerTree): Generator<OverlayRecord> {
  yield { op: 'next', inode: names.nextInode };
  for (const abandoned of names.abandoned.values()) yield { op: 'abandoned', ...abandoned };
  for (const inode of parentsFirst(names)) {
    const place = inode.place;
    if (!place) continue;
    const { number, mode, uid, gid, rdev, target, origin } = inode;
    const at = Number(inode.changedNs / 1_000_000n);
    yield {
      op: 'make',
      at,
      inode: number,
      ...place,
      mode,
      uid,
      gid,
      ...(rdev === 0 ? {} : { rdev }),
      ...(target === undefined ? {} : { target }),
      ...(origin === undefined ? {} : { origin }),
    };
    for (const [name, value] of inode.xattrs ?? []) {
      yield { op: 'xattr', inode: number, name, value: Buffer.from(value).toString('base64'), at };
    }
    if (inode.previous) {
      yield landedRecord(inode, inode.previous);
      yield { op: 'recalled', inode: number };
    }
    if (inode.splitAt !== Number.POSITIVE_INFINITY)
      yield { op: 'split', inode: number, splitAt: inode.splitAt };
    yield { op: inode.sealed ? 'sealed' : 'opened', inode: number, version: inode.version };
    for (const rule of inode.hooksDone ?? []) {
      yield { op: 'hook-ended', inode: number, version: inode.version, rule };
    }
    if (inode.landed) yield landedRecord(inode, inode.landed);
  }
  for (const [parent, entries] of names.entries) {
    for (const [name, { node }] of entries) {
      if (node === WHITEOUT) yield { op: 'whiteout', place: { parent, name } };
      else if (!isOverlayNode(node)) {
        yield { op: 'placed', place: { parent, name }, tree: lower.pathOf(node) };
      }
    }
  }
  for (const inode of names.inodes.values()) {
    if (inode.place === undefined) continue;
    for (const place of inode.otherNames ?? []) {
      yield { op: 'linked', inode: inode.number, place, at: Number(inode.changedNs / 1_000_000n) };
    }
  }
  // Names that are made change times of the folders they are made in.
  for (const inode of names.inodes.values())
    if (inode.place !== undefined && !areTimesPlain(inode)) yield timesRecord(inode);
}

/** Whether a file has the times that its 'make' gives it. */
function areTimesPlain(inode: OverlayInode): boolean {
  const madeNs = nsOf(Number(inode.changedNs / 1_000_000n));
  return isFile(inode) && inode.changedNs === madeNs && inode.atimeNs === madeNs;
}

function timesRecord({ number, atimeNs, mtimeNs, changedNs }: OverlayInode): OverlayRecord {
  return {
    op: 'touched',
    inode: number,
    changedNs: String(changedNs),
    atimeNs: String(atimeNs),
    mtimeNs: String(mtimeNs),
  };
}

/** Directories before what lies in them. */
function* parentsFirst(names: Namespace): Generator<OverlayInode> {
  const done = new Set<number>();
  const visit = function* (inode: OverlayInode): Generator<OverlayInode> {
    if (done.has(inode.number)) return;
    done.add(inode.number);
    const parent = inode.place && names.inodes.get(inode.place.parent);
    if (parent) yield* visit(parent);
    yield inode;
  };
  for (const inode of names.inodes.values()) yield* visit(inode);
}

function landedRecord(inode: OverlayInode, landed: LandedBytes): OverlayRecord {
  const { record, sizeBytes, mtimeNs } = landed;
  const { number, version, changedNs } = inode;
  return {
    op: 'landed',
    inode: number,
    version,
    record,
    sizeBytes,
    mtimeNs: String(mtimeNs),
    changedNs: String(changedNs),
  };
}
