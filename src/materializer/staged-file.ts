import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

const hasCode = (error: unknown, code: string): boolean =>
  error instanceof Error && 'code' in error && error.code === code;

/** Opens a new file for writing and makes its folders where they are missing. */
export function createStaged(path: string): number {
  try {
    return openSync(path, 'w+');
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
    mkdirSync(dirname(path), { recursive: true });
    return openSync(path, 'w+');
  }
}

/** Writes all of `bytes`. */
export function writeFully(descriptor: number, bytes: Uint8Array, offsetBytes: number): void {
  let done = 0;
  while (done < bytes.length) {
    done += writeSync(descriptor, bytes, done, bytes.length - done, offsetBytes + done);
  }
}

/** Runs of zeros are looked for in steps of this many bytes: whole blocks of every common file system. */
const HOLE_BYTES = 64 * 1024;
const ZEROS = Buffer.alloc(HOLE_BYTES);

/**
 * Writes `bytes` into a new file, leaving holes for runs of zeros. The caller sets the file's length in the end.
 */
export function writeSparsely(descriptor: number, bytes: Buffer, offsetBytes: number): void {
  let from = 0;
  for (let at = 0; at < bytes.length; at += HOLE_BYTES) {
    const end = Math.min(bytes.length, at + HOLE_BYTES);
    if (bytes.compare(ZEROS, 0, end - at, at, end) !== 0) continue;
    if (from < at) writeFully(descriptor, bytes.subarray(from, at), offsetBytes + from);
    from = end;
  }
  if (from < bytes.length) writeFully(descriptor, bytes.subarray(from), offsetBytes + from);
}

/** Writes a whole new file. */
export function writeStaged(path: string, bytes: Uint8Array): void {
  const descriptor = createStaged(path);
  try {
    writeFully(descriptor, bytes, 0);
  } finally {
    closeSync(descriptor);
  }
}

/** Removes staged files; those that never came to be are no error. */
export function removeStaged(paths: Iterable<string>): void {
  for (const path of paths) rmSync(path, { force: true });
}
