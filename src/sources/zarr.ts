import { CancelledError } from '../core/errors.ts';
import type { ArraySource, OpenPlane, PlaneBytes, PlaneProbe, SourceDriver } from '../sources.ts';
import { isArrayMetadataName } from '../zarr/array-metadata.ts';
import { ZarrArray } from './shared/zarr-array.ts';
import { OpenZarrPlane } from './shared/zarr-open-plane.ts';
import { ZarrLayout } from './shared/zarr-planes.ts';

/**
 * Local Zarr arrays, v2 and v3. The path is the array's metadata file: `…/.zarray`, or a `…/zarr.json` whose node is
 * an array. Page n is the n-th plane in C order over the axes before the last two.
 */
const zarr: SourceDriver = {
  id: 'zarr',

  canOpen(path: string): boolean {
    return isArrayMetadataName(path);
  },

  async openArray(path: string, signal: AbortSignal): Promise<ArraySource> {
    if (signal.aborted) throw new CancelledError(`opening ${path} was cancelled`, { cause: signal.reason });
    return new ZarrArray(ZarrLayout.read(path));
  },

  probeSync(path: string, page = 0): PlaneProbe {
    const layout = ZarrLayout.read(path);
    const info = layout.planeInfo;
    const region = layout.planeRegion(page);
    const window = layout.window(region);
    const [height = 1, width = 1] = info.axes.startsWith('y') ? info.shape : [1, ...info.shape];
    return {
      info,
      width,
      height,
      samples: layout.metadata.element.lanes,
      compression: layout.compression,
      byteOrder: layout.byteOrder,
      ...(window === undefined ? {} : { window }),
      fileSizeBytes: layout.metadata.sizeBytes,
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
};

export default zarr;
