import { FolderStore } from '../../zarr/folder-store.ts';
import type { ZarrStore } from '../../zarr/store.ts';

/** Whether a path names what may be a Zarr store: a folder `….zarr`. */
export function isStorePath(path: string): boolean {
  return /\.zarr\/?$/i.test(path);
}

/**
 * Opens the store at a path.
 * @param root links out of this folder aren't followed.
 * @throws UnreadableSourceError naming the path.
 */
export function storeAt(path: string, root: string): ZarrStore {
  return new FolderStore(path.replace(/(?<=.)\/+$/, ''), root);
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
