import { statSync } from 'node:fs';
import { UnreadableSourceError } from '../../core/errors.ts';
import { fileIdentity } from '../../core/file-identity.ts';

const IS_URL = /^[a-z][a-z0-9+.-]+:\/\//i;

function stateOf(path: string, isRequired: boolean): string {
  try {
    const stats = statSync(path, { bigint: true, throwIfNoEntry: false });
    if (stats) return fileIdentity(stats);
  } catch (cause) {
    throw new UnreadableSourceError(path, 'it can’t be looked at', { cause });
  }
  if (isRequired) throw new UnreadableSourceError(path, 'it is not there');
  return '-';
}

/**
 * What tells one version of a source from another: device, inode, size and time of change of its file, or of a
 * store's folder and the files in it that say what it holds. Remote sources have none ('').
 * @param describing files below `path` that count where they are there.
 * @throws UnreadableSourceError when there is no such file.
 */
export function fileVersion(path: string, describing: readonly string[] = []): string {
  if (IS_URL.test(path)) return '';
  return [stateOf(path, true), ...describing.map((name) => stateOf(`${path}/${name}`, false))].join(' ');
}

/** What in a Zarr store says what AnnData it holds: it changes whenever an element is written anew. */
export const ANNDATA_DOCUMENTS = ['', 'obs/', 'var/', 'X/'].flatMap((group) =>
  ['zarr.json', '.zattrs', '.zgroup', '.zarray'].map((name) => `${group}${name}`),
);
