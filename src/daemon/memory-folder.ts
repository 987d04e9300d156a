import { createHash } from 'node:crypto';
import { existsSync, readdirSync, rmSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { makePrivateFolder } from '../core/private-folder.ts';
import { dataFolder, type OverlayFolders, spillFolder } from '../overlay/open-overlay.ts';
import { noteEnd } from '../overlay/power-mark.ts';

/** statfs type of tmpfs; <linux/magic.h>. */
const TMPFS_MAGIC = 0x0102_1994;
const SHARED_MEMORY = '/dev/shm';

/** Whether memory-backed files can be kept outside the state folder. */
export function hasSharedMemory(): boolean {
  return existsSync(SHARED_MEMORY) && statfsSync(SHARED_MEMORY).type === TMPFS_MAGIC;
}

/** Where a mount's written bytes live: in tmpfs, named after its state folder; else in the state folder. */
export function memoryFolderPath(stateFolder: string): string {
  const name = createHash('sha256').update(stateFolder).digest('hex').slice(0, 16);
  const uid = process.getuid?.() ?? 0;
  return hasSharedMemory() ? join(SHARED_MEMORY, `platefs-${uid}-${name}`) : join(stateFolder, 'memory');
}

/**
 * As {@link memoryFolderPath}; the folder is made.
 * @throws FsRefusal when somebody else made that folder before: in /dev/shm everybody may.
 */
export function memoryFolder(stateFolder: string): string {
  const folder = memoryFolderPath(stateFolder);
  makePrivateFolder(folder, 'ask whoever made it to remove it, or name another folder with --state');
  return folder;
}

/**
 * Takes the memory folder away after a clean end. It stays while there are bytes of any file in it: of one that
 * could not land, or that a program had open when the mount was taken away under it.
 * @returns how many files those are.
 */
export function removeMemoryFolder(folders: OverlayFolders): number {
  const countIn = (folder: string): number => (existsSync(folder) ? readdirSync(folder).length : 0);
  const left = Math.max(countIn(dataFolder(folders)), countIn(spillFolder(folders)));
  if (left === 0) {
    noteEnd(folders.state);
    rmSync(folders.memory, { recursive: true, force: true });
  }
  return left;
}
