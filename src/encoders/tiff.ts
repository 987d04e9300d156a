import type { FileLayout, ImageEncoder } from '../encoders.ts';
import type { ImageInfo } from '../model/image.ts';
import { imagejRecipe } from './shared/imagej-recipe.ts';
import { TiffLayout } from './shared/tiff-layout.ts';

/** ImageJ hyperstack in classic TIFF, below 4 GiB. 32-bit integers open as float in ImageJ. */
const tiff: ImageEncoder = {
  takes: 'image',
  id: 'tiff',
  extension: '.tif',

  layout(image: ImageInfo): FileLayout {
    return new TiffLayout(imagejRecipe(image));
  },
};

export default tiff;
