import { FsRefusal } from '../core/errors.ts';
import type { Change } from './change-list.ts';

/** Whether a path is `above` or lies below it; '' is above everything. */
export const isAtOrBelow = (path: string, above: string): boolean =>
  above === '' || path === above || path.startsWith(`${above}/`);

/**
 * The changes at or below paths of the mount; what was renamed counts under both names.
 * @param paths without leading slashes; '' is all of the mount.
 * @throws FsRefusal `no-such-entry` for a path at and below which nothing was changed.
 */
export function chosenChanges(changes: readonly Change[], paths: readonly string[]): Change[] {
  const isAt = ({ path, from }: Change, above: string): boolean =>
    isAtOrBelow(path, above) || (from !== undefined && isAtOrBelow(from, above));
  for (const path of paths)
    if (path !== '' && !changes.some((change) => isAt(change, path)))
      throw new FsRefusal('no-such-entry', `nothing was changed at ${path}`, {
        advice: "see 'platefs diff'",
      });
  return changes.filter((change) => paths.some((path) => isAt(change, path)));
}
