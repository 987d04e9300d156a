import { CancelledError } from '../core/errors.ts';
import type {
  ArraySource,
  CatalogOptions,
  OpenPlane,
  OpenSource,
  PlaneBytes,
  PlaneProbe,
  SourceCatalog,
  SourceDriver,
} from '../sources.ts';
import { isArrayMetadataName, readArrayMetadata } from '../zarr/array-metadata.ts';
import { ZarrArray } from './shared/zarr-array.ts';
import { OpenZarrPlane } from './shared/zarr-open-plane.ts';
import { ZarrLayout } from './shared/zarr-planes.ts';
import { isStorePath } from './shared/zarr-store-name.ts';

/** What stores that are no plates need: a mount of a plate never loads it. */
let zarrOpen: typeof import('./shared/zarr-open.ts') | undefined;

/**
 * Zarr v2 and v3. For planes that a format found the path is an array's metadata file: `…/.zarray`, or a `…/zarr.json`
 * whose node is an array; page n is the n-th plane in C order over the axes before the last two. For catalogs it is
 * a store.
 */
const zarr: SourceDriver = {
  id: 'zarr',

  canOpen(path: string): boolean {
    return isArrayMetadataName(path) || isStorePath(path);
  },

  async openArray(path: string, signal: AbortSignal): Promise<ArraySource> {
    if (signal.aborted) throw new CancelledError(`opening ${path} was cancelled`, { cause: signal.reason });
    return new ZarrArray(ZarrLayout.read(path));
  },

  probeSync(path: string, page = 0): PlaneProbe {
    const metadata = readArrayMetadata(path);
    const layout = ZarrLayout.inFolder(metadata);
    const info = layout.planeInfo;
    const region = layout.planeRegion(page);
    const window = layout.window(region);
    const [height = 1, width = 1] = info.axes.startsWith('y') ? info.shape : [1, ...info.shape];
    return {
      info,
      width,
      height,
      samples: metadata.element.lanes,
      compression: layout.compression,
      byteOrder: layout.byteOrder,
      ...(window === undefined ? {} : { window }),
      fileSizeBytes: metadata.sizeBytes,
    };
  },

  readPlaneSync(path: string, page: number, into?: Uint8Array): PlaneBytes {
    const layout = ZarrLayout.read(path);
    const region = layout.planeRegion(page);
    const sizeBytes = layout.regionBytes(region);
    if (into !== undefined && into.length !== sizeBytes)
      throw new RangeError(`plane ${page} of ${path} needs ${sizeBytes} bytes, not ${into.length}`);
    const bytes = into ?? new Uint8Array(sizeBytes);
    layout.readRegion(region, bytes);
    return { info: layout.planeInfo, bytes };
  },

  planeFilesSync(path: string, page: number): readonly string[] {
    const layout = ZarrLayout.read(path);
    return [path, ...layout.filesOf(layout.planeRegion(page))];
  },

  openPlaneSync(path: string, page: number): OpenPlane {
    return new OpenZarrPlane(path, page);
  },

  async catalog(
    path: string,
    { root }: CatalogOptions,
    signal: AbortSignal,
  ): Promise<SourceCatalog | undefined> {
    if (signal.aborted) throw new CancelledError(`opening ${path} was cancelled`, { cause: signal.reason });
    const { catalogStore } = await import('./shared/zarr-catalog.ts');
    return await catalogStore(path, root, signal);
  },

  async prepare(): Promise<void> {
    zarrOpen ??= await import('./shared/zarr-open.ts');
  },

  openSync(path: string, catalog: SourceCatalog): OpenSource {
    if (!zarrOpen) throw new Error('a source is opened after prepare()');
    return new zarrOpen.OpenZarr(path, catalog);
  },
};

export default zarr;
