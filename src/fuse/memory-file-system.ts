import { closeSync } from 'node:fs';
import { constants } from 'node:os';
import { FuseUnavailableError } from '../core/errors.ts';
import {
  configureFileSystem,
  createFileSystem,
  mountDetached,
  openFileSystem,
  SystemCallError,
} from './syscalls.ts';

const E = constants.errno;
/** EPERM: not root; the others: a kernel without these calls (before 5.2), without tmpfs, or without large pages of it. */
const REFUSED: ReadonlySet<number> = new Set([E.EPERM, E.ENOSYS, E.ENODEV, E.EINVAL, E.EACCES]);

/**
 * A file system in memory that has no name: whoever holds its descriptor reaches it as `/proc/self/fd/<fd>/…`, and
 * it goes with the last process that does. Its files lie in large pages where they are made as long as they will be
 * before they are written, so that they are read as fast as files of a disk that lie in the page cache (tmpfs with
 * `huge=within_size`, Documentation/admin-guide/mm/transhuge.rst; 4 KiB pages, as /dev/shm has them mostly, are read at a
 * third of that).
 *
 * @returns undefined where the kernel or our rights don't allow it.
 */
export function openMemoryFileSystem(): number | undefined {
  let context: number | undefined;
  try {
    context = openFileSystem('tmpfs');
    configureFileSystem(context, 'huge', 'within_size');
    configureFileSystem(context, 'mode', '0700');
    createFileSystem(context);
    return mountDetached(context);
  } catch (error) {
    if (error instanceof FuseUnavailableError) return undefined;
    if (error instanceof SystemCallError && REFUSED.has(-error.errno)) return undefined;
    throw error;
  } finally {
    if (context !== undefined) closeSync(context);
  }
}
