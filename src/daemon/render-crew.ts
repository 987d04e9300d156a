import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { SharedMount } from '../tree/shared-mount.ts';
import type { ReaderCounters } from './reader-counters.ts';
import type { FromRenderer, RendererData, RenderTask } from './render-worker.ts';

/** One thread leaves a core to programs that read at the same time, where there are more. */
const MAX_THREADS = 4;

/** What came of a task. */
export type Rendered = Extract<FromRenderer, { readonly type: 'present' | 'rendered' | 'failed' }>;

/** Threads that render whole files. */
export class RenderCrew implements AsyncDisposable {
  readonly #workers: Worker[] = [];
  readonly #idle: Worker[] = [];
  readonly #mount: SharedMount;
  readonly #most: number;
  readonly #counters: ReaderCounters | undefined;

  private constructor(mount: SharedMount, files: number, counters?: ReaderCounters) {
    this.#mount = mount;
    this.#counters = counters;
    this.#most = Math.max(1, Math.min(files, MAX_THREADS, availableParallelism()));
  }

  /** For so many files, as fast as may be. */
  static of(mount: SharedMount, files: number): RenderCrew {
    return new RenderCrew(mount, files);
  }

  /** One thread that works only while the readers rest. */
  static inBackground(mount: SharedMount, counters: ReaderCounters): RenderCrew {
    return new RenderCrew(mount, 1, counters);
  }

  /** How many files can be rendered at once. */
  get size(): number {
    return this.#most;
  }

  /** @param onWritten is told how much of the file is there. */
  async render(task: RenderTask, onWritten: (doneBytes: number) => void): Promise<Rendered> {
    const worker = this.#idle.pop() ?? this.#start();
    const { promise, resolve } = Promise.withResolvers<Rendered>();
    const onMessage = (message: FromRenderer): void => {
      if (message.type === 'written') onWritten(message.doneBytes);
      else resolve(message);
    };
    let isAlive = true;
    const onEnd = (): void => {
      isAlive = false;
      resolve({ type: 'failed', message: 'the thread that rendered it ended' });
    };
    worker.on('message', onMessage);
    worker.once('exit', onEnd);
    worker.postMessage(task);
    const rendered = await promise;
    worker.off('message', onMessage);
    worker.off('exit', onEnd);
    if (isAlive) this.#idle.push(worker);
    return rendered;
  }

  #start(): Worker {
    const workerData: RendererData = {
      mount: this.#mount,
      ...(this.#counters ? { counters: this.#counters.memory } : {}),
    };
    const worker = new Worker(new URL('./render-worker.ts', import.meta.url), { workerData });
    // Its end is seen by whoever waits for it.
    worker.on('error', () => {});
    this.#workers.push(worker);
    return worker;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }
}
