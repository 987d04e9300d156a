import type { Hook, ParameterSpec } from '../hooks.ts';
import { requireImage } from './shared/inputs.ts';
import { checkParameters, numberOf } from './shared/parameters.ts';

const PARAMETERS: readonly ParameterSpec[] = [
  {
    name: 'sigma',
    schema: { type: 'number', exclusiveMinimum: 0, maximum: 250 },
    description: 'standard deviation of the blur in pixels, the same along y and x',
  },
];

/**
 * `scipy.ndimage.gaussian_filter(image, sigma, output=float32)`: borders reflect between pixels (`d c b a | a b
 * c d | d c b a`), the kernel ends at 4 sigma (radius `int(4 sigma + 0.5)`), float32 out. Pixels are converted
 * to float32 first. A NaN spreads over its neighbourhood. Devices agree with scipy to 1e-5 of the value.
 */
const gaussian: Hook = {
  id: 'gaussian',
  title: 'Gaussian blur',
  parameters: PARAMETERS,
  bind: (given) => {
    const params = checkParameters('gaussian', PARAMETERS, given);
    return {
      operation: 'gaussian',
      params,
      haloPixels: Math.trunc(4 * numberOf(params, 'sigma') + 0.5),
      output: (input) => {
        requireImage('gaussian', input, ['mask']);
        return { array: { shape: input.shape, dtype: 'float32', kind: 'image' } };
      },
    };
  },
};

export default gaussian;
