import type { Hook, ParameterSpec } from '../hooks.ts';
import { requireMask } from './shared/inputs.ts';
import { checkParameters } from './shared/parameters.ts';

const PARAMETERS: readonly ParameterSpec[] = [
  {
    name: 'connectivity',
    schema: { enum: [4, 8] },
    default: 4,
    description: 'pixels that touch: 4 by their sides, 8 by their corners too',
  },
];

/**
 * `scipy.ndimage.label`: connected foreground pixels of a mask get one number, from 1 in the order of their
 * first pixels (row by row), 0 is background. int32 out; the scalar `count` records how many.
 */
const label: Hook = {
  id: 'label',
  title: 'Number connected objects',
  parameters: PARAMETERS,
  bind: (given) => ({
    operation: 'label',
    params: checkParameters('label', PARAMETERS, given),
    haloPixels: Number.POSITIVE_INFINITY,
    output: (input) => {
      requireMask('label', input);
      return { array: { shape: input.shape, dtype: 'int32', kind: 'labels' } };
    },
  }),
};

export default label;
