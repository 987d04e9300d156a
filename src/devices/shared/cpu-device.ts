import { availableParallelism } from 'node:os';
import { performance } from 'node:perf_hooks';
import type { ComputeDevice, ComputeJob, JobResult } from '../../devices.ts';
import { KERNELS } from './kernels.ts';
import { WorkerPool, type WorkerPoolOptions } from './worker-pool.ts';

/** A daemon without hooks to run keeps no threads for longer than this. */
const IDLE_MS = 10_000;

/** A CPU device; `overrides` are for tests. */
export function createCpuDevice(
  overrides: Partial<WorkerPoolOptions> = {},
): ComputeDevice & { readonly threadCount: number } {
  const threads = overrides.threads ?? Math.max(1, availableParallelism());
  const pool = new WorkerPool({
    workerUrl: overrides.workerUrl ?? new URL('./cpu-worker.ts', import.meta.url),
    threads,
    idleMs: overrides.idleMs ?? IDLE_MS,
  });
  return {
    id: 'cpu',
    concurrency: threads,
    get threadCount() {
      return pool.threadCount;
    },
    supports: (operation) => Object.hasOwn(KERNELS, operation),
    run: async (job: ComputeJob, signal: AbortSignal): Promise<JobResult> => {
      const startedMs = performance.now();
      const steps = await pool.run(job, signal);
      return { steps, device: 'cpu', elapsedMs: performance.now() - startedMs };
    },
    [Symbol.asyncDispose]: () => pool[Symbol.asyncDispose](),
  };
}
