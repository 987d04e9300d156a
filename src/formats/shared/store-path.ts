import { realpathSync } from 'node:fs';

/** Longest path that metadata may name. */
const MAX_PATH_LENGTH = 1024;

/**
 * The path that metadata names below a folder, as names joined by `/`. Undefined for one that is empty, absolute or
 * leads upwards, or that no file of a Zarr store has.
 */
export function safeStorePath(path: string): string | undefined {
  if (path.length > MAX_PATH_LENGTH || path.includes('\0') || path.includes('\\')) return undefined;
  const names = path.replace(/^\.\//, '').replace(/\/+$/, '').split('/');
  return names.every((name) => name !== '' && name !== '.' && name !== '..') ? names.join('/') : undefined;
}

/** Whether a path lies in a folder when every symbolic link is followed; false too when it is not there. */
export function liesWithin(path: string, realFolder: string): boolean {
  let real: string;
  try {
    real = realpathSync(path);
  } catch {
    // What is not there, or is a circle of links, lies nowhere.
    return false;
  }
  return real === realFolder || real.startsWith(realFolder === '/' ? '/' : `${realFolder}/`);
}
