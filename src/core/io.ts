import { readSync } from 'node:fs';
import { storage, systemError } from './storage.ts';

/** Whether a system error says that a disk, quota or tmpfs is full. */
export function isOutOfSpace(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT');
}

/**
 * Writes all of `data` at an offset (null: at the end), however many calls it takes. @throws the system's error.
 */
export function writeFully(fd: number, data: Uint8Array, offsetBytes: number | null): void {
  for (let done = 0; done < data.length; ) {
    const rest = done === 0 ? data : data.subarray(done);
    const written = storage.write(fd, rest, offsetBytes === null ? null : offsetBytes + done);
    if (written === 0) throw systemError('write', 'ENOSPC');
    done += written;
  }
}

/** Reads until `target` is full or the file ends. @returns bytes read. */
export function readFully(fd: number, target: Uint8Array, offsetBytes: number): number {
  let done = 0;
  while (done < target.length) {
    const got = readSync(fd, target, done, target.length - done, offsetBytes + done);
    if (got === 0) break;
    done += got;
  }
  return done;
}
