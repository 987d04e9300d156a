import { runtimeFolder } from '../config/xdg.ts';
import type { LandingProgress } from '../control/documents.ts';
import { type ListedMount, MountRegistry } from '../control/mount-registry.ts';
import { formatByteSize } from '../core/byte-size.ts';
import { BadMountpointError, NotRunningError } from '../core/errors.ts';
import { mountAt } from '../fuse/mount-table.ts';
import { isPlateMount, mountpointPath } from './mount-table.ts';

/** This user's list of mounts. */
export function ownRegistry(): MountRegistry {
  return new MountRegistry(runtimeFolder());
}

/**
 * The living mount at this place.
 * @throws NotRunningError, with what is there instead.
 */
export function runningMount(path: string, registry = ownRegistry()): ListedMount {
  const mountpoint = mountpointPath(path);
  const entry = registry.find(mountpoint);
  if (entry?.isAlive) return entry;
  const mounted = mountAt(mountpoint);
  if (mounted && !isPlateMount(mounted))
    throw new BadMountpointError(
      mountpoint,
      `is a mount of ${mounted.source} (${mounted.type}), not of PlateFS`,
    );
  if (entry || mounted)
    throw new NotRunningError(`the PlateFS that served ${mountpoint} is gone`, {
      advice: `tidy up with  platefs umount ${mountpoint}  and mount again; written files are kept`,
    });
  const others = registry.list().filter(({ isAlive }) => isAlive);
  throw new NotRunningError(`nothing is mounted at ${mountpoint}`, {
    advice: others.length
      ? `mounted are: ${others.map((other) => other.mountpoint).join(', ')}`
      : 'mount a plate with  platefs mount PLATE MOUNTPOINT',
  });
}

/** `3 of 40 files, 120 MiB left` */
export function landingText(value: unknown): string {
  const { filesDone, filesTotal, leftBytes } = value as LandingProgress;
  return `${filesDone} of ${filesTotal} files, ${formatByteSize(leftBytes)} left`;
}
