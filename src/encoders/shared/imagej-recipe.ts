import { FsRefusal } from '../../core/errors.ts';
import type { ImageInfo } from '../../model/image.ts';
import { type Widening, withFileDtype } from './file-dtype.ts';
import { imagejMetadata, imagejText } from './imagej-text.ts';
import type { TiffRecipe } from './tiff-directory.ts';
import { checkPlaneCount, pixelsPerUnit } from './tiff-layout.ts';

/** ImageJ takes 8-bit integers for unsigned whatever the file says, and has no half precision. */
const WIDENED: Widening = { int8: 'int16', float16: 'float32' };

/**
 * A TIFF that ImageJ opens as a hyperstack.
 * @throws FsRefusal `not-supported` for pixels that ImageJ would show wrongly.
 */
export function imagejRecipe(stored: ImageInfo): TiffRecipe {
  checkPlaneCount(stored);
  const typed = withFileDtype(stored, WIDENED);
  const { image } = typed;
  if (image.dtype === 'float64')
    throw new FsRefusal('not-supported', `${image.name}: ImageJ and vips don't open float64 pixels`, {
      advice: 'read it as .ome.tif instead, or mount with -o float64=float32',
    });
  const { pixelSizeUm } = image;
  return {
    ...typed,
    big: false,
    description: imagejText(image),
    ...(pixelSizeUm === undefined
      ? {}
      : { resolution: { x: pixelsPerUnit(pixelSizeUm.x, 1), y: pixelsPerUnit(pixelSizeUm.y, 1), unit: 1 } }),
    periodic: imagejMetadata(image),
  };
}
