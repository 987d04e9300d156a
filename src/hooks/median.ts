import type { Hook } from '../hooks.ts';
import { footprintParameters } from './shared/footprint.ts';
import { requireImage } from './shared/inputs.ts';
import { checkParameters, numberOf } from './shared/parameters.ts';

const PARAMETERS = footprintParameters(50);

/**
 * `scipy.ndimage.median_filter(image, footprint=disk | box)`: borders reflect between pixels, the output has
 * the input's type, values are exact. NaN has no rank and is refused. A mask stays a mask.
 */
const median: Hook = {
  id: 'median',
  title: 'Median filter',
  parameters: PARAMETERS,
  bind: (given) => {
    const params = checkParameters('median', PARAMETERS, given);
    return {
      operation: 'median',
      params,
      haloPixels: numberOf(params, 'radius'),
      output: (input) => {
        requireImage('median', input, ['mask']);
        return { array: { ...input, kind: input.kind ?? 'image' } };
      },
    };
  },
};

export default median;
