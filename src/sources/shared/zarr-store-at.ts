import { realpathSync, statSync } from 'node:fs';
import { UnreadableSourceError } from '../../core/errors.ts';
import { FolderStore } from '../../zarr/folder-store.ts';
import { remoteStore } from '../../zarr/remote/remote-store.ts';
import type { ZarrStore } from '../../zarr/store.ts';
import { ChunkFile } from '../../zarr/stored-bytes.ts';
import { ZipStore } from '../../zarr/zip-store.ts';
import { isRemotePath, isZipPath } from './zarr-store-name.ts';

/**
 * Opens the store at a path.
 * @param root links out of this folder aren't followed.
 * @throws UnreadableSourceError, BadZarrError, UnsupportedZarrError naming the path.
 */
export function storeAt(path: string, root: string): ZarrStore {
  if (isRemotePath(path)) {
    const remote = remoteStore(path);
    return isZipPath(path) ? new ZipStore(remote.openItself(), true) : remote;
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
