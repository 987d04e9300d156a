import type { FileLayout, ImageEncoder } from '../encoders.ts';
import type { ImageInfo } from '../model/image.ts';
import { imagejRecipe } from './shared/imagej-recipe.ts';
import { TiffLayout } from './shared/tiff-layout.ts';

/**
 * ImageJ hyperstack in classic TIFF without private tags, for programs that take a warning about an unknown tag for an
 * error: slices have no labels, channels no colours.
 */
const baselineTiff: ImageEncoder = {
  takes: 'image',
  id: 'baseline-tiff',
  extension: '.tif',

  layout(image: ImageInfo): FileLayout {
    return new TiffLayout({ ...imagejRecipe(image), isBaseline: true, periodic: [] });
  },
};

export default baselineTiff;
