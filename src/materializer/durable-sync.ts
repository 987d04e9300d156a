import { closeSync, fdatasync, fsyncSync, open, openSync } from 'node:fs';
import { release } from 'node:os';
import { promisify } from 'node:util';
import koffi from 'koffi';
import { systemCode } from '../core/system-code.ts';
import type { SyncReport } from './landing-job.ts';

type SyncFs = (descriptor: number) => number;
type SyncFileRange = (descriptor: number, offset: number, sizeBytes: number, flags: number) => number;

/** `syncfs(2)` reports write errors since Linux 5.8; before, each file is asked. */
const SYNCFS_REPORTS_ERRORS_SINCE = 5.08;
let syncFs: SyncFs | undefined | null = null;

function loadSyncFs(): SyncFs | undefined {
  const [major = 0, minor = 0] = release().split('.').map(Number);
  if (process.platform !== 'linux' || major + minor / 100 < SYNCFS_REPORTS_ERRORS_SINCE) return undefined;
  try {
    return koffi.load(null).func('int syncfs(int fd)') as SyncFs;
  } catch {
    // No such symbol in this C library: files are synced one by one instead.
    return undefined;
  }
}

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

const openFile = promisify(open);
const syncData = promisify(fdatasync);
const PARALLEL = 16;

/**
 * Makes everything written under `folder` durable, names included: one `syncfs`, which costs one journal commit for
 * thousands of files, else `fdatasync` of `files` and `fsync` of `folder`. Blocks the calling thread.
 */
export async function makeDurable(folder: string, files: readonly string[]): Promise<SyncReport> {
  if (syncFs === null) syncFs = loadSyncFs();
  const descriptor = openSync(folder, 'r');
  try {
    if (syncFs?.(descriptor) === 0) return { failed: [] };
    const failed: { path: string; code: string }[] = [];
    const queue = [...files];
    const drain = async (): Promise<void> => {
      for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
        const code = await syncOne(path);
        if (code !== undefined) failed.push({ path, code });
      }
    };
    await Promise.all(Array.from({ length: PARALLEL }, drain));
    fsyncSync(descriptor);
    return { failed };
  } finally {
    closeSync(descriptor);
  }
}

async function syncOne(path: string): Promise<string | undefined> {
  try {
    const descriptor = await openFile(path, 'r');
    try {
      await syncData(descriptor);
    } finally {
      closeSync(descriptor);
    }
    return undefined;
  } catch (error) {
    return systemCode(error) ?? 'EIO';
  }
}
