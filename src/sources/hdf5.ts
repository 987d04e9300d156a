import { dirname } from 'node:path';
import { CancelledError, SourceChangedError, UnreadableSourceError } from '../core/errors.ts';
import { whenReady } from '../core/when-ready.ts';
import type { ArraySource, CatalogOptions, OpenSource, SourceCatalog, SourceDriver } from '../sources.ts';
import type * as Parts from './shared/hdf5-parts.ts';
import { isHdf5 } from './shared/hdf5-signature.ts';

let prepared: typeof Parts | undefined;

/** Loads the HDF5 library and what is built on it: only threads that look into such a file pay for it. */
async function load(): Promise<typeof Parts> {
  if (prepared === undefined) prepared = await import('./shared/hdf5-parts.ts');
  await prepared.Hdf5Hierarchy.prepare();
  return prepared;
}

/**
 * HDF5 files: BigDataViewer, Imaris, ilastik, CellH5, and any other as its tree of groups. The AnnData driver, which
 * stands before it in the registry, takes those that are AnnData.
 */
const hdf5: SourceDriver = {
  id: 'hdf5',

  canOpen(path: string): boolean {
    return /\.(?:h5|hdf5|hdf|he5|ims|ch5)$/i.test(path);
  },

  async openArray(path: string): Promise<ArraySource> {
    throw new UnreadableSourceError(path, 'an HDF5 file is a tree of arrays, not one', {
      advice: 'mount it, and open one of its files',
    });
  },

  async catalog(
    path: string,
    { root }: CatalogOptions,
    signal: AbortSignal,
  ): Promise<SourceCatalog | undefined> {
    if (signal.aborted)
      throw new CancelledError(`looking into ${path} was cancelled`, { cause: signal.reason });
    if (!isHdf5(path)) return undefined;
    const { catalogOf, Hdf5Hierarchy } = await load();
    return await whenReady(async () => {
      using hierarchy = Hdf5Hierarchy.open(path, root);
      return { ...(await catalogOf(hierarchy, signal)), root };
    });
  },

  async prepare(): Promise<void> {
    await load();
  },

  openSync(path: string, catalog: SourceCatalog): OpenSource {
    if (prepared === undefined) throw new UnreadableSourceError(path, 'the HDF5 library was not prepared');
    const { Hdf5Hierarchy, isVersion, OpenHdf5 } = prepared;
    if (!isVersion(catalog.version))
      throw new SourceChangedError(path, 'it was written after it was described', {
        advice: 'describe it again',
      });
    return new OpenHdf5(Hdf5Hierarchy.open(path, catalog.root ?? dirname(path)), catalog);
  },
};

export default hdf5;
