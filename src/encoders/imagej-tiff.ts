import type { FileLayout, ImageEncoder } from '../encoders.ts';
import type { ImageInfo } from '../model/image.ts';
import { imagejRecipe } from './shared/imagej-recipe.ts';
import { TiffLayout } from './shared/tiff-layout.ts';

/**
 * ImageJ hyperstack of any size: classic TIFF with the directory of the first plane alone, behind whose pixels all
 * others lie, as ImageJ itself writes stacks over 4 GiB. ImageJ 1.x and tifffile open it whole; others see one plane.
 */
const imagejTiff: ImageEncoder = {
  takes: 'image',
  id: 'imagej-tiff',
  extension: '.ij.tif',

  layout(image: ImageInfo): FileLayout {
    return new TiffLayout({ ...imagejRecipe(image), hasOneDirectory: true });
  },
};

export default imagejTiff;
