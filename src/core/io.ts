import { readSync, writeSync } from 'node:fs';

/** Whether a system error says that a disk, quota or tmpfs is full. */
export function isOutOfSpace(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT');
}

/** Writes all of `data` at an offset, however many calls it takes. @throws the system's error. */
export function writeFully(fd: number, data: Uint8Array, offsetBytes: number): void {
  for (let done = 0; done < data.length; ) {
    done += writeSync(fd, data, done, data.length - done, offsetBytes + done);
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
