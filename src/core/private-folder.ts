import { lstatSync, mkdirSync } from 'node:fs';
import { FsRefusal } from './errors.ts';

/**
 * Makes a folder that nobody else may enter, or takes one that is there and is such a folder: its path may be known
 * to others, who could have been there first.
 * @param advice - What to do about one that is not.
 * @throws FsRefusal `not-permitted` when the folder is another user's, a link, or open to others.
 */
export function makePrivateFolder(folder: string, advice: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const stat = lstatSync(folder);
  if (!stat.isDirectory() || stat.uid !== process.geteuid?.() || (stat.mode & 0o077) !== 0)
    throw new FsRefusal('not-permitted', `${folder} is not a private folder of yours`, { advice });
}
