import { storage } from '../core/storage.ts';
import { systemCode } from '../core/system-code.ts';
import type { SyncReport } from './landing-job.ts';

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
