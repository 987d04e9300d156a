import { BadParameterError } from '../../../src/core/errors.ts';
import type { Hook, ParameterSpec } from '../../../src/hooks.ts';

function hook(id: string, parameters: readonly ParameterSpec[], check?: Hook['bind']): Hook {
  return {
    id,
    title: `The operation ${id}`,
    parameters,
    bind: (params) =>
      check?.(params) ?? { operation: id, params: {}, haloPixels: 0, output: (array) => ({ array }) },
  };
}

const sigma: ParameterSpec = {
  name: 'sigma',
  schema: { type: 'number', exclusiveMinimum: 0, maximum: 100 },
  description: 'Standard deviation in pixels.',
};

const connectivity: ParameterSpec = {
  name: 'connectivity',
  schema: { enum: [4, 8] },
  default: 4,
  description: 'Neighbours of a pixel.',
};

const radius: ParameterSpec = {
  name: 'radius',
  schema: { type: 'integer', minimum: 1 },
  default: 3,
  description: 'In pixels.',
};

/** Operations to check definitions against, whatever the registry holds. */
export const PLAIN_HOOKS: readonly Hook[] = [
  hook('gaussian', [sigma]),
  hook('otsu', []),
  hook('binary-opening', [radius], (params) => {
    if (params['radius'] === 13) throw new BadParameterError('radius', '13 is unlucky; write 12');
    return { operation: 'binary-opening', params: {}, haloPixels: 3, output: (array) => ({ array }) };
  }),
  hook('label', [connectivity]),
  hook('measure', []),
];
