import type { Hook, ParameterSpec } from '../hooks.ts';
import { requireImage } from './shared/inputs.ts';
import { checkParameters } from './shared/parameters.ts';

const PARAMETERS: readonly ParameterSpec[] = [
  {
    name: 'value',
    schema: { type: 'number' },
    description: 'pixels above this value become foreground, in the image’s own numbers',
  },
];

/** `image > value` as a uint8 mask of 0 and 1; NaN is background. */
const threshold: Hook = {
  id: 'threshold',
  title: 'Fixed threshold',
  parameters: PARAMETERS,
  bind: (given) => ({
    operation: 'threshold',
    params: checkParameters('threshold', PARAMETERS, given),
    haloPixels: 0,
    output: (input) => {
      requireImage('threshold', input, ['mask', 'labels']);
      return { array: { shape: input.shape, dtype: 'uint8', kind: 'mask' } };
    },
  }),
};

export default threshold;
