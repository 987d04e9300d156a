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

/** Decodes a part of a file into the cache, a block per step, but for what lies before `passedBytes` by then. */
export type DecodeAhead = (
  node: number,
  offsetBytes: number,
  sizeBytes: number,
  passedBytes: () => number,
) => Iterable<unknown>;

interface Task {
  readonly node: number;
  /** A program has read to here meanwhile. */
  passedBytes: number;
  readonly steps: Iterator<unknown>;
}

/**
 * What a reader decodes ahead: step by step, each after everything that was asked for. What can't be read is left for
 * whoever asks for it, who then gets the error.
 */
export class DecodingAhead {
  readonly #decode: DecodeAhead;
  readonly #onDone: () => void;
  #tasks: Task[] = [];
  #isScheduled = false;

  /** @param onDone is called once per job that is done, or given up. */
  constructor(decode: DecodeAhead, onDone: () => void) {
    this.#decode = decode;
    this.#onDone = onDone;
  }

  add({ node, parts }: AheadJob): void {
    const decode = this.#decode;
    function* steps(): Generator<unknown> {
      for (const { offsetBytes, sizeBytes } of parts)
        yield* decode(node, offsetBytes, sizeBytes, () => task.passedBytes);
    }
    const task: Task = { node, passedBytes: 0, steps: steps() };
    this.#tasks.push(task);
    this.#schedule();
  }

  /** A program has read a file up to here: what lies before it is not to be decoded again. */
  passed(node: number, endBytes: number): void {
    for (const task of this.#tasks)
      if (task.node === node) task.passedBytes = Math.max(task.passedBytes, endBytes);
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
