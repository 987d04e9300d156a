import type { Ticket } from '../vfs/jobs.ts';

/** To a reader: a part of a READ that other readers do the rest of. */
export interface ReadPartJob extends Ticket {
  readonly kind: 'read-part';
  readonly node: number;
  /** When the handle was opened that is read through. */
  readonly openedAtMs: number;
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
const IN_USE = 3;
const HEAD_BYTES = 16;

/** What came of a READ: its bytes in pieces, or an errno. */
export type SplitOutcome = readonly Uint8Array[] | number;

/**
 * A READ whose parts are read in several threads; the one that finishes last answers, with its own part from where it
 * lies.
 */
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
    made.#begin(parts);
    return made;
  }

  static over(memory: SharedArrayBuffer): SplitRead {
    return new SplitRead(memory);
  }

  #begin(parts: number): void {
    this.#head.set([parts, 0, 0, 1]);
  }

  /** Uses the memory of a READ that was answered for another one. @returns false where it has not been, or is too small. */
  reuse(sizeBytes: number, parts: number): boolean {
    if (this.#bytes.length < sizeBytes || Atomics.load(this.#head, IN_USE) !== 0) return false;
    this.#begin(parts);
    return true;
  }

  /** The READ was answered: nobody looks at its memory any more. */
  release(): void {
    Atomics.store(this.#head, IN_USE, 0);
  }

  /** A part can't be read: then the READ fails with its errno. @returns as {@link finish}. */
  fail(errno: number): SplitOutcome | undefined {
    Atomics.store(this.#head, ERRNO, errno);
    return this.#isLast() ? errno : undefined;
  }

  /**
   * A part is there. Only the last part of the READ may be shorter than was asked, at the end of the file.
   * @returns what is to be answered when it was the last that was due, good until {@link release}.
   */
  finish(atBytes: number, part: Uint8Array): SplitOutcome | undefined {
    const isAlone = Atomics.load(this.#head, PARTS_LEFT) === 1;
    if (!isAlone) this.#bytes.set(part, atBytes);
    const filledBytes = Atomics.add(this.#head, FILLED, part.length) + part.length;
    if (!this.#isLast()) return undefined;
    const errno = Atomics.load(this.#head, ERRNO);
    if (errno !== 0) return errno;
    if (!isAlone) return [this.#bytes.subarray(0, filledBytes)];
    const end = atBytes + part.length;
    const pieces = [this.#bytes.subarray(0, atBytes), part, this.#bytes.subarray(end, filledBytes)];
    return pieces.filter(({ length }) => length > 0);
  }

  #isLast(): boolean {
    return Atomics.sub(this.#head, PARTS_LEFT, 1) === 1;
  }
}

/** So many READs in parts are on their way at most times. */
const MAX_KEPT = 8;

/** Memory of READs in parts, used again once they are answered. */
export class SplitReads {
  readonly #kept: SplitRead[] = [];

  /** For a READ of so many bytes. */
  begin(sizeBytes: number, parts: number): SplitRead {
    const kept = this.#kept.find((split) => split.reuse(sizeBytes, parts));
    if (kept) return kept;
    const made = SplitRead.of(sizeBytes, parts);
    this.#kept.unshift(made);
    this.#kept.length = Math.min(this.#kept.length, MAX_KEPT);
    return made;
  }
}
