import koffi from 'koffi';
import { storage } from '../core/storage.ts';
import { systemCode } from '../core/system-code.ts';
import type { SyncReport } from './landing-job.ts';

type SyncFileRange = (descriptor: number, offset: number, sizeBytes: number, flags: number) => number;

/** `sync_file_range(2)`: begin to write the dirty pages, wait for nothing. */
const SYNC_FILE_RANGE_WRITE = 2;
let syncFileRange: SyncFileRange | undefined | null = null;

function loadSyncFileRange(): SyncFileRange | undefined {
  if (process.platform !== 'linux') return undefined;
  try {
    return koffi
      .load(null)
      .func(
        'int sync_file_range(int fd, int64_t offset, int64_t nbytes, unsigned int flags)',
      ) as SyncFileRange;
  } catch {
    // No such symbol in this C library: the disk then begins with the sync.
    return undefined;
  }
}

/**
 * Lets the disk begin with a file's bytes, so that less is left to wait for in {@link makeDurable}. Promises nothing:
 * what goes wrong is told by that.
 */
export function startWriteback(descriptor: number): void {
  if (syncFileRange === null) syncFileRange = loadSyncFileRange();
  syncFileRange?.(descriptor, 0, 0, SYNC_FILE_RANGE_WRITE);
}

/**
 * Makes everything written so far to the file system of the output folder durable, names included: one `syncfs`, which costs one
 * journal commit for thousands of files. Where that does not tell of failed writes, each of `files` is asked. Blocks the
 * calling thread.
 * @param descriptor - The output folder, opened before any of it was written: who opens it later may miss a write that
 *   failed, when somebody else's sync was told of it.
 * @throws the system's error when the disk refused anything: whose bytes it was, nobody knows.
 */
export function makeDurable(descriptor: number, files: readonly string[]): SyncReport {
  if (storage.syncFileSystem(descriptor)) return { failed: [] };
  return {
    failed: files.flatMap((path) => {
      const code = syncOne(path);
      return code === undefined ? [] : [{ path, code }];
    }),
  };
}

function syncOne(path: string): string | undefined {
  try {
    const descriptor = storage.open(path, 'r');
    try {
      storage.syncData(descriptor);
    } finally {
      storage.close(descriptor);
    }
    return undefined;
  } catch (error) {
    return systemCode(error) ?? 'EIO';
  }
}
