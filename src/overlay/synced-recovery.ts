import { closeSync, existsSync, openSync } from 'node:fs';
import type { FileCalls } from '../core/file-calls.ts';
import { storage, syncFolderOf } from '../core/storage.ts';
import type { DataStore } from './data-store.ts';
import { type ByteRange, layOut, readDurableLog } from './durable-log.ts';

/** What a file's logs gave back. */
export interface RestoredFile {
  /** Stretches that had been safe on disk and are damaged. */
  readonly damaged: readonly ByteRange[];
}

/**
 * Brings a file back into its spill file, as it was when it was last synced. Leaves everything as it is, and returns
 * undefined, where no sync of it was ever finished.
 */
export function restoreSynced(store: DataStore, number: number, calls: FileCalls): RestoredFile | undefined {
  for (const path of store.synced.pathsOf(number)) {
    if (!existsSync(path)) continue;
    const log = openSync(path, 'r');
    try {
      const logged = readDurableLog(log);
      if (!logged) continue;
      const { state, damaged } = logged;
      const spillPath = store.files.spillPath(number);
      // What an attempt to spill left is no part of the file.
      const hasSpilled = state.splitAt < state.sizeBytes;
      const missing = hasSpilled && !existsSync(spillPath);
      const spill = storage.open(spillPath, hasSpilled ? 'a+' : 'w+', 0o600);
      storage.close(spill);
      const target = storage.open(spillPath, 'r+');
      try {
        layOut(logged, log, target);
        storage.syncData(target);
        calls.setTimes(target, state.atimeNs, state.mtimeNs);
        storage.sync(target);
      } finally {
        storage.close(target);
      }
      syncFolderOf(spillPath);
      return {
        damaged: missing ? [...damaged, { from: state.splitAt, to: state.sizeBytes }] : damaged,
      };
    } finally {
      closeSync(log);
    }
  }
  return undefined;
}
