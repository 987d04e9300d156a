import type { NdArray } from './core/nd-array.ts';
import type { ParameterValue, StepResult } from './hooks.ts';

/** One step of a job: an operation with its parameters, as a bound hook gives them. */
export interface JobStep {
  readonly operation: string;
  readonly params: Readonly<Record<string, ParameterValue>>;
  /** Keep this step's array for the result; intermediates otherwise stay on the device. */
  readonly keep: boolean;
}

/** A whole chain, so that intermediates never leave the device. Step n takes step n-1's array. */
export interface ComputeJob {
  readonly input: NdArray;
  /** The image the measuring steps take intensities from; the job's input unless set. */
  readonly intensity?: NdArray;
  readonly steps: readonly JobStep[];
}

export interface JobResult {
  /** One per step, in order; `array` only where the step said `keep`. */
  readonly steps: readonly StepResult[];
  readonly device: string;
  readonly elapsedMs: number;
}

/** Port: something that runs chains. The CPU device is the reference; others agree within a stated tolerance. */
export interface ComputeDevice extends AsyncDisposable {
  readonly id: string;
  supports(operation: string): boolean;
  /** @throws DeviceFailedError, HookFailedError, CancelledError */
  run(job: ComputeJob, signal: AbortSignal): Promise<JobResult>;
}
