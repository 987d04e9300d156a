import { FsRefusal } from '../core/errors.ts';
import type { FileLayout, ImageEncoder } from '../encoders.ts';
import type { ImageInfo } from '../model/image.ts';
import { imagejText, sliceLabels } from './shared/imagej-text.ts';
import { pixelsPerUnit, TiffLayout } from './shared/tiff-layout.ts';

/**
 * ImageJ hyperstack in classic TIFF, below 4 GiB. ImageJ takes 8-bit integers for unsigned whatever the file
 * says, so `int8` is refused; 32-bit integers open as float there.
 */
const tiff: ImageEncoder = {
  takes: 'image',
  id: 'tiff',
  extension: '.tif',

  layout(image: ImageInfo): FileLayout {
    if (image.dtype === 'int8') {
      throw new FsRefusal('not-supported', `${image.name}: ImageJ shows int8 pixels wrongly`, {
        advice: 'read it as .ome.tif instead',
      });
    }
    const { pixelSizeUm } = image;
    return new TiffLayout({
      image,
      big: false,
      description: imagejText(image),
      ...(pixelSizeUm === undefined
        ? {}
        : {
            resolution: { x: pixelsPerUnit(pixelSizeUm.x, 1), y: pixelsPerUnit(pixelSizeUm.y, 1), unit: 1 },
          }),
      periodic: sliceLabels(image),
    });
  },
};

export default tiff;
