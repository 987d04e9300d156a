import type { FileCalls } from '../core/file-calls.ts';
import { systemCode } from '../core/system-code.ts';

/** fallocate(2): the file's length stays; <linux/falloc.h>. */
const KEEP_SIZE = 1;

/**
 * Takes room for a file ahead of need, so that names can still change when written bytes have filled the disk.
 * Without effect where the file system can't, or where there is no room any more.
 */
export function reserveRoom(calls: FileCalls, fd: number, sizeBytes: number): void {
  try {
    calls.fallocate(fd, KEEP_SIZE, 0, sizeBytes);
  } catch (error) {
    const code = systemCode(error);
    if (!['ENOSPC', 'EDQUOT', 'EOPNOTSUPP', 'ENOTSUP', 'ENOSYS'].includes(String(code))) throw error;
  }
}
