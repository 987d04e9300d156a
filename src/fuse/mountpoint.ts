import { readdirSync, realpathSync, statfsSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { BadMountpointError } from '../core/errors.ts';
import { systemCode } from '../core/system-code.ts';
import { mountAt } from './mount-table.ts';
import { unmountFuse } from './unmount.ts';

/** A stale mount may lie on another one; more than this many is not an accident. */
const STALE_LAYERS_MAX = 8;

/** The absolute path with links resolved, for a path whose last part may be a dead mount. */
function resolvedPath(path: string): string {
  const absolute = resolve(path);
  try {
    return realpathSync(absolute);
  } catch (error) {
    if (systemCode(error) !== 'ENOTCONN') throw error;
    return join(realpathSync(dirname(absolute)), basename(absolute));
  }
}

/**
 * Whether the mount at `path` is one whose daemon is gone. Asked by statfs(2), which no kernel answers from its
 * memory: the attributes of the root it remembers long after the daemon's death.
 */
export function isStaleMount(path: string): boolean {
  try {
    statfsSync(path);
    return false;
  } catch (error) {
    return systemCode(error) === 'ENOTCONN';
  }
}

/**
 * Makes sure that a folder can be mounted on. A dead FUSE mount there (its daemon died without a supervisor)
 * is taken away first.
 *
 * @returns The folder's absolute path, links resolved, and how many dead mounts were taken away.
 * @throws BadMountpointError when it is missing, no folder, not empty, not accessible or already a mount.
 */
export function prepareMountpoint(path: string): { path: string; mended: number } {
  try {
    const resolved = resolvedPath(path);
    let mended = 0;
    while (isStaleMount(resolved)) {
      if (++mended > STALE_LAYERS_MAX || unmountFuse(resolved, { lazy: true }) !== 'unmounted')
        throw new BadMountpointError(path, 'holds a dead mount that can not be taken away', {
          advice: `run: umount -l '${resolved}' (as root), or: fusermount3 -uz '${resolved}'`,
        });
    }
    const stats = statSync(resolved);
    if (!stats.isDirectory())
      throw new BadMountpointError(path, 'is not a folder', { advice: 'name an empty folder' });
    const mounted = mountAt(resolved);
    if (mounted !== undefined)
      throw new BadMountpointError(path, `is already a mount (${mounted.type}, ${mounted.source})`, {
        advice: mounted.type.startsWith('fuse')
          ? `run: platefs umount '${resolved}', or choose another folder`
          : 'choose another folder',
      });
    if (readdirSync(resolved).length > 0)
      throw new BadMountpointError(path, 'is not empty', {
        advice: 'choose an empty folder: what lies there would be hidden',
      });
    return { path: resolved, mended };
  } catch (cause) {
    const code = systemCode(cause);
    if (code === 'ENOENT')
      throw new BadMountpointError(path, 'does not exist', { cause, advice: `run: mkdir -p '${path}'` });
    if (code === 'ENOTDIR')
      throw new BadMountpointError(path, 'does not exist: a part of its path is a file', { cause });
    if (code === 'EACCES' || code === 'EPERM')
      throw new BadMountpointError(path, 'is not accessible', {
        cause,
        advice: 'choose a folder of your own',
      });
    throw cause;
  }
}
