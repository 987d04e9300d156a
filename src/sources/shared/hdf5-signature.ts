import { closeSync, openSync, statSync } from 'node:fs';
import { UnreadableSourceError } from '../../core/errors.ts';
import { readFully } from '../../core/io.ts';

const SIGNATURE = Buffer.from('\x89HDF\r\n\x1a\n', 'latin1');
/** The superblock lies at 0, or at 512, 1024, 2048 … behind what a user put in front (II.A). */
const FIRST_USER_BLOCK_BYTES = 512;

export const SIGNATURE_BYTES = SIGNATURE.length;

/** Where the superblock lies, undefined when the file is no HDF5 file. @throws the system's error. */
export function findSuperblock(fd: number, sizeBytes: number): number | undefined {
  const found = Buffer.alloc(SIGNATURE.length);
  for (let at = 0; at + SIGNATURE.length <= sizeBytes; at = at === 0 ? FIRST_USER_BLOCK_BYTES : at * 2)
    if (readFully(fd, found, at) === found.length && found.equals(SIGNATURE)) return at;
  return undefined;
}

/** Whether a path is an HDF5 file by its first bytes; found out without the HDF5 library. @throws UnreadableSourceError */
export function isHdf5(path: string): boolean {
  let fd: number | undefined;
  try {
    // A pipe of that name would be waited for.
    const stats = statSync(path);
    if (!stats.isFile()) return false;
    fd = openSync(path, 'r');
    return findSuperblock(fd, stats.size) !== undefined;
  } catch (cause) {
    throw new UnreadableSourceError(path, "can't be read", { cause });
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}
