/** What the front answers about everything written: all of it as plain data, and giving parts of it up. */
import { renameSync } from 'node:fs';
import { join } from 'node:path';
import type { Change } from '../changes/change-list.ts';
import { planDiscard } from '../changes/discard-plan.ts';
import { planRestore } from '../changes/restore-plan.ts';
import type { VersionedTree } from '../changes/versioned-tree.ts';
import type { WrittenFile, WrittenState } from '../changes/written-state.ts';
import { FsRefusal } from '../core/errors.ts';
import { passFaultPoint } from '../core/fault-points.ts';
import { isFile, type OverlayInode } from '../overlay/inode.ts';
import type { LowerTree } from '../overlay/lower-tree.ts';
import type { Overlay } from '../overlay/overlay.ts';
import { snapshotOf } from '../overlay/snapshot.ts';
import type { DiscardAnswer, RestoreAnswer, ToFront } from './front-messages.ts';

/** Everything written, as it is at this moment. */
export function writtenState(overlay: Overlay, lower: LowerTree): WrittenState {
  const files = [...overlay.names.inodes.values()].filter(
    (inode) => isFile(inode) && inode.place !== undefined,
  );
  return {
    records: [...snapshotOf(overlay.names, lower)],
    files: files.map((inode) => writtenFile(overlay, inode)),
  };
}

function writtenFile(overlay: Overlay, inode: OverlayInode): WrittenFile {
  const { number, version, landed } = inode;
  const { sizeBytes, mtimeNs, atimeNs } = overlay.stat(inode);
  return {
    inode: number,
    version,
    sizeBytes,
    mtimeNs: String(mtimeNs),
    atimeNs: String(atimeNs),
    isWriting: overlay.handles.isWriting(number),
    content: landed
      ? { kind: 'landed', record: landed.record }
      : { kind: 'pieces', pieces: overlay.store.pieces(inode) },
  };
}

/**
 * Gives up what was written at and below paths, all at once, unless something stands in the way. A file that programs
 * have open to write stands in the way unless `force`: they would go on writing into nothing.
 * @throws FsRefusal for a path at which nothing was changed; NoSpaceError when the journal can't take a line.
 */
export function discardPaths(
  overlay: Overlay,
  lower: LowerTree,
  paths: readonly string[],
  force: boolean,
): DiscardAnswer {
  const { changes, places, obstacles } = planDiscard(overlay.names, lower, paths);
  const isWritten = (inode: number | undefined): boolean =>
    inode !== undefined && overlay.handles.isWriting(inode);
  const writing = force ? [] : changes.filter(({ inode }) => isWritten(inode));
  const kept = [
    ...obstacles,
    ...writing.map(({ path }) => ({
      path,
      reason: 'a program has it open to write; close it, or use --force',
    })),
  ];
  const discarded = changes.map(({ kind, type, path, from }) => ({
    kind,
    type,
    path,
    ...(from === undefined ? {} : { from }),
  }));
  if (kept.length > 0) return { discarded: [], kept, changed: [] };
  overlay.reveal(places);
  return { discarded, kept: [], changed: places };
}

/** Where bytes of a revision's file lie that is about to be restored. */
export const restoringPath = (stateFolder: string, revision: number, inode: number): string =>
  join(stateFolder, 'restoring', `${revision}-${inode}`);

/**
 * Brings everything at and below paths back as it was in a revision, all at once, unless something stands in the way.
 * What files are made of must lie at their {@link restoringPath}; those that don't are named, and nothing is changed.
 * @throws FsRefusal where there is no such revision, or nothing is otherwise; NoSpaceError.
 */
export function restorePaths(
  overlay: Overlay,
  tree: LowerTree & Pick<VersionedTree, 'namesIn'>,
  stateFolder: string,
  asked: Pick<Extract<ToFront, { type: 'restore' }>, 'revision' | 'paths' | 'force' | 'staged'>,
): RestoreAnswer {
  const { revision, paths, force, staged } = asked;
  const was = tree.namesIn(revision);
  if (!was) throw new FsRefusal('no-such-entry', `there is no revision ${revision}`);
  const plan = planRestore(overlay.names, tree, was, paths, Date.now());
  const writing = force
    ? []
    : plan.gone.filter(({ inode }) => inode !== undefined && overlay.handles.isWriting(inode));
  const kept = [
    ...plan.obstacles,
    ...writing.map(({ path }) => ({
      path,
      reason: 'a program has it open to write; close it, or use --force',
    })),
  ];
  const nothing = { gone: [], come: [], changed: [], needed: [] };
  if (kept.length > 0) return { ...nothing, kept };
  const lying = new Set(staged);
  const needed = plan.files
    .filter((file) => !lying.has(file.was.number))
    .map(({ was: { number }, landed }) => ({
      inode: number,
      record: landed.record,
      mtimeNs: String(landed.mtimeNs),
    }));
  if (needed.length > 0) return { ...nothing, kept: [], needed };
  if (plan.gone.length === 0 && plan.come.length === 0) return { ...nothing, kept: [] };
  // Until a record names them, the next start takes them away.
  for (const { inode, was: file } of plan.files)
    renameSync(restoringPath(stateFolder, revision, file.number), overlay.store.files.spillPath(inode));
  passFaultPoint('store.after-adopt');
  overlay.restore(plan.records);
  const told = ({ kind, type, path, from }: Change) => ({
    kind,
    type,
    path,
    ...(from === undefined ? {} : { from }),
  });
  return {
    gone: plan.gone.map(told),
    come: plan.come.map(told),
    kept: [],
    changed: plan.changed,
    needed: [],
  };
}
