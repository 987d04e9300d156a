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
import { TiffArray } from './shared/tiff-array.ts';
import { decodePlane } from './shared/tiff-decode.ts';
import { TiffFile } from './shared/tiff-file.ts';
import { readTiffPageHead } from './shared/tiff-head.ts';
import { OpenTiffPlane } from './shared/tiff-open-plane.ts';
import { isWholeTiff } from './shared/tiff-whole.ts';

/** What files that are no plates need: a mount of a plate never loads it. */
let tiffOpen: typeof import('./shared/tiff-open.ts') | undefined;

/**
 * TIFF and BigTIFF, either byte order: uncompressed, LZW, deflate, PackBits, zstd, JPEG, LERC, CCITT; predictors 1
 * to 3; strips and tiles; 1 to 64 bits. Samples come as stored: palettes, colour spaces, white-is-zero and orientation
 * are not applied.
 */
const tiff: SourceDriver = {
  id: 'tiff',

  canOpen(path: string): boolean {
    return /\.(?:tiff?|btf|tf[28]|stk)$/i.test(path);
  },

  async openArray(path: string, signal: AbortSignal): Promise<ArraySource> {
    if (signal.aborted) throw new CancelledError(`opening ${path} was cancelled`, { cause: signal.reason });
    const file = new TiffFile(path);
    try {
      return new TiffArray(file);
    } catch (error) {
      file[Symbol.dispose]();
      throw error;
    }
  },

  probeSync(path: string, page = 0): PlaneProbe {
    return readTiffPageHead(path, page);
  },

  isWholeSync: isWholeTiff,

  readPlaneSync(path: string, page: number, into?: Uint8Array): PlaneBytes {
    using file = new TiffFile(path);
    const wanted = file.page(page);
    const info = { shape: wanted.shape, dtype: wanted.dtype, axes: wanted.axes };
    return { info, bytes: decodePlane(file.fd, wanted, into) };
  },

  openPlaneSync(path: string, page: number): OpenPlane {
    return new OpenTiffPlane(path, page);
  },

  async catalog(path: string, { root }: CatalogOptions, signal: AbortSignal): Promise<SourceCatalog> {
    if (signal.aborted)
      throw new CancelledError(`looking into ${path} was cancelled`, { cause: signal.reason });
    const { describeTiff } = await import('./shared/tiff-catalog.ts');
    const { catalog, files } = describeTiff(path, root);
    files[Symbol.dispose]();
    return catalog;
  },

  async prepare(): Promise<void> {
    tiffOpen ??= await import('./shared/tiff-open.ts');
  },

  openSync(path: string, catalog: SourceCatalog): OpenSource {
    if (!tiffOpen) throw new Error('a source is opened after prepare()');
    return new tiffOpen.OpenTiff(path, catalog);
  },
};

export default tiff;
