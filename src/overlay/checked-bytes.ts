import { DamagedBytesError } from '../core/errors.ts';
import { damagedUnit, UNIT_BYTES, unitSum } from '../core/unit-sums.ts';
import type { ReadBytes, SumBook } from './sum-book.ts';

/** Bytes of written files against their checksums: when they are read, and when a daemon finds them. */
export class CheckedBytes {
  readonly #sums: SumBook;
  readonly #nameOf: (number: number) => string;

  /** @param nameOf - What a file is called, for messages. */
  constructor(sums: SumBook, nameOf: (number: number) => string) {
    this.#sums = sums;
    this.#nameOf = nameOf;
  }

  /** @throws DamagedBytesError when bytes that were read are not what was written. */
  check(
    number: number,
    bytes: Uint8Array,
    offsetBytes: number,
    fileSizeBytes: number,
    read: ReadBytes,
  ): void {
    const sums = this.#sums.of(number, offsetBytes, bytes.length);
    const unit = sums && damagedUnit(sums, bytes, offsetBytes, fileSizeBytes, read);
    if (unit === undefined) return;
    throw new DamagedBytesError(this.#nameOf(number), unit * UNIT_BYTES, (unit + 1) * UNIT_BYTES);
  }

  /** Takes a file that came from elsewhere for what it is. */
  sumUp(number: number, fileSizeBytes: number, read: ReadBytes): void {
    this.#sums.begin(number);
    this.#sums.believe(number, 0, fileSizeBytes, fileSizeBytes, read);
  }

  /**
   * A daemon may have died between noting the last sums and writing their bytes, or amid these: then the write was
   * never answered, and what is there counts.
   */
  settle(number: number, fileSizeBytes: number, read: ReadBytes): void {
    const { doubtful } = this.#sums;
    if (doubtful?.number !== number) return;
    const unitBytes = Buffer.alloc(UNIT_BYTES);
    for (const [i, before] of doubtful.before.entries()) {
      const start = (doubtful.firstUnit + i) * UNIT_BYTES;
      const there = unitBytes.subarray(0, Math.max(0, Math.min(UNIT_BYTES, fileSizeBytes - start)));
      const now = this.#sums.of(number, start, UNIT_BYTES)?.sums[0];
      if (there.length === 0 || now === undefined) return;
      read(start, there);
      if (unitSum(there) === now) continue;
      if (unitSum(there) === before) this.#sums.set(number, start, before);
      else this.#sums.believe(number, start, UNIT_BYTES, fileSizeBytes, read);
    }
  }
}
