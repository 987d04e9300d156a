import { crc32 } from 'node:zlib';
import { type SumsOfUnits, unitsOf } from '../core/unit-sums.ts';

/** CRC-32 of the rest, kind (u32), file (f64), first unit, number of sums (u32); then the sums, u32 each. */
export const HEAD_BYTES = 24;
/** A file has these sums from a unit on. */
export const SET = 1;
/** It has none from a unit on. */
export const CUT = 2;
/** It is begun, and empty. */
export const BEGUN = 3;
/** It is gone, or others write it without us. */
export const FORGOTTEN = 4;

/** A change whose bytes may not be there any more: its daemon died before it had written them. */
export interface DoubtfulSums {
  readonly number: number;
  readonly firstUnit: number;
  readonly before: Uint32Array;
}

/** What a book of checksums says: a note after the other, as they stand in its file. */
export class SumTable {
  readonly #files = new Map<number, { sums: Uint32Array; count: number }>();
  /** The last note, where its bytes may not be there. */
  doubtful: DoubtfulSums | undefined;
  /** Bytes of the whole notes. */
  sizeBytes = 0;
  /** Whether a note was damaged: then nothing is known any more. */
  isDamaged = false;

  /** @param bytes a book's file. */
  static of(bytes: Buffer): SumTable {
    const table = new SumTable();
    table.#replay(bytes);
    return table;
  }

  get numbers(): Iterable<number> {
    return this.#files.keys();
  }

  has(number: number): boolean {
    return this.#files.has(number);
  }

  /** The sum of a unit; undefined behind the last one that was noted. */
  at(number: number, unit: number): number | undefined {
    const file = this.#files.get(number);
    return file && unit < file.count ? (file.sums[unit] ?? 0) : undefined;
  }

  /** How many units of a file were noted. */
  countOf(number: number): number {
    return this.#files.get(number)?.count ?? 0;
  }

  /** The sums of a stretch, or undefined where a file has none. */
  of(number: number, offsetBytes: number, sizeBytes: number): SumsOfUnits | undefined {
    if (!this.#files.has(number)) return undefined;
    const { first, end } = unitsOf(offsetBytes, sizeBytes);
    return { firstUnit: first, sums: this.slice(number, first, Math.max(0, end - first)) };
  }

  #replay(bytes: Buffer): void {
    let at = 0;
    while (at + HEAD_BYTES <= bytes.length) {
      const count = bytes.readUInt32LE(at + 20);
      const end = at + HEAD_BYTES + 4 * count;
      // Its daemon died while it was written: nothing was changed for it.
      if (end > bytes.length) break;
      if (crc32(bytes.subarray(at + 4, end)) !== bytes.readUInt32LE(at)) {
        // What follows may have taken back what stands before.
        this.#files.clear();
        this.doubtful = undefined;
        this.isDamaged = true;
        return;
      }
      const number = bytes.readDoubleLE(at + 8);
      const first = bytes.readUInt32LE(at + 16);
      const sums = Uint32Array.from({ length: count }, (_, i) => bytes.readUInt32LE(at + HEAD_BYTES + 4 * i));
      const kind = bytes.readUInt32LE(at + 4);
      this.doubtful =
        kind === SET && this.#files.has(number)
          ? { number, firstUnit: first, before: this.slice(number, first, count) }
          : undefined;
      this.apply(kind, number, first, sums);
      this.sizeBytes = at = end;
    }
  }

  slice(number: number, first: number, count: number): Uint32Array {
    const slice = new Uint32Array(count);
    const file = this.#files.get(number);
    if (file) slice.set(file.sums.subarray(first, Math.min(file.count, first + count)));
    return slice;
  }

  apply(kind: number, number: number, first: number, sums: Uint32Array): void {
    if (kind === BEGUN) this.#files.set(number, { sums: new Uint32Array(1), count: 0 });
    else if (kind === FORGOTTEN) this.#files.delete(number);
    const file = this.#files.get(number);
    if (!file) return;
    if (kind === CUT && first < file.count) {
      file.sums.fill(0, first, file.count);
      file.count = first;
    } else if (kind === SET) {
      const end = first + sums.length;
      if (end > file.sums.length) {
        const grown = new Uint32Array(Math.max(end, 2 * file.sums.length));
        grown.set(file.sums.subarray(0, file.count));
        file.sums = grown;
      }
      file.sums.set(sums, first);
      file.count = Math.max(file.count, end);
    }
  }
}
