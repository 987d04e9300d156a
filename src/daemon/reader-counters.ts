/** What the readers of a mount have done since it started, and hold now. */
export interface ReaderFigures {
  /** Bytes kept decoded. */
  readonly heldBytes: number;
  /** Bytes of pixels that came out of codecs, and of files that had to be turned into others. */
  readonly decodedBytes: number;
  /** Bytes of rendered files that were asked for. */
  readonly servedBytes: number;
}

const HELD = 0;
const DECODED = 1;
const SERVED = 2;
const SLOTS = 3;
/** Rendered files are told apart by so many flags; two may share one. */
const POURED_FLAGS = 4096;

/** Counters that every reader writes and all threads see. */
export class ReaderCounters {
  readonly count: number;
  /** To be handed to another thread, and to {@link ReaderCounters.over} there. */
  readonly memory: SharedArrayBuffer;
  readonly #bytes: BigInt64Array;
  readonly #finished: Int32Array;
  readonly #poured: Uint8Array;

  private constructor(count: number, memory: SharedArrayBuffer) {
    this.count = count;
    this.memory = memory;
    this.#bytes = new BigInt64Array(memory, 0, SLOTS * count);
    this.#finished = new Int32Array(memory, this.#bytes.byteLength, count);
    this.#poured = new Uint8Array(memory, this.#bytes.byteLength + this.#finished.byteLength, POURED_FLAGS);
  }

  /** For so many readers, all zero. */
  static of(count: number): ReaderCounters {
    return new ReaderCounters(count, new SharedArrayBuffer(count * (8 * SLOTS + 4) + POURED_FLAGS));
  }

  /** The counters that another thread handed over. */
  static over(memory: SharedArrayBuffer): ReaderCounters {
    return new ReaderCounters((memory.byteLength - POURED_FLAGS) / (8 * SLOTS + 4), memory);
  }

  /** Jobs a reader has finished; wraps around. */
  finishedJobs(reader: number): number {
    return Atomics.load(this.#finished, reader);
  }

  finishJob(reader: number): void {
    Atomics.add(this.#finished, reader, 1);
  }

  hold(reader: number, bytes: number): void {
    Atomics.store(this.#bytes, reader * SLOTS + HELD, BigInt(bytes));
  }

  /** What a reader keeps decoded. */
  heldBytes(reader: number): number {
    return Number(Atomics.load(this.#bytes, reader * SLOTS + HELD));
  }

  /** What a reader has decoded so far, all in all. */
  decoded(reader: number, bytes: number): void {
    Atomics.store(this.#bytes, reader * SLOTS + DECODED, BigInt(bytes));
  }

  served(reader: number, bytes: number): void {
    Atomics.add(this.#bytes, reader * SLOTS + SERVED, BigInt(bytes));
  }

  /** Whether reads of a rendered file went from its sources to the client as they lie, or any reader does any as well. */
  isPoured(node: number): boolean {
    return Atomics.load(this.#poured, node % POURED_FLAGS) === 1;
  }

  setPoured(node: number, isPoured: boolean): void {
    Atomics.store(this.#poured, node % POURED_FLAGS, isPoured ? 1 : 0);
  }

  /** Of all readers. */
  figures(): ReaderFigures {
    const sum = (slot: number): number => {
      let total = 0n;
      for (let reader = 0; reader < this.count; reader++)
        total += Atomics.load(this.#bytes, reader * SLOTS + slot);
      return Number(total);
    };
    return { heldBytes: sum(HELD), decodedBytes: sum(DECODED), servedBytes: sum(SERVED) };
  }
}
