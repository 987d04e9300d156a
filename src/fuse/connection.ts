import { writeFileSync } from 'node:fs';
import { systemCode } from '../core/system-code.ts';

/**
 * A FUSE connection seen from outside: /sys/fs/fuse/connections/N and /sys/class/bdi/0:N, with N the minor
 * number of the mount's device (Documentation/filesystems/fuse.rst).
 */
function wrote(file: string, text: string): boolean {
  try {
    writeFileSync(file, text);
    return true;
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'EACCES' || code === 'EPERM' || code === 'EROFS') return false;
    throw error;
  }
}

/**
 * Ends a connection: every request in flight fails with ECONNABORTED, later ones with ENOTCONN, and the
 * daemon's read with ENODEV. Frees clients that hang.
 *
 * @returns false when there is no such connection, or it is not ours to abort.
 */
export function abortConnection(connection: number): boolean {
  return wrote(`/sys/fs/fuse/connections/${connection}/abort`, '1');
}

/**
 * Sets how far the kernel reads ahead in files of the mount. Counts only after INIT has been answered, which
 * lowers it to what was negotiated.
 *
 * @returns false when we may not (plain user) or there is no such connection.
 */
export function setReadAhead(connection: number, readAheadKib: number): boolean {
  return wrote(`/sys/class/bdi/0:${connection}/read_ahead_kb`, String(readAheadKib));
}
