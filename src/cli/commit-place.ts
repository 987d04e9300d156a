import { mkdirSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve, sep } from 'node:path';
import type { ListedMount } from '../control/mount-registry.ts';
import { BadParameterError } from '../core/errors.ts';
import { systemCode } from '../core/system-code.ts';
import { isUrl } from '../model/source-url.ts';

const isWithin = (path: string, folder: string): boolean => `${path}${sep}`.startsWith(`${folder}${sep}`);

/** A path with all its links resolved, also where its last parts are not there yet. */
function realPlace(path: string): string {
  try {
    return realpathSync(path);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT' || dirname(path) === path) throw error;
    return join(realPlace(dirname(path)), basename(path));
  }
}

export interface CommitPlace {
  readonly to: string;
  readonly sources: readonly string[];
  readonly state: string;
  readonly mounts: readonly Pick<ListedMount, 'mountpoint'>[];
  /** Paths below `to` that are to be written. */
  readonly paths: readonly string[];
  /** The user named the source as the place, and said so. */
  readonly intoSource: boolean;
}

/**
 * Checks the folder that changes are to be written to, and makes it.
 * @returns its real path.
 * @throws BadParameterError for one in a mount, among PlateFS's own files, or in the source unless that was asked for.
 */
export function commitFolder({ to, sources, state, mounts, paths, intoSource }: CommitPlace): string {
  const asked = resolve(to);
  for (const { mountpoint } of mounts)
    if (isWithin(asked, mountpoint))
      throw new BadParameterError('--to', `${asked} lies in the mount ${mountpoint}; name a folder on disk`);
  const folder = realPlace(asked);
  if (isWithin(folder, state))
    throw new BadParameterError('--to', `${folder} holds PlateFS's own files; name another folder`);
  const reaches = (source: string): boolean =>
    isWithin(folder, source) ||
    (isWithin(source, folder) && paths.some((path) => isWithin(join(folder, path), source)));
  for (const source of sources.filter((one) => !isUrl(one)))
    if (!intoSource && reaches(realPlace(source)))
      throw new BadParameterError(
        '--to',
        `${folder} is, or reaches into, ${source}, the raw data; add --into-source if that is what you want`,
      );
  mkdirSync(folder, { recursive: true });
  if (!statSync(folder).isDirectory()) throw new BadParameterError('--to', `${folder} is no folder`);
  return folder;
}
