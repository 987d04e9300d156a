import type { ComputeJob } from '../../devices.ts';
import type { StepResult } from '../../hooks.ts';

/** What the pool sends to a thread. */
export interface ChainRequest {
  readonly job: ComputeJob;
}

/** What a thread sends back: the steps' results, or what went wrong. */
export type ChainReply =
  | { readonly kind: 'done'; readonly steps: readonly StepResult[] }
  | {
      readonly kind: 'failed';
      /** Whether the image or its parameters are at fault, or the device. */
      readonly fault: 'hook' | 'device';
      readonly message: string;
      readonly advice?: string;
      readonly cause: unknown;
    };
