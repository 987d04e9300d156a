import { dirname } from 'node:path';
import { CancelledError, UnreadableSourceError } from '../core/errors.ts';
import type { ArraySource, CatalogOptions, OpenSource, SourceCatalog, SourceDriver } from '../sources.ts';
import type * as Parts from './shared/anndata-source.ts';
import { fileVersion } from './shared/file-version.ts';
import type { Hierarchy } from './shared/hierarchy.ts';
import type { HierarchyOpener } from './shared/idle-hierarchy.ts';

/** Files of AnnData's own extension, and Zarr stores, which may be anything. */
const HDF5_NAME = /\.h5ad$/i;
const ZARR_NAME = /\.zarr(?:\.zip)?\/?$/i;

/** What in a store says what it holds: it changes whenever an element is written anew. */
const ZARR_DOCUMENTS = ['', 'obs/', 'var/', 'X/'].flatMap((group) =>
  ['zarr.json', '.zattrs', '.zgroup', '.zarray'].map((name) => `${group}${name}`),
);

interface Openers {
  readonly parts: typeof Parts;
  hdf5(path: string): Hierarchy;
  zarr(path: string): Hierarchy;
}

let prepared: Openers | undefined;

/** Loads what reads AnnData, HDF5 and Zarr: only threads that look at such files pay for it. */
async function load(): Promise<Openers> {
  if (prepared) return prepared;
  const [parts, { Hdf5Hierarchy }, { openZarrHierarchy }] = await Promise.all([
    import('./shared/anndata-source.ts'),
    import('./shared/hdf5-hierarchy.ts'),
    import('./shared/zarr-hierarchy.ts'),
  ]);
  await Hdf5Hierarchy.prepare();
  prepared = {
    parts,
    hdf5: (path) => Hdf5Hierarchy.open(path, dirname(path)),
    zarr: (path) => openZarrHierarchy(path),
  };
  return prepared;
}

function openerOf(openers: Openers, file: string): HierarchyOpener {
  const format = HDF5_NAME.test(file) ? 'hdf5' : 'zarr';
  return {
    file,
    format,
    open: () => openers[format](file),
    version: () => fileVersion(file, format === 'zarr' ? ZARR_DOCUMENTS : []),
  };
}

/**
 * AnnData files (HDF5, `.h5ad`) and stores (Zarr), of 0.5 to now: observations, variables, matrices, embeddings,
 * graphs and unstructured data as tables, arrays, sparse matrices and JSON; a table per gene and per cell.
 */
const anndata: SourceDriver = {
  id: 'anndata',

  canOpen(path: string): boolean {
    return HDF5_NAME.test(path) || ZARR_NAME.test(path);
  },

  async openArray(path: string): Promise<ArraySource> {
    throw new UnreadableSourceError(path, 'AnnData is many tables and matrices, not one array', {
      advice: 'mount it, and open one of its files',
    });
  },

  async catalog(
    path: string,
    _options: CatalogOptions,
    signal: AbortSignal,
  ): Promise<SourceCatalog | undefined> {
    const openers = await load();
    if (signal.aborted)
      throw new CancelledError(`looking into ${path} was cancelled`, { cause: signal.reason });
    return openers.parts.catalogOf(openerOf(openers, path));
  },

  async prepare(): Promise<void> {
    await load();
  },

  openSync(path: string, catalog: SourceCatalog): OpenSource {
    if (!prepared) throw new Error('prepare() has to be called before openSync()');
    return new prepared.parts.AnnDataSource(openerOf(prepared, path), catalog);
  },
};

export default anndata;
