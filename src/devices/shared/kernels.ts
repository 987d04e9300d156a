import { HookFailedError } from '../../core/errors.ts';
import type { NdArray } from '../../core/nd-array.ts';
import type { ParameterValue, StepResult } from '../../hooks.ts';
import { binaryMorphology } from './binary-morphology.ts';
import { labelComponents } from './connected-components.ts';
import type { FootprintShape } from './footprint.ts';
import { gaussianBlur } from './gaussian-blur.ts';
import { medianFilter } from './median-filter.ts';
import { maskAbove, otsuThreshold } from './otsu-threshold.ts';
import { measureRegions } from './region-measurements.ts';

type Params = Readonly<Record<string, ParameterValue>>;

/** One operation on one plane. `intensity` is the image that measuring steps look at. */
export type Kernel = (input: NdArray, params: Params, intensity: NdArray) => StepResult;

function number(params: Params, name: string): number {
  const value = params[name];
  if (typeof value !== 'number') throw new HookFailedError(`a step came without its number ${name}`);
  return value;
}

function shape(params: Params): FootprintShape {
  const value = params['shape'];
  if (value !== 'disk' && value !== 'box') throw new HookFailedError('a step came without disk or box');
  return value;
}

const morphology =
  (operation: string): Kernel =>
  (input, params) => ({ array: binaryMorphology(input, operation, shape(params), number(params, 'radius')) });

/** What the CPU device can do; the hooks of the same names document what each operation means. */
export const KERNELS: Readonly<Record<string, Kernel>> = {
  gaussian: (input, params) => ({ array: gaussianBlur(input, number(params, 'sigma')) }),
  median: (input, params) => ({ array: medianFilter(input, shape(params), number(params, 'radius')) }),
  otsu: (input) => {
    const threshold = otsuThreshold(input);
    return { array: maskAbove(input, threshold), scalars: { threshold } };
  },
  threshold: (input, params) => ({ array: maskAbove(input, number(params, 'value')) }),
  'binary-erosion': morphology('binary-erosion'),
  'binary-dilation': morphology('binary-dilation'),
  'binary-opening': morphology('binary-opening'),
  'binary-closing': morphology('binary-closing'),
  label: (input, params) => {
    const { labels, count } = labelComponents(input, number(params, 'connectivity') === 8 ? 8 : 4);
    return { array: labels, scalars: { count } };
  },
  measure: (input, _params, intensity) => ({ table: measureRegions(input, intensity) }),
};
