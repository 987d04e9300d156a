/**
 * What the daemons of one connection hand down to each other in files: how many there were, when the mount began,
 * and the index that node numbers are positions in.
 */
import { appendFileSync, existsSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DaemonSpec } from '../config/daemon-spec.ts';
import type { PlateIndex } from '../model/plate-index.ts';
import type { OverlayFolders } from '../overlay/open-overlay.ts';
import { readIndexFile, writeIndexFile } from '../tree/index-cache.ts';
import { openPlate } from '../tree/open-plate.ts';
import { logEvent } from './log.ts';

/** Counts this daemon. @returns how often one took over on this connection; 0 for its first. */
export function countResumes(folders: OverlayFolders, resumed: boolean): number {
  const path = join(folders.memory, 'resumes');
  if (!resumed) {
    rmSync(path, { force: true });
    return 0;
  }
  appendFileSync(path, '.');
  return statSync(path).size;
}

/** When the connection began, in milliseconds since 1970: every daemon of it shows the same times. */
export function mountedAtMs(folders: OverlayFolders, resumed: boolean): number {
  const path = join(folders.memory, 'mounted');
  if (!resumed || !existsSync(path)) writeFileSync(path, '');
  return statSync(path).mtimeMs;
}

const PROGRESS_EVERY_MS = 250;

/**
 * The plate's index. A daemon that takes over a connection uses the index its predecessor used: node numbers are
 * positions in it. @throws a typed error when the plate can't be read.
 */
export async function openSessionIndex(
  spec: DaemonSpec,
  folders: OverlayFolders,
  resumed: boolean,
  options: { readonly signal: AbortSignal; readonly onProgress: (text: string) => void },
): Promise<PlateIndex> {
  const session = join(folders.state, 'session-index');
  if (resumed) return readIndexFile(session);
  let toldMs = 0;
  const { index } = await openPlate(spec.definition.source, {
    signal: options.signal,
    cacheDir: join(spec.cacheFolder, 'index'),
    log: logEvent,
    onProgress: ({ files }) => {
      if (Date.now() - toldMs < PROGRESS_EVERY_MS) return;
      toldMs = Date.now();
      options.onProgress(`indexing: ${files} files`);
    },
  });
  writeIndexFile(session, index);
  return index;
}
