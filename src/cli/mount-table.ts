import { execFile } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { type MountTableEntry, mountAt } from '../fuse/mount-table.ts';

/** Whether PlateFS made this mount. */
export function isPlateMount({ type, source }: MountTableEntry): boolean {
  return type === 'fuse.platefs' || (type.startsWith('fuse') && source.startsWith('platefs'));
}

/**
 * The absolute path of a mountpoint as the kernel spells it. The last part is not looked at, since asking a
 * mount whose daemon is stuck would hang.
 */
export function mountpointPath(path: string): string {
  const absolute = resolve(path);
  if (mountAt(absolute)) return absolute;
  try {
    return join(realpathSync(dirname(absolute)), basename(absolute));
  } catch {
    // A parent that is not there is reported by whoever uses the path.
    return absolute;
  }
}

/** A daemon that answers at all does so well within this. */
const PROBE_LIMIT_MS = 2000;

/**
 * How a mount answers: `alive`; `dead` where its daemon is gone (ENOTCONN); `stuck` where it does not answer.
 * Asked by a child process, which can be killed while it waits; this process could not.
 */
export function probeMount(path: string): Promise<'alive' | 'dead' | 'stuck'> {
  return new Promise((resolveProbe) => {
    const limits = {
      timeout: PROBE_LIMIT_MS,
      killSignal: 'SIGKILL',
      env: { ...process.env, LC_ALL: 'C' },
    } as const;
    execFile('stat', ['--', path], limits, (error, _, stderr) => {
      if (error?.killed) resolveProbe('stuck');
      else resolveProbe(stderr.includes('not connected') ? 'dead' : 'alive');
    });
  });
}
