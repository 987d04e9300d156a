import { spawnSync } from 'node:child_process';
import { geteuid } from 'node:process';
import { BadMountpointError, FuseUnavailableError } from '../core/errors.ts';
import { mountAt } from './mount-table.ts';
import { MNT_DETACH, SystemCallError, syscallsProblem, UMOUNT_NOFOLLOW, umount2 } from './syscalls.ts';

export type UnmountResult = 'unmounted' | 'busy' | 'not-mounted';

function bySystemCall(path: string, lazy: boolean): UnmountResult {
  try {
    umount2(path, UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0));
    return 'unmounted';
  } catch (error) {
    if (error instanceof SystemCallError && error.code === 'EBUSY') return 'busy';
    if (error instanceof SystemCallError && (error.code === 'EINVAL' || error.code === 'ENOENT'))
      return 'not-mounted';
    throw error;
  }
}

function byProgram(path: string, program: string, args: readonly string[]): UnmountResult {
  const before = mountAt(path);
  if (before === undefined) return 'not-mounted';
  const result = spawnSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'ignore', 'pipe'] });
  if (result.error !== undefined)
    throw new FuseUnavailableError(`${program} can't be run`, {
      cause: result.error,
      advice: 'on Debian and Ubuntu: apt install fuse3',
    });
  if (result.status === 0 || mountAt(path)?.mountId !== before.mountId) return 'unmounted';
  if (/busy/i.test(result.stderr)) return 'busy';
  throw new BadMountpointError(path, `can not be unmounted: ${result.stderr.trim()}`);
}

/**
 * Takes away the topmost mount at `path` (absolute, links resolved). `lazy` detaches it although it is in use:
 * new look-ups no longer find it, and open files go on until they are closed.
 *
 * @throws FuseUnavailableError or BadMountpointError when it can't be done; 'busy' is a result.
 */
export function unmountFuse(path: string, options: { lazy?: boolean } = {}): UnmountResult {
  const lazy = options.lazy === true;
  if (geteuid?.() !== 0)
    return byProgram(path, 'fusermount3', lazy ? ['-u', '-z', '--', path] : ['-u', '--', path]);
  if (syscallsProblem() === undefined) return bySystemCall(path, lazy);
  return byProgram(path, 'umount', lazy ? ['-l', '--', path] : ['--', path]);
}
