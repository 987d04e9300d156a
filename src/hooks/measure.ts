import type { Hook, ParameterSpec } from '../hooks.ts';
import { requireLabels } from './shared/inputs.ts';
import { checkParameters } from './shared/parameters.ts';

const PARAMETERS: readonly ParameterSpec[] = [];

/**
 * Columns of the table, as `skimage.measure.regionprops` computes them, all in pixels: `area` counts pixels;
 * a centroid is the mean pixel position, (0, 0) being the centre of the first pixel; a bounding box is
 * half-open, its maximum lies one past the last pixel; intensities are the original image's, in its own numbers.
 */
const COLUMNS = [
  'label',
  'area',
  'centroid_y',
  'centroid_x',
  'bbox_min_y',
  'bbox_min_x',
  'bbox_max_y',
  'bbox_max_x',
  'intensity_mean',
  'intensity_min',
  'intensity_max',
  'intensity_sum',
] as const;

/**
 * One row per object of a label image, by rising label; values at or below 0 are background. Intensities come
 * from the image the chain began with.
 */
const measure: Hook = {
  id: 'measure',
  title: 'Measure objects',
  parameters: PARAMETERS,
  bind: (given) => ({
    operation: 'measure',
    params: checkParameters('measure', PARAMETERS, given),
    haloPixels: Number.POSITIVE_INFINITY,
    output: (input) => {
      requireLabels('measure', input);
      return { table: COLUMNS };
    },
  }),
};

export default measure;
