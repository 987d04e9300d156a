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
  /**
   * 2-D, `[y, x]`. It belongs to the device from the call on: its buffer is moved to the thread that computes
   * and the caller's view is empty afterwards. A view of a part of a buffer is copied, a shared buffer stays.
   */
  readonly input: NdArray;
  /**
   * The image the measuring steps take intensities from, of the same shape; the job's input unless set.
   * Moved like `input`.
   */
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
  /** Stable lower-case id, equal to the file's name: `cpu`. */
  readonly id: string;
  /** How many jobs it works on at once; more than that wait in it. */
  readonly concurrency: number;
  supports(operation: string): boolean;
  /**
   * Disposing ends its threads and fails what runs with CancelledError; a later `run` starts new ones.
   * @throws HookFailedError when an operation can't be done on this input, DeviceFailedError when the device
   * itself failed (a retry may succeed), CancelledError when `signal` fired.
   */
  run(job: ComputeJob, signal: AbortSignal): Promise<JobResult>;
}
