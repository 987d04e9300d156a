import { resolve, sep } from 'node:path';
import type { KeepProgress } from '../control/documents.ts';
import type { ListedMount, MountRegistry } from '../control/mount-registry.ts';
import { formatByteSize } from '../core/byte-size.ts';
import { NotRunningError } from '../core/errors.ts';
import { mountpointPath } from './mount-table.ts';
import { ownRegistry } from './running-mount.ts';

/** A running mount, and paths below it without a leading slash; '' is all of it. */
export interface MountPaths {
  readonly mount: ListedMount;
  readonly paths: readonly string[];
}

/**
 * Whose paths these are, mount by mount. Looks at none of them: asking a mount whose daemon is stuck would hang.
 * @throws NotRunningError for a path that lies in no running mount.
 */
export function mountPaths(paths: readonly string[], registry: MountRegistry = ownRegistry()): MountPaths[] {
  const mounts = registry.list().filter(({ isAlive }) => isAlive);
  const found = new Map<ListedMount, string[]>();
  for (const path of paths) {
    const place = [mountpointPath(path), resolve(path)]
      .flatMap((absolute) => mounts.map((mount) => ({ mount, absolute })))
      .filter(({ mount, absolute }) => `${absolute}${sep}`.startsWith(`${mount.mountpoint}${sep}`))
      .toSorted((a, b) => b.mount.mountpoint.length - a.mount.mountpoint.length)[0];
    if (!place)
      throw new NotRunningError(`${path} lies in no mount of yours`, {
        advice: mounts.length
          ? `mounted are: ${mounts.map(({ mountpoint }) => mountpoint).join(', ')}`
          : 'mount a plate with  platefs mount PLATE MOUNTPOINT',
      });
    const below = place.absolute.slice(place.mount.mountpoint.length + 1);
    found.set(place.mount, [...(found.get(place.mount) ?? []), below]);
  }
  return [...found].map(([mount, below]) => ({ mount, paths: below }));
}

/** `3 of 40 files, 1.2 GiB of 8 GiB` */
export function keepText(value: unknown): string {
  const { filesDone, filesTotal, doneBytes, totalBytes } = value as KeepProgress;
  return `${filesDone} of ${filesTotal} files, ${formatByteSize(doneBytes)} of ${formatByteSize(totalBytes)}`;
}
