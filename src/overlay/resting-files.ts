import type { DataStore } from './data-store.ts';
import type { HandleLog } from './handle-log.ts';
import { isFile, type OverlayInode } from './inode.ts';

/** Every file has one in any case. */
const PAGE_BYTES = 4096;

/**
 * Of the files that programs have open for writing, and that hold memory, the one that was not written for longest.
 * @param sinceMs - Files that were written later than this do not rest.
 */
export function longestResting(
  inodes: ReadonlyMap<number, OverlayInode>,
  { store, handles }: { readonly store: DataStore; readonly handles: HandleLog },
  sinceMs: number,
): OverlayInode | undefined {
  let oldest: { inode: OverlayInode; mtimeNs: bigint } | undefined;
  for (const number of handles.nodes()) {
    const inode = inodes.get(number);
    if (!inode || inode.sealed || inode.landed || !isFile(inode)) continue;
    // What the kernel reads and writes by itself must stay where it is.
    if (handles.countsOf(number)?.backingId !== 0) continue;
    if (store.reservedOf(number) <= PAGE_BYTES) continue;
    const { mtimeNs } = store.stat(inode);
    if (Number(mtimeNs / 1_000_000n) > sinceMs) continue;
    if (!oldest || mtimeNs < oldest.mtimeNs) oldest = { inode, mtimeNs };
  }
  return oldest?.inode;
}
