import type { MessagePort } from 'node:worker_threads';
import type { SharedTree } from '../tree/shared-tree.ts';
import type { ReaderJob } from '../vfs/jobs.ts';

/** To a reader thread: the plate was found changed. */
export interface TreeAdoption {
  readonly kind: 'adopt';
  readonly shared: SharedTree;
}

/** The front's side of the reader threads: gives each job to the one with the least to do. */
export class ReaderPool {
  readonly #ports: readonly MessagePort[];
  readonly #finished: Int32Array;
  readonly #submitted: number[];
  readonly #onFirstJob: () => void;
  #started = false;

  constructor(ports: readonly MessagePort[], finished: Int32Array, onFirstJob: () => void) {
    this.#ports = ports;
    this.#finished = finished;
    this.#submitted = ports.map(() => 0);
    this.#onFirstJob = onFirstJob;
  }

  /** Shows readers another tree: for every job submitted from now on. */
  adopt(shared: SharedTree): void {
    const adoption: TreeAdoption = { kind: 'adopt', shared };
    for (const port of this.#ports) port.postMessage(adoption);
  }

  submit(job: ReaderJob): void {
    if (!this.#started) {
      this.#started = true;
      this.#onFirstJob();
    }
    let best = 0;
    let least = Number.POSITIVE_INFINITY;
    for (let i = 0; i < this.#ports.length; i++) {
      const left = ((this.#submitted[i] ?? 0) - Atomics.load(this.#finished, i)) | 0;
      if (left < least) {
        least = left;
        best = i;
      }
    }
    this.#submitted[best] = ((this.#submitted[best] ?? 0) + 1) | 0;
    this.#ports[best]?.postMessage(job);
  }
}
