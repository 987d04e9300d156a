import { join } from 'node:path';
import { lockExclusively } from '../fuse/syscalls.ts';
import type { ColdCache } from '../renders/render-folder.ts';
import { RenderStore } from '../renders/render-store.ts';

/** Where a mount finds finished renders. */
export interface KeptFolders {
  /** In memory: what was pinned. */
  readonly pins: string;
  /** In memory: what was read whole. */
  readonly hot: string;
  /** On disk, shared by all mounts of the user. */
  readonly cold?: ColdCache;
}

/**
 * @param memory a folder in memory, below which pins and what was read whole lie.
 */
export const keptFolders = (memory: string, cold: ColdCache | undefined): KeptFolders => ({
  pins: join(memory, 'pins'),
  hot: join(memory, 'hot'),
  ...(cold ? { cold } : {}),
});

export const pinStore = ({ pins }: KeptFolders): RenderStore =>
  new RenderStore({ folder: pins, lock: lockExclusively });

/** What lies there never leaves memory: it is not verified, which would take as long as reading it. */
export const hotStore = ({ hot }: KeptFolders): RenderStore =>
  new RenderStore({ folder: hot, lock: lockExclusively, isTrusted: true });

export function coldStore({ cold }: KeptFolders): RenderStore | undefined {
  return cold && new RenderStore({ ...cold, lock: lockExclusively });
}

/** All of them, the fastest first. */
export function keptStores(folders: KeptFolders): RenderStore[] {
  const cold = coldStore(folders);
  return [pinStore(folders), hotStore(folders), ...(cold ? [cold] : [])];
}
