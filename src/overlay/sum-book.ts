import { existsSync, readFileSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { writeFully } from '../core/io.ts';
import { storage } from '../core/storage.ts';
import { changedSum, type SumsOfUnits, UNIT_BYTES, unitSum, unitsOf } from '../core/unit-sums.ts';
import { BEGUN, CUT, type DoubtfulSums, FORGOTTEN, HEAD_BYTES, SET, SumTable } from './sum-table.ts';

/** Out of date by so much, it is written anew. */
const SPARE_BYTES = 4 * 2 ** 20;
const MAX_UNITS = 0xffff_ffff;
const RESERVE_BYTES = 256 * 1024;

/** Fills `target` from a file's bytes as they are; what lies past its end is zeros. */
export type ReadBytes = (offsetBytes: number, target: Uint8Array) => void;

/**
 * The checksums of written files, in memory and, for the next daemon, in a tmpfs file. They are noted before the bytes
 * are written; so when a daemon dies between the two, only the last note can be ahead of its bytes.
 */
export class SumBook {
  readonly #path: string;
  readonly #table: SumTable;
  #fd: number;
  #sizeBytes = 0;
  #liveBytes = 0;
  #reservedBytes = 0;
  readonly #reserve: (fd: number, sizeBytes: number) => void;
  #record = Buffer.allocUnsafe(HEAD_BYTES + 4 * 64);
  readonly #old = Buffer.allocUnsafeSlow(UNIT_BYTES);
  /** The last note, when the book was opened. */
  readonly doubtful: DoubtfulSums | undefined;
  /** Whether the notes of other daemons were damaged, and forgotten: nothing they wrote can be checked. */
  readonly wasDamaged: boolean;

  /** @param reserve takes room for a file ahead of need, so that notes can be made when memory is full. */
  constructor(path: string, reserve: (fd: number, sizeBytes: number) => void) {
    this.#path = path;
    this.#reserve = reserve;
    this.#table = SumTable.of(existsSync(path) ? readFileSync(path) : Buffer.alloc(0));
    this.wasDamaged = this.#table.isDamaged;
    this.doubtful = this.#table.doubtful;
    this.#fd = storage.open(path, 'a', 0o600);
    this.#sizeBytes = this.#table.sizeBytes;
    storage.truncate(this.#fd, this.#sizeBytes);
    if (this.wasDamaged) this.rewrite();
  }

  #note(kind: number, number: number, first: number, sums: Uint32Array): void {
    const sizeBytes = HEAD_BYTES + 4 * sums.length;
    if (sizeBytes > this.#record.length) this.#record = Buffer.allocUnsafe(2 * sizeBytes);
    const record = this.#record.subarray(0, sizeBytes);
    record.writeUInt32LE(kind, 4);
    record.writeDoubleLE(number, 8);
    record.writeUInt32LE(first, 16);
    record.writeUInt32LE(sums.length, 20);
    for (let i = 0; i < sums.length; i++) record.writeUInt32LE(sums[i] ?? 0, HEAD_BYTES + 4 * i);
    record.writeUInt32LE(crc32(record.subarray(4)), 0);
    if (this.#sizeBytes + sizeBytes > this.#reservedBytes) {
      this.#reservedBytes = this.#sizeBytes + sizeBytes + RESERVE_BYTES;
      this.#reserve(this.#fd, this.#reservedBytes);
    }
    try {
      writeFully(this.#fd, record, null);
    } catch (error) {
      storage.truncate(this.#fd, this.#sizeBytes);
      throw error;
    }
    this.#sizeBytes += sizeBytes;
    this.#table.apply(kind, number, first, sums);
    if (this.#sizeBytes > 2 * this.#liveBytes + SPARE_BYTES) this.rewrite();
  }

  /** Whether a file has sums: one that others wrote, or write, has none. */
  has(number: number): boolean {
    return this.#table.has(number);
  }

  /** A file is begun, empty. */
  begin(number: number): void {
    this.#note(BEGUN, number, 0, new Uint32Array(0));
  }

  /** A file is gone, or may be changed without us. */
  forget(number: number): void {
    if (this.#table.has(number)) this.#note(FORGOTTEN, number, 0, new Uint32Array(0));
  }

  /** Bytes are about to be written. @param data - Undefined: zeros, `sizeBytes` of them. */
  changing(
    number: number,
    offsetBytes: number,
    sizeBytes: number,
    data: Uint8Array | undefined,
    read: ReadBytes,
  ): void {
    if (!this.#table.has(number) || sizeBytes <= 0) return;
    const { first, end } = unitsOf(offsetBytes, sizeBytes);
    if (end > MAX_UNITS) {
      this.forget(number);
      return;
    }
    const next = new Uint32Array(end - first);
    for (let unit = first; unit < end; unit++) {
      const start = unit * UNIT_BYTES;
      const from = Math.max(offsetBytes, start);
      const to = Math.min(offsetBytes + sizeBytes, start + UNIT_BYTES);
      const part = data?.subarray(from - offsetBytes, to - offsetBytes);
      if (to - from === UNIT_BYTES) next[unit - first] = part ? unitSum(part) : 0;
      else {
        const sum = this.#table.at(number, unit);
        let before: Buffer | undefined;
        if (sum !== undefined) {
          before = this.#old.subarray(0, to - from);
          read(from, before);
        }
        next[unit - first] = changedSum(sum ?? 0, from - start, to - from, before, part);
      }
    }
    this.#note(SET, number, first, next);
  }

  /** A file is about to end here; what it loses is zeros when it grows again. */
  truncating(number: number, fromBytes: number, sizeBytes: number, read: ReadBytes): void {
    if (!this.#table.has(number) || sizeBytes >= fromBytes) return;
    const end = Math.ceil(sizeBytes / UNIT_BYTES);
    const tail = Math.min(fromBytes, end * UNIT_BYTES) - sizeBytes;
    if (tail > 0) this.changing(number, sizeBytes, tail, undefined, read);
  }

  /** A file ends here now. */
  truncated(number: number, sizeBytes: number): void {
    const units = Math.ceil(sizeBytes / UNIT_BYTES);
    if (units < this.#table.countOf(number)) this.#note(CUT, number, units, new Uint32Array(0));
  }

  /** Takes bytes for what they are: they came from elsewhere, or a write that failed left them. */
  believe(
    number: number,
    offsetBytes: number,
    sizeBytes: number,
    fileSizeBytes: number,
    read: ReadBytes,
  ): void {
    if (!this.#table.has(number)) return;
    const { first, end } = unitsOf(offsetBytes, Math.min(sizeBytes, fileSizeBytes - offsetBytes));
    if (end <= first) return;
    const sums = new Uint32Array(end - first);
    for (let unit = first; unit < end; unit++) {
      const start = unit * UNIT_BYTES;
      const bytes = this.#old.subarray(0, Math.min(UNIT_BYTES, fileSizeBytes - start));
      read(start, bytes);
      sums[unit - first] = unitSum(bytes);
    }
    this.#note(SET, number, first, sums);
  }

  /** Makes every read of a stretch fail: what stood there is known to be lost. */
  spoil(number: number, fromBytes: number, toBytes: number): void {
    const { first, end } = unitsOf(fromBytes, toBytes - fromBytes);
    const spoilt = this.#table.slice(number, first, end - first).map((sum) => ~sum >>> 0);
    this.#note(SET, number, first, spoilt);
  }

  /** Sets the sum of the unit that begins at an offset. */
  set(number: number, offsetBytes: number, sum: number): void {
    this.#note(SET, number, Math.floor(offsetBytes / UNIT_BYTES), Uint32Array.of(sum));
  }

  /** The sums of a stretch, or undefined where a file has none. */
  of(number: number, offsetBytes: number, sizeBytes: number): SumsOfUnits | undefined {
    return this.#table.of(number, offsetBytes, sizeBytes);
  }

  /** Writes what counts into a new file. */
  rewrite(): void {
    const fd = storage.open(`${this.#path}.new`, 'w', 0o600);
    storage.close(this.#fd);
    this.#fd = fd;
    this.#sizeBytes = 0;
    this.#reservedBytes = 0;
    this.#liveBytes = Number.POSITIVE_INFINITY;
    for (const number of [...this.#table.numbers]) {
      const sums = this.#table.slice(number, 0, this.#table.countOf(number));
      this.#note(BEGUN, number, 0, new Uint32Array(0));
      this.#note(SET, number, 0, sums);
    }
    this.#liveBytes = this.#sizeBytes;
    storage.rename(`${this.#path}.new`, this.#path);
  }
}
