import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { writeFully } from '../core/io.ts';
import { storage } from '../core/storage.ts';
import { systemCode } from '../core/system-code.ts';
import { beginWriteOut } from '../core/write-out.ts';

const hasCode = (error: unknown, code: string): boolean => systemCode(error) === code;

/** Folders that were there when this thread last looked: spares a refused call, and its error, per new folder. */
const knownFolders = new Set<string>();
const MAX_KNOWN_FOLDERS = 8192;

function makeFolder(path: string): void {
  if (knownFolders.has(path)) return;
  const parent = dirname(path);
  // Below a folder that this thread has made there is nothing to expect.
  if (knownFolders.has(parent) || !existsSync(path)) {
    makeFolder(parent);
    try {
      storage.makeFolder(path);
    } catch (error) {
      // Another thread was faster.
      if (!hasCode(error, 'EEXIST')) throw error;
    }
  }
  if (knownFolders.size >= MAX_KNOWN_FOLDERS) knownFolders.clear();
  knownFolders.add(path);
}

/** Makes the folders that a staged file lies in, where they are missing. */
export const makeFolderOf = (path: string): void => makeFolder(dirname(path));

/** Makes a folder and those above it where they are missing, whatever this thread has seen before. */
export function makeFolders(path: string): void {
  knownFolders.clear();
  makeFolder(path);
}

/** Opens a new file for writing and makes its folders where they are missing. */
export function createStaged(path: string): number {
  const folder = dirname(path);
  makeFolder(folder);
  try {
    return storage.open(path, 'w+');
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
    // The folder is gone since this thread last looked.
    makeFolders(folder);
    return storage.open(path, 'w+');
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

/** Files from this size on go to the disk as soon as they are written: smaller ones cost more calls than they gain. */
const WRITEBACK_BYTES = 64 * 1024;

/** Writes a whole new file. */
export function writeStaged(path: string, bytes: Uint8Array): void {
  const descriptor = createStaged(path);
  try {
    writeFully(descriptor, bytes, 0);
    if (bytes.length >= WRITEBACK_BYTES) beginWriteOut(descriptor);
  } finally {
    storage.close(descriptor);
  }
}

/** Writes a whole new file that is read and removed soon: the disk need not see it. */
export function writePassing(path: string, bytes: Uint8Array): void {
  const descriptor = createStaged(path);
  try {
    writeFully(descriptor, bytes, 0);
  } finally {
    storage.close(descriptor);
  }
}

/** Removes staged files; those that never came to be are no error. */
export function removeStaged(paths: Iterable<string>): void {
  for (const path of paths) storage.remove(path);
}
