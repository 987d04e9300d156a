import { isDirectory } from '../overlay/inode.ts';

export const S_ISUID = 0o4000;
export const S_ISGID = 0o2000;
const S_IXGRP = 0o010;

/**
 * A mode as it is after somebody wrote to the file, or gave it away: without set-user-ID, and without set-group-ID
 * where the group may run it (else that bit means something else). A directory's stays.
 */
export function withoutSetId(inode: { readonly mode: number }): number {
  const { mode } = inode;
  if (isDirectory(inode)) return mode;
  return mode & ~S_ISUID & ((mode & S_IXGRP) === 0 ? ~0 : ~S_ISGID);
}
