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
