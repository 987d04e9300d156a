/** To a reader: decode what will probably be asked for, while there is nothing else to do. */
export interface AheadJob {
  readonly kind: 'ahead';
  readonly node: number;
  readonly parts: readonly { readonly offsetBytes: number; readonly sizeBytes: number }[];
}

/** To a reader: what was foreseen of a file is of no use. */
export interface ForgetAheadJob {
  readonly kind: 'forget-ahead';
  readonly node: number;
}

interface Task {
  readonly node: number;
  readonly steps: Iterator<unknown>;
}

/**
 * What a reader decodes ahead: step by step, each after everything that was asked for. What can't be read is left for
 * whoever asks for it, who then gets the error.
 */
export class DecodingAhead {
  readonly #decode: (node: number, offsetBytes: number, sizeBytes: number) => Iterable<unknown>;
  readonly #onDone: () => void;
  #tasks: Task[] = [];
  #isScheduled = false;

  /**
   * @param decode decodes a part of a file into the cache, a block per step.
   * @param onDone is called once per job that is done, or given up.
   */
  constructor(
    decode: (node: number, offsetBytes: number, sizeBytes: number) => Iterable<unknown>,
    onDone: () => void,
  ) {
    this.#decode = decode;
    this.#onDone = onDone;
  }

  add({ node, parts }: AheadJob): void {
    const decode = this.#decode;
    function* steps(): Generator<unknown> {
      for (const { offsetBytes, sizeBytes } of parts) yield* decode(node, offsetBytes, sizeBytes);
    }
    this.#tasks.push({ node, steps: steps() });
    this.#schedule();
  }

  forget(node: number): void {
    const gone = this.#tasks.filter((task) => task.node === node);
    this.#tasks = this.#tasks.filter((task) => task.node !== node);
    for (const _ of gone) this.#onDone();
  }

  clear(): void {
    for (const _ of this.#tasks) this.#onDone();
    this.#tasks = [];
  }

  #schedule(): void {
    if (this.#isScheduled || this.#tasks.length === 0) return;
    this.#isScheduled = true;
    // After the requests that have come meanwhile.
    setImmediate(() => {
      this.#isScheduled = false;
      this.#step();
      this.#schedule();
    });
  }

  #step(): void {
    const [task] = this.#tasks;
    if (!task) return;
    let isDone: boolean;
    try {
      isDone = task.steps.next().done === true;
    } catch {
      isDone = true;
    }
    if (!isDone) return;
    this.#tasks = this.#tasks.filter((other) => other !== task);
    this.#onDone();
  }
}
