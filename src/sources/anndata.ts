import { dirname } from 'node:path';
import { CancelledError, UnreadableSourceError } from '../core/errors.ts';
import { whenReady } from '../core/when-ready.ts';
import type { ArraySource, CatalogOptions, OpenSource, SourceCatalog, SourceDriver } from '../sources.ts';
import type * as Parts from './shared/anndata-source.ts';
import { ANNDATA_DOCUMENTS, fileVersion } from './shared/file-version.ts';
import { isHdf5 } from './shared/hdf5-signature.ts';
import type { Hierarchy } from './shared/hierarchy.ts';
import type { HierarchyOpener } from './shared/idle-hierarchy.ts';

/** Files of AnnData's own extension, and HDF5 files and Zarr stores, which may be anything. */
const HDF5_NAME = /\.(?:h5ad|h5|hdf5|hdf|he5)$/i;
const OWN_NAME = /\.h5ad$/i;
const ZARR_NAME = /\.zarr(?:\.zip)?\/?$/i;

type Format = Hierarchy['format'];
type Open = (path: string) => Hierarchy;

const formatOf = (path: string): Format => (HDF5_NAME.test(path) ? 'hdf5' : 'zarr');

const loaded = new Map<Format, Open>();
let parts: typeof Parts | undefined;

/** Loads what reads files of one format: only threads that look at such files pay for it. */
async function load(format: Format): Promise<typeof Parts> {
  parts ??= await import('./shared/anndata-source.ts');
  if (format === 'hdf5') {
    const { Hdf5Hierarchy } = await import('./shared/hdf5-hierarchy.ts');
    await Hdf5Hierarchy.prepare();
    loaded.set(format, (path) => Hdf5Hierarchy.open(path, dirname(path)));
  } else {
    const { openZarrHierarchy } = await import('./shared/zarr-hierarchy.ts');
    loaded.set(format, openZarrHierarchy);
  }
  return parts;
}

function openerOf(file: string): HierarchyOpener {
  const format = formatOf(file);
  const open = loaded.get(format);
  if (!open) throw new Error('prepare() has to be called before openSync()');
  return {
    file,
    format,
    open: () => open(file),
    version: () => fileVersion(file, format === 'zarr' ? ANNDATA_DOCUMENTS : []),
  };
}

/**
 * AnnData files (HDF5, `.h5ad` or any other name of HDF5) and stores (Zarr), of 0.5 to now: observations, variables, matrices, embeddings,
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
    const format = formatOf(path);
    // What is named for AnnData is told what is wrong with it; any other file may be something else altogether.
    if (format === 'hdf5' && !OWN_NAME.test(path) && !isHdf5(path)) return undefined;
    const { catalogOf } = await load(format);
    if (signal.aborted)
      throw new CancelledError(`looking into ${path} was cancelled`, { cause: signal.reason });
    return await whenReady(() => catalogOf(openerOf(path)));
  },

  async prepare(path?: string): Promise<void> {
    const formats: readonly Format[] = path === undefined ? ['hdf5', 'zarr'] : [formatOf(path)];
    await Promise.all(formats.map(load));
  },

  openSync(path: string, catalog: SourceCatalog): OpenSource {
    if (!parts) throw new Error('prepare() has to be called before openSync()');
    return new parts.AnnDataSource(openerOf(path), catalog);
  },
};

export default anndata;
