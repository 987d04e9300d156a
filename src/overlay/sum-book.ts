import { existsSync, readFileSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { writeFully } from '../core/io.ts';
import { storage } from '../core/storage.ts';
import { changedSum, type SumsOfUnits, UNIT_BYTES, unitSum, unitsOf } from '../core/unit-sums.ts';

/** CRC-32 of the rest, kind (u32), file (f64), first unit, number of sums (u32); then the sums, u32 each. */
const HEAD_BYTES = 24;
/** A file has these sums from a unit on. */
const SET = 1;
/** It has none from a unit on. */
const CUT = 2;
/** It is begun, and empty. */
const BEGUN = 3;
/** It is gone, or others write it without us. */
const FORGOTTEN = 4;
/** Out of date by so much, it is written anew. */
const SPARE_BYTES = 4 * 2 ** 20;
const MAX_UNITS = 0xffff_ffff;
const RESERVE_BYTES = 256 * 1024;

/** Fills `target` from a file's bytes as they are; what lies past its end is zeros. */
export type ReadBytes = (offsetBytes: number, target: Uint8Array) => void;

/** A change whose bytes may not be there any more: its daemon died before it had written them. */
export interface DoubtfulSums {
  readonly number: number;
  readonly firstUnit: number;
  readonly before: Uint32Array;
}

/**
 * The checksums of written files, in memory and, for the next daemon, in a tmpfs file. They are noted before the bytes
 * are written; so when a daemon dies between the two, only the last note can be ahead of its bytes.
 */
export class SumBook {
  readonly #path: string;
  readonly #files = new Map<number, { sums: Uint32Array; count: number }>();
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
    const found = existsSync(path) ? this.#replay(readFileSync(path)) : undefined;
    this.wasDamaged = found?.isDamaged ?? false;
    this.doubtful = found?.last;
    this.#fd = storage.open(path, 'a', 0o600);
    if (found) {
      this.#sizeBytes = found.sizeBytes;
      storage.truncate(this.#fd, found.sizeBytes);
    }
    if (this.wasDamaged) this.rewrite();
  }

  #replay(bytes: Buffer): { sizeBytes: number; isDamaged: boolean; last: DoubtfulSums | undefined } {
    let at = 0;
    let last: DoubtfulSums | undefined;
    while (at + HEAD_BYTES <= bytes.length) {
      const count = bytes.readUInt32LE(at + 20);
      const end = at + HEAD_BYTES + 4 * count;
      // Its daemon died while it was written: nothing was changed for it.
      if (end > bytes.length) break;
      if (crc32(bytes.subarray(at + 4, end)) !== bytes.readUInt32LE(at)) {
        // What follows may have taken back what stands before.
        this.#files.clear();
        return { sizeBytes: at, isDamaged: true, last: undefined };
      }
      const number = bytes.readDoubleLE(at + 8);
      const first = bytes.readUInt32LE(at + 16);
      const sums = Uint32Array.from({ length: count }, (_, i) => bytes.readUInt32LE(at + HEAD_BYTES + 4 * i));
      const kind = bytes.readUInt32LE(at + 4);
      last =
        kind === SET && this.#files.has(number)
          ? { number, firstUnit: first, before: this.#slice(number, first, count) }
          : undefined;
      this.#apply(kind, number, first, sums);
      at = end;
    }
    return { sizeBytes: at, isDamaged: false, last };
  }

  #slice(number: number, first: number, count: number): Uint32Array {
    const slice = new Uint32Array(count);
    const file = this.#files.get(number);
    if (file) slice.set(file.sums.subarray(first, Math.min(file.count, first + count)));
    return slice;
  }

  #apply(kind: number, number: number, first: number, sums: Uint32Array): void {
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
    this.#apply(kind, number, first, sums);
    if (this.#sizeBytes > 2 * this.#liveBytes + SPARE_BYTES) this.rewrite();
  }

  /** Whether a file has sums: one that others wrote, or write, has none. */
  has(number: number): boolean {
    return this.#files.has(number);
  }

  /** A file is begun, empty. */
  begin(number: number): void {
    this.#note(BEGUN, number, 0, new Uint32Array(0));
  }

  /** A file is gone, or may be changed without us. */
  forget(number: number): void {
    if (this.#files.has(number)) this.#note(FORGOTTEN, number, 0, new Uint32Array(0));
  }

  /** Bytes are about to be written. @param data - Undefined: zeros, `sizeBytes` of them. */
  changing(
    number: number,
    offsetBytes: number,
    sizeBytes: number,
    data: Uint8Array | undefined,
    read: ReadBytes,
  ): void {
    const file = this.#files.get(number);
    if (!file || sizeBytes <= 0) return;
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
        const sum = unit < file.count ? (file.sums[unit] ?? 0) : 0;
        let before: Buffer | undefined;
        if (unit < file.count) {
          before = this.#old.subarray(0, to - from);
          read(from, before);
        }
        next[unit - first] = changedSum(sum, from - start, to - from, before, part);
      }
    }
    this.#note(SET, number, first, next);
  }

  /** A file is about to end here; what it loses is zeros when it grows again. */
  truncating(number: number, fromBytes: number, sizeBytes: number, read: ReadBytes): void {
    const file = this.#files.get(number);
    if (!file || sizeBytes >= fromBytes) return;
    const end = Math.ceil(sizeBytes / UNIT_BYTES);
    const tail = Math.min(fromBytes, end * UNIT_BYTES) - sizeBytes;
    if (tail > 0) this.changing(number, sizeBytes, tail, undefined, read);
  }

  /** A file ends here now. */
  truncated(number: number, sizeBytes: number): void {
    const file = this.#files.get(number);
    const units = Math.ceil(sizeBytes / UNIT_BYTES);
    if (file && units < file.count) this.#note(CUT, number, units, new Uint32Array(0));
  }

  /** Takes bytes for what they are: they came from elsewhere, or a write that failed left them. */
  believe(
    number: number,
    offsetBytes: number,
    sizeBytes: number,
    fileSizeBytes: number,
    read: ReadBytes,
  ): void {
    if (!this.#files.has(number)) return;
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
    const spoilt = this.#slice(number, first, end - first).map((sum) => ~sum >>> 0);
    this.#note(SET, number, first, spoilt);
  }

  /** Sets the sum of the unit that begins at an offset. */
  set(number: number, offsetBytes: number, sum: number): void {
    this.#note(SET, number, Math.floor(offsetBytes / UNIT_BYTES), Uint32Array.of(sum));
  }

  /** The sums of a stretch, or undefined where a file has none. */
  of(number: number, offsetBytes: number, sizeBytes: number): SumsOfUnits | undefined {
    if (!this.#files.has(number)) return undefined;
    const { first, end } = unitsOf(offsetBytes, sizeBytes);
    return { firstUnit: first, sums: this.#slice(number, first, Math.max(0, end - first)) };
  }

  /** Writes what counts into a new file. */
  rewrite(): void {
    const fd = storage.open(`${this.#path}.new`, 'w', 0o600);
    storage.close(this.#fd);
    this.#fd = fd;
    this.#sizeBytes = 0;
    this.#reservedBytes = 0;
    this.#liveBytes = Number.POSITIVE_INFINITY;
    for (const [number, { sums, count }] of [...this.#files]) {
      this.#note(BEGUN, number, 0, new Uint32Array(0));
      this.#note(SET, number, 0, sums.slice(0, count));
    }
    this.#liveBytes = this.#sizeBytes;
    storage.rename(`${this.#path}.new`, this.#path);
  }
}
