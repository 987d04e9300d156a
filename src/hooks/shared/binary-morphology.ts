import type { Hook } from '../../hooks.ts';
import { footprintParameters } from './footprint.ts';
import { requireMask } from './inputs.ts';
import { checkParameters, numberOf } from './parameters.ts';

const PARAMETERS = footprintParameters(100);

export type MorphologyOperation = 'binary-erosion' | 'binary-dilation' | 'binary-opening' | 'binary-closing';

/** Opening and closing look twice: once for each of their two passes. */
const PASSES: Record<MorphologyOperation, number> = {
  'binary-erosion': 1,
  'binary-dilation': 1,
  'binary-opening': 2,
  'binary-closing': 2,
};

/**
 * Binary morphology as `skimage.morphology.binary_*` does it: mask in (not 0 is foreground), uint8 mask of 0
 * and 1 out. Outside the image counts as foreground while eroding and as background while dilating, so an
 * object that touches the border is not worn away from there.
 */
export function morphologyHook(id: MorphologyOperation, title: string): Hook {
  return {
    id,
    title,
    parameters: PARAMETERS,
    bind: (given) => {
      const params = checkParameters(id, PARAMETERS, given);
      return {
        operation: id,
        params,
        haloPixels: PASSES[id] * numberOf(params, 'radius'),
        output: (input) => {
          requireMask(id, input);
          return { array: { shape: input.shape, dtype: 'uint8', kind: 'mask' } };
        },
      };
    },
  };
}
