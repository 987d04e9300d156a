/** What the front answers about everything written: all of it as plain data, and giving parts of it up. */
import { planDiscard } from '../changes/discard-plan.ts';
import type { WrittenFile, WrittenState } from '../changes/written-state.ts';
import { isFile, type OverlayInode } from '../overlay/inode.ts';
import type { LowerTree } from '../overlay/lower-tree.ts';
import type { Overlay } from '../overlay/overlay.ts';
import { snapshotOf } from '../overlay/snapshot.ts';
import type { DiscardAnswer } from './front-messages.ts';

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
