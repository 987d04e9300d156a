/** The tree of a mount as its state folder remembers it: of the present mount, or of the last one. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { FsRefusal } from '../core/errors.ts';
import { MountTree } from '../tree/mount-tree.ts';
import type { SharedMount } from '../tree/shared-mount.ts';
import { loadPlaneTools } from './plane-tools.ts';
import { presentParts } from './session-parts.ts';
import { SessionTree } from './session-tree.ts';

export interface SavedMount {
  readonly mount: SharedMount;
  readonly tree: MountTree;
}

/**
 * Reads it without changing anything.
 * @throws FsRefusal `no-such-entry` where nothing was ever mounted with this state; a typed error when it is damaged.
 */
export async function savedMount(state: string): Promise<SavedMount> {
  if (!existsSync(join(state, 'tree-present')))
    throw new FsRefusal('no-such-entry', `${state} holds no state of a mount`, {
      advice: 'nothing was written yet; mount the plate first, or name its --state or --output',
    });
  const parts = [{ number: 0, name: '' }, ...presentParts(state)];
  const mount = parts.map((part) => ({ ...part, ...new SessionTree(state, part.number).resume() }));
  const tools = await loadPlaneTools(mount.map(({ shared }) => shared.index));
  return { mount, tree: new MountTree(mount, tools) };
}
