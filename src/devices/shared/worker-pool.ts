import { Worker } from 'node:worker_threads';
import { CancelledError, DeviceFailedError, HookFailedError } from '../../core/errors.ts';
import type { ComputeJob } from '../../devices.ts';
import type { StepResult } from '../../hooks.ts';
import { movable, ownedBuffers } from './owned-buffers.ts';
import type { ChainReply, ChainRequest } from './worker-messages.ts';

export interface WorkerPoolOptions {
  /** Module of the threads; answers each ChainRequest with one ChainReply. */
  readonly workerUrl: URL;
  readonly threads: number;
  /** A thread without work ends after this long. */
  readonly idleMs: number;
}

interface Task {
  readonly job: ComputeJob;
  readonly resolve: (steps: readonly StepResult[]) => void;
  readonly reject: (error: Error) => void;
}

interface Thread {
  readonly worker: Worker;
  task: Task | undefined;
  idleTimer: NodeJS.Timeout | undefined;
}

/**
 * Threads that run chains. They start when there is work and end when there is none for a while; one that
 * crashes fails its own job only. An aborted job's thread is stopped at once, in the middle of a kernel.
 */
export class WorkerPool implements AsyncDisposable {
  readonly #options: WorkerPoolOptions;
  readonly #threads = new Set<Thread>();
  readonly #waiting: Task[] = [];

  constructor(options: WorkerPoolOptions) {
    this.#options = options;
  }

  /** Threads that are alive. */
  get threadCount(): number {
    return this.#threads.size;
  }

  /** @throws HookFailedError, DeviceFailedError, CancelledError */
  run(job: ComputeJob, signal: AbortSignal): Promise<readonly StepResult[]> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(new CancelledError('the job was cancelled', { cause: signal.reason }));
        return;
      }
      const onAbort = (): void =>
        this.#fail(task, new CancelledError('the job was cancelled', { cause: signal.reason }));
      const task: Task = {
        job,
        resolve: (steps) => {
          signal.removeEventListener('abort', onAbort);
          resolve(steps);
        },
        reject: (error) => {
          signal.removeEventListener('abort', onAbort);
          reject(error);
        },
      };
      signal.addEventListener('abort', onAbort, { once: true });
      this.#waiting.push(task);
      this.#dispatch();
    });
  }

  /** Ends every thread; jobs fail with CancelledError. A later `run` starts new threads. */
  async [Symbol.asyncDispose](): Promise<void> {
    const ended = new CancelledError('the device was closed');
    for (const task of this.#waiting.splice(0)) task.reject(ended);
    await Promise.all(
      [...this.#threads].map((thread) => {
        const { task } = thread;
        const stopped = this.#discard(thread);
        task?.reject(ended);
        return stopped;
      }),
    );
  }

  #dispatch(): void {
    while (this.#waiting.length > 0) {
      const thread = this.#freeThread();
      if (thread === undefined) return;
      const task = this.#waiting.shift();
      if (task !== undefined) this.#send(thread, task);
    }
  }

  #freeThread(): Thread | undefined {
    for (const thread of this.#threads) if (thread.task === undefined) return thread;
    return this.#threads.size < this.#options.threads ? this.#start() : undefined;
  }

  #start(): Thread {
    const worker = new Worker(this.#options.workerUrl, { name: 'platefs-compute' });
    const thread: Thread = { worker, task: undefined, idleTimer: undefined };
    worker.on('message', (reply: ChainReply) => this.#finish(thread, reply));
    worker.on('messageerror', (cause) => this.#crash(thread, 'gave an answer that makes no sense', cause));
    worker.on('error', (cause) => this.#crash(thread, 'crashed', cause));
    worker.on('exit', (code) => this.#crash(thread, `ended with code ${code}`));
    this.#threads.add(thread);
    return thread;
  }

  #send(thread: Thread, task: Task): void {
    clearTimeout(thread.idleTimer);
    thread.task = task;
    thread.worker.ref();
    const input = movable(task.job.input);
    const intensity = task.job.intensity === undefined ? undefined : movable(task.job.intensity);
    const request: ChainRequest = {
      job: { input, steps: task.job.steps, ...(intensity === undefined ? {} : { intensity }) },
    };
    try {
      thread.worker.postMessage(
        request,
        ownedBuffers([input.data, ...(intensity === undefined ? [] : [intensity.data])]),
      );
    } catch (cause) {
      this.#release(thread);
      task.reject(new DeviceFailedError("a job can't be handed to its thread", { cause }));
    }
  }

  #finish(thread: Thread, reply: ChainReply): void {
    const { task } = thread;
    this.#release(thread);
    if (reply.kind === 'done') task?.resolve(reply.steps);
    else {
      const options = {
        cause: reply.cause,
        ...(reply.advice === undefined ? {} : { advice: reply.advice }),
      };
      task?.reject(
        reply.fault === 'device'
          ? new DeviceFailedError(reply.message, options)
          : new HookFailedError(reply.message, options),
      );
    }
    this.#dispatch();
  }

  /** The thread waits for work, without keeping the process alive. */
  #release(thread: Thread): void {
    thread.task = undefined;
    thread.worker.unref();
    thread.idleTimer = setTimeout(() => {
      if (thread.task === undefined) void this.#discard(thread);
    }, this.#options.idleMs).unref();
  }

  #fail(task: Task, error: Error): void {
    const waitingAt = this.#waiting.indexOf(task);
    if (waitingAt >= 0) this.#waiting.splice(waitingAt, 1);
    for (const thread of this.#threads) if (thread.task === task) void this.#discard(thread);
    task.reject(error);
    this.#dispatch();
  }

  #crash(thread: Thread, what: string, cause?: unknown): void {
    if (!this.#threads.has(thread)) return;
    const { task } = thread;
    void this.#discard(thread);
    task?.reject(new DeviceFailedError(`a compute thread ${what}`, cause === undefined ? {} : { cause }));
    this.#dispatch();
  }

  async #discard(thread: Thread): Promise<void> {
    this.#threads.delete(thread);
    clearTimeout(thread.idleTimer);
    thread.task = undefined;
    await thread.worker.terminate();
  }
}
