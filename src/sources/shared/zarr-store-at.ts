import { realpathSync, statSync } from 'node:fs';
import { UnreadableSourceError } from '../../core/errors.ts';
import { FolderStore } from '../../zarr/folder-store.ts';
import { isRemotePath, remoteStore } from '../../zarr/remote/remote-store.ts';
import type { ZarrStore } from '../../zarr/store.ts';
import { ChunkFile } from '../../zarr/stored-bytes.ts';
import { ZipStore } from '../../zarr/zip-store.ts';

/**
 * Whether a path names what may be a Zarr store: `….zarr`, a zip file (`.ozx` is OME's name for one, RFC 9), or any
 * `http://`, `https://` or `s3://` address.
 */
export function isStorePath(path: string): boolean {
  return isRemotePath(path) || isZip(path) || /\.zarr\/?$/i.test(path);
}

const isZip = (path: string): boolean =>
  /\.(?:zip|ozx)$/i.test(path.replace(/^(https?:[^?#]*)[?#].*$/i, '$1'));

/**
 * Opens the store at a path.
 * @param root links out of this folder aren't followed.
 * @throws UnreadableSourceError, BadZarrError, UnsupportedZarrError naming the path.
 */
export function storeAt(path: string, root: string): ZarrStore {
  if (isRemotePath(path)) {
    const remote = remoteStore(path);
    return isZip(path) ? new ZipStore(remote.openItself(), true) : remote;
  }
  const plain = path.replace(/(?<=.)\/+$/, '');
  if (!isFile(plain)) return new FolderStore(plain, root);
  const file = ChunkFile.open([plain], realpathSync(root));
  if (!file) throw new UnreadableSourceError(plain, 'is gone');
  try {
    return new ZipStore(file);
  } catch (error) {
    file[Symbol.dispose]();
    throw error;
  }
}

function isFile(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch (cause) {
    throw new UnreadableSourceError(path, 'opening failed', { cause });
  }
}

/** What a store is called: its name without what only says that it is one. */
export function storeName(path: string): string {
  const name =
    path
      .replace(/[?#].*$/, '')
      .replace(/\/+$/, '')
      .split('/')
      .at(-1) ?? '';
  return name
    .replace(/\.(?:zip|ozx)$/i, '')
    .replace(/\.zarr$/i, '')
    .replace(/\.ome$/i, '');
}
