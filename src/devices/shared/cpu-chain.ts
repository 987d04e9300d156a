import { HookFailedError, PlateFsError } from '../../core/errors.ts';
import { type NdArray, release } from '../../core/nd-array.ts';
import type { ComputeJob } from '../../devices.ts';
import type { StepResult } from '../../hooks.ts';
import { trimKernelMemory } from './kernel-memory.ts';
import { KERNELS } from './kernels.ts';

/**
 * Runs a chain in this thread. Of results that are not kept there is one at a time: it is freed as soon as the next step
 * is done, or the chain ends, however it ends.
 * @throws HookFailedError naming the step, DeviceFailedError without memory.
 */
export function runChain({ input, intensity = input, steps }: ComputeJob): StepResult[] {
  let current: NdArray | undefined = input;
  const results: StepResult[] = [];
  // A step may give back what it was given: that is not ours to free.
  const drop = (array: NdArray): void => {
    const wanted = [input, intensity, ...results.map((result) => result.array)];
    if (!wanted.some((other) => other?.data.buffer === array.data.buffer)) release(array);
  };
  try {
    for (const { operation, params, keep } of steps) {
      const kernel = KERNELS[operation];
      if (kernel === undefined) throw new HookFailedError(`the CPU device has no operation ${operation}`);
      if (current === undefined) {
        throw new HookFailedError(`${operation} has no image: the step before it only measures`);
      }
      const result = runKernel(operation, () => kernel(current as NdArray, params, intensity));
      if (current.data.buffer !== result.array?.data.buffer) drop(current);
      current = result.array;
      const { array: _dropped, ...rest } = result;
      results.push(keep ? result : rest);
    }
  } finally {
    if (current) drop(current);
    trimKernelMemory();
  }
  return results;
}

function runKernel(operation: string, kernel: () => StepResult): StepResult {
  try {
    return kernel();
  } catch (error) {
    if (error instanceof PlateFsError) throw error;
    throw new HookFailedError(`${operation} failed`, { cause: error });
  }
}
