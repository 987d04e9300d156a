import { closeSync, openSync } from 'node:fs';
import type { FileCalls } from '../core/file-calls.ts';
import type { DataFiles, DataPlace } from './data-files.ts';

/**
 * Lends a descriptor of a file in memory, open for reading, for the kernel to read directly.
 * @returns what `use` does; undefined where a part lies on disk.
 */
export function lendMemory<T>(files: DataFiles, place: DataPlace, use: (fd: number) => T): T | undefined {
  if (place.splitAt !== Number.POSITIVE_INFINITY) return undefined;
  const fd = openSync(files.memoryPath(place.number), 'r');
  try {
    return use(fd);
  } finally {
    closeSync(fd);
  }
}

/** Whether a program can write a file in memory past us: through a map that it keeps. */
export function isMapped(files: DataFiles, place: DataPlace, calls: FileCalls): boolean {
  files.close(place.number);
  return lendMemory(files, place, (fd) => calls.isOpenForWriting(fd)) ?? false;
}
