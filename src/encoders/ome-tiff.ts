import type { FileLayout, ImageEncoder } from '../encoders.ts';
import type { ImageInfo, PlaneLookup } from '../model/image.ts';
import { withFileDtype } from './shared/file-dtype.ts';
import { omeXml } from './shared/ome-xml.ts';
import {
  CLASSIC_LIMIT_BYTES,
  checkPlaneCount,
  pixelsPerUnit,
  TiffLayout,
  tiffSizeAtMostBytes,
} from './shared/tiff-layout.ts';

/** Micrometres in a centimetre, the unit of the resolution tags. */
const UM_PER_CM = 10_000;

/**
 * OME-TIFF: classic TIFF below 4 GiB, BigTIFF from there on (plain ImageJ 1.x opens only the former). OME has no half
 * precision: `float16` is held as `float32`, in which every value is the same.
 */
const omeTiff: ImageEncoder = {
  takes: 'image',
  id: 'ome-tiff',
  extension: '.ome.tif',

  layout(stored: ImageInfo, planes?: PlaneLookup): FileLayout {
    checkPlaneCount(stored);
    const typed = withFileDtype(stored, { float16: 'float32' });
    const { image } = typed;
    const { pixelSizeUm } = image;
    const recipe = {
      ...typed,
      description: omeXml(image, planes && 'blank'),
      ...(planes === undefined ? {} : { fullDescription: () => omeXml(image, planes) }),
      ...(pixelSizeUm === undefined
        ? {}
        : {
            resolution: {
              x: pixelsPerUnit(pixelSizeUm.x, UM_PER_CM),
              y: pixelsPerUnit(pixelSizeUm.y, UM_PER_CM),
              unit: 3 as const,
            },
          }),
    };
    return new TiffLayout({ ...recipe, big: tiffSizeAtMostBytes(recipe) >= CLASSIC_LIMIT_BYTES });
  },
};

export default omeTiff;
