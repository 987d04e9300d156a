import { HookFailedError, PlateFsError } from '../../core/errors.ts';
import { type NdArray, release } from '../../core/nd-array.ts';
import type { ComputeJob } from '../../devices.ts';
import type { StepResult } from '../../hooks.ts';
import { trimKernelMemory } from './kernel-memory.ts';
import { KERNELS } from './kernels.ts';

/** Runs a chain in this thread. @throws HookFailedError naming the step, DeviceFailedError without memory. */
export function runChain({ input, intensity = input, steps }: ComputeJob): StepResult[] {
  let current: NdArray | undefined = input;
  let intermediate = false;
  const results: StepResult[] = [];
  try {
    for (const { operation, params, keep } of steps) {
      const kernel = KERNELS[operation];
      if (kernel === undefined) throw new HookFailedError(`the CPU device has no operation ${operation}`);
      if (current === undefined) {
        throw new HookFailedError(`${operation} has no image: the step before it only measures`);
      }
      const result = runKernel(operation, () => kernel(current as NdArray, params, intensity));
      if (intermediate) release(current);
      current = result.array;
      intermediate = !keep;
      const { array: _dropped, ...rest } = result;
      results.push(keep ? result : rest);
    }
  } finally {
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
