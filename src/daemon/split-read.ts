import type { Ticket } from '../vfs/jobs.ts';

/** To a reader: a part of a READ that other readers do the rest of. */
export interface ReadPartJob extends Ticket {
  readonly kind: 'read-part';
  readonly node: number;
  readonly offsetBytes: number;
  readonly sizeBytes: number;
  /** Where the part begins in the whole READ. */
  readonly atBytes: number;
  /** Memory of the {@link SplitRead}. */
  readonly memory: SharedArrayBuffer;
}

const PARTS_LEFT = 0;
const ERRNO = 1;
const FILLED = 2;
const HEAD_BYTES = 16;

/** What came of a READ: its bytes, or an errno. */
export type SplitOutcome = Uint8Array | number;

/** A READ whose parts are read in several threads; the one that finishes last answers. */
export class SplitRead {
  /** To be handed to the threads, and to {@link SplitRead.over} there. */
  readonly memory: SharedArrayBuffer;
  readonly #head: Int32Array;
  readonly #bytes: Uint8Array;

  private constructor(memory: SharedArrayBuffer) {
    this.memory = memory;
    this.#head = new Int32Array(memory, 0, HEAD_BYTES / 4);
    this.#bytes = new Uint8Array(memory, HEAD_BYTES);
  }

  static of(sizeBytes: number, parts: number): SplitRead {
    const made = new SplitRead(new SharedArrayBuffer(HEAD_BYTES + sizeBytes));
    made.#head[PARTS_LEFT] = parts;
    return made;
  }

  static over(memory: SharedArrayBuffer): SplitRead {
    return new SplitRead(memory);
  }

  /** A part is there. Only the last part may be shorter than was asked, at the end of the file. */
  fill(atBytes: number, part: Uint8Array): void {
    this.#bytes.set(part, atBytes);
    Atomics.add(this.#head, FILLED, part.length);
  }

  /** A part can't be read: then the READ fails with its errno. */
  fail(errno: number): void {
    Atomics.store(this.#head, ERRNO, errno);
  }

  /** A part is done. @returns what is to be answered when it was the last. */
  finishPart(): SplitOutcome | undefined {
    if (Atomics.sub(this.#head, PARTS_LEFT, 1) !== 1) return undefined;
    const errno = Atomics.load(this.#head, ERRNO);
    return errno === 0 ? Uint8Array.from(this.#bytes.subarray(0, Atomics.load(this.#head, FILLED))) : errno;
  }
}
