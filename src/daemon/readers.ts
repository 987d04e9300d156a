import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import type { SharedTree } from '../tree/shared-tree.ts';
import type { FromReader, ReaderData } from './reader-worker.ts';

export interface ReadersParts {
  readonly count: number;
  readonly fuseFd: number;
  readonly shared: SharedTree;
  readonly outputFolder: string;
  readonly cacheBytes: number;
  readonly onMessage: (message: FromReader) => void;
  readonly onDeath: (error: Error) => void;
}

/** The reader threads: their ports exist from the start, the threads from the first job on. */
export class Readers {
  readonly #parts: ReadersParts;
  readonly #channels: MessageChannel[];
  readonly #workers: Worker[] = [];
  readonly finished: Int32Array;
  #ending = false;

  constructor(parts: ReadersParts) {
    this.#parts = parts;
    this.#channels = Array.from({ length: parts.count }, () => new MessageChannel());
    this.finished = new Int32Array(new SharedArrayBuffer(4 * parts.count));
  }

  /** The ends that the front posts jobs to. */
  frontPorts(): MessagePort[] {
    return this.#channels.map((channel) => channel.port1);
  }

  /** Starts the threads; jobs posted before are waiting in their ports. */
  start(): void {
    if (this.#workers.length > 0) return;
    const { fuseFd, shared, outputFolder, cacheBytes, onMessage, onDeath } = this.#parts;
    for (const [number, { port2 }] of this.#channels.entries()) {
      const workerData: ReaderData = {
        fuseFd,
        number,
        shared,
        outputFolder,
        cacheBytes: cacheBytes / this.#channels.length,
        jobs: port2,
        finished: this.finished,
      };
      const worker = new Worker(new URL('./reader-worker.ts', import.meta.url), {
        workerData,
        transferList: [port2],
      });
      worker.on('message', onMessage);
      worker.on('error', onDeath);
      worker.on('exit', () => {
        if (!this.#ending) onDeath(new Error('a reader thread ended'));
      });
      this.#workers.push(worker);
    }
  }

  async close(): Promise<void> {
    this.#ending = true;
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }
}
