import type { Hook, ParameterSpec } from '../hooks.ts';
import { requireImage } from './shared/inputs.ts';
import { checkParameters } from './shared/parameters.ts';

const PARAMETERS: readonly ParameterSpec[] = [];

/**
 * `image > skimage.filters.threshold_otsu(image)` of scikit-image 0.19 as a uint8 mask of 0 and 1; the scalar
 * `threshold` records the value. Integer images have one bin per value; float images 256 bins from minimum to
 * maximum, and the threshold is a bin's centre (where values are too close together for that many float bins,
 * scikit-image answers the minimum and this splits them). An image of one value gives that value and an empty mask.
 * NaN and infinity are refused.
 */
const otsu: Hook = {
  id: 'otsu',
  title: "Threshold chosen by Otsu's method",
  parameters: PARAMETERS,
  bind: (given) => ({
    operation: 'otsu',
    params: checkParameters('otsu', PARAMETERS, given),
    haloPixels: Number.POSITIVE_INFINITY,
    output: (input) => {
      requireImage('otsu', input);
      return { array: { shape: input.shape, dtype: 'uint8', kind: 'mask' } };
    },
  }),
};

export default otsu;
