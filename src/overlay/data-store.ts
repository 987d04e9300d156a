import { existsSync, fstatSync, readSync, renameSync, statSync } from 'node:fs';
import { passFaultPoint } from '../core/fault-points.ts';
import type { FileCalls } from '../core/file-calls.ts';
import { readFully, writeFully } from '../core/io.ts';
import { storage } from '../core/storage.ts';
import { CheckedBytes } from './checked-bytes.ts';
import { DataFiles, type DataFolders, type DataPlace } from './data-files.ts';
import { GrowingFiles } from './growing-files.ts';
import { reserveRoom } from './reserved-room.ts';
import { type ReadBytes, SumBook } from './sum-book.ts';
import { SyncedFiles } from './synced-files.ts';

/** tmpfs gives memory in pages; what a file reserves is rounded up to them. */
const PAGE_BYTES = 4096;
const COPY_BYTES = 1 << 20;
const MAX_SUMMED_AT_ONCE_BYTES = 8 * 2 ** 20;
/** Modes of fallocate(2); <linux/falloc.h>. */
const KEEP_SIZE = 1;
const PUNCH_HOLE = 2;
const ZERO_RANGE = 16;
/** What stat(2) counts blocks in. */
const STAT_BLOCK_BYTES = 512;

const pages = (sizeBytes: number): number => Math.ceil(sizeBytes / PAGE_BYTES) * PAGE_BYTES;

/** A stretch of a file's bytes at the same offset of `path`; what lies between stretches is zeros. */
export interface DataPiece {
  readonly path: string;
  readonly offsetBytes: number;
  readonly sizeBytes: number;
}

export interface FileStat {
  readonly sizeBytes: number;
  readonly allocatedBytes: number;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  readonly atimeNs: bigint;
}

/**
 * The bytes of written files: one file each in tmpfs, and past its split one sparse file on disk whose bytes lie
 * at the same offsets. What a file may take in memory is reserved before it is written, holes included, so the
 * sum never passes the budget.
 */
export class DataStore {
  readonly files: DataFiles;
  /** What of them survives power loss. */
  readonly synced: SyncedFiles;
  /** Checksums of what was written. */
  readonly sums: SumBook;
  /** Which of them grow large, for whoever works ahead. */
  readonly growing = new GrowingFiles();
  budgetBytes: number;
  /** Hears of all bytes that go to a file on disk: they are in the page cache then. */
  onDiskWrite: (number: number, offsetBytes: number, sizeBytes: number) => void = () => {};
  #reservedBytes = 0;
  readonly #reserved = new Map<number, number>();
  readonly #calls: FileCalls;

  readonly #checked: CheckedBytes;

  /** @param nameOf - What a file is called, for messages. */
  constructor(
    folders: DataFolders,
    budgetBytes: number,
    calls: FileCalls,
    nameOf: (number: number) => string,
  ) {
    this.files = new DataFiles(folders);
    this.synced = new SyncedFiles(folders.durable);
    this.sums = new SumBook(folders.sums, (fd, sizeBytes) => reserveRoom(calls, fd, sizeBytes));
    this.#checked = new CheckedBytes(this.sums, nameOf);
    this.budgetBytes = budgetBytes;
    this.#calls = calls;
  }

  get reservedBytes(): number {
    return this.#reservedBytes;
  }

  /** Memory that a file holds, or may come to hold without asking. */
  reservedOf(number: number): number {
    return this.#reserved.get(number) ?? 0;
  }

  #reserve(number: number, bytes: number): void {
    this.#reservedBytes += bytes - (this.#reserved.get(number) ?? 0);
    this.#reserved.set(number, bytes);
  }

  #reservation(place: DataPlace, sizeBytes: number): number {
    return Math.max(PAGE_BYTES, pages(Math.min(sizeBytes, place.splitAt)));
  }

  /** Begins an empty file. */
  create(place: DataPlace): void {
    // What a file of this number had before, synced copies included, is no part of this one.
    if (this.#reserved.has(place.number) || this.synced.has(place.number)) this.remove(place.number);
    this.files.openEmpty(place);
    this.sums.begin(place.number);
    this.#reserve(place.number, PAGE_BYTES);
  }

  /** Takes in a file that somebody staged in the memory folder's file system. */
  adopt(place: DataPlace, stagedPath: string): void {
    this.remove(place.number);
    renameSync(stagedPath, this.files.memoryPath(place.number));
    passFaultPoint('store.after-adopt');
    const { size } = statSync(this.files.memoryPath(place.number));
    // Larger ones would keep other programs waiting; they are as safe as memory is.
    if (size <= MAX_SUMMED_AT_ONCE_BYTES) this.sumUp(place);
    this.#reserve(place.number, this.#reservation(place, size));
  }

  /**
   * Counts a file found at start-up, and takes away what a daemon that died left beside its bytes. Returns false
   * when they are gone (the machine lost power).
   */
  recover(place: DataPlace): boolean {
    const memory = this.files.memoryPath(place.number);
    const isInMemory = existsSync(memory);
    const isWhole = place.splitAt === Number.POSITIVE_INFINITY;
    // What lies past the split is no file without what lay before it.
    if (!isInMemory && (place.splitAt > 0 || !existsSync(this.files.spillPath(place.number)))) return false;
    if (isWhole) this.files.clearSpill(place.number);
    if (isInMemory) this.#trimMemory(place);
    const { sizeBytes } = this.stat(place);
    this.sums.truncated(place.number, sizeBytes);
    this.#checked.settle(place.number, sizeBytes, this.#rawReader(place));
    this.#reserve(place.number, this.#reservation(place, sizeBytes));
    return true;
  }

  /** Takes a file that came from elsewhere for what it is, from now on. */
  sumUp(place: DataPlace): void {
    this.#checked.sumUp(place.number, this.stat(place).sizeBytes, this.#rawReader(place));
  }

  #rawReader(place: DataPlace): ReadBytes {
    return (at, into) => this.#readRaw(place, at, into);
  }

  /** Bytes as they lie there, from memory and disk; zeros past the end. */
  #readRaw(place: DataPlace, offsetBytes: number, target: Uint8Array): void {
    const { memory, spill } = this.files.open(place);
    const lowBytes = Math.max(0, Math.min(target.length, place.splitAt - offsetBytes));
    const low = target.subarray(0, lowBytes);
    low.fill(0, readFully(memory, low, offsetBytes));
    const high = target.subarray(lowBytes);
    if (high.length > 0) high.fill(0, spill === -1 ? 0 : readFully(spill, high, offsetBytes + lowBytes));
  }

  /** Gives back memory past a file's end or split, and leaves its times as they are. */
  #trimMemory(place: DataPlace): void {
    const { memory } = this.files.open(place);
    const stat = fstatSync(memory, { bigint: true });
    const keptBytes = Math.min(Number(stat.size), place.splitAt);
    if (keptBytes === Number(stat.size) && Number(stat.blocks) * STAT_BLOCK_BYTES <= pages(keptBytes)) return;
    storage.truncate(memory, keptBytes);
    this.#calls.setTimes(memory, stat.atimeNs, stat.mtimeNs);
  }

  /** Frees a file's bytes. What was synced of it stays until the journal, which says that it is gone, is synced. */
  remove(number: number): void {
    this.files.removeMemory(number);
    this.growing.forget(number);
    this.sums.forget(number);
    const spill = this.files.spillPath(number);
    if (this.synced.has(number)) {
      if (existsSync(spill)) this.synced.removeLater(spill);
      this.synced.forget(number);
    } else if (existsSync(spill)) storage.remove(spill);
    this.#reservedBytes -= this.#reserved.get(number) ?? 0;
    this.#reserved.delete(number);
  }

  /** @throws a system error when the bytes are gone. */
  stat(place: DataPlace): FileStat {
    const { memory, spill } = this.files.open(place);
    const low = fstatSync(memory, { bigint: true });
    if (spill === -1) {
      return {
        sizeBytes: Number(low.size),
        allocatedBytes: Number(low.blocks) * 512,
        mtimeNs: low.mtimeNs,
        ctimeNs: low.ctimeNs,
        atimeNs: low.atimeNs,
      };
    }
    const high = fstatSync(spill, { bigint: true });
    return {
      sizeBytes: Number(high.size > low.size ? high.size : low.size),
      allocatedBytes: (Number(low.blocks) + Number(high.blocks)) * 512,
      mtimeNs: high.mtimeNs > low.mtimeNs ? high.mtimeNs : low.mtimeNs,
      ctimeNs: high.ctimeNs > low.ctimeNs ? high.ctimeNs : low.ctimeNs,
      atimeNs: low.atimeNs,
    };
  }

  setTimes(place: DataPlace, atimeNs: bigint, mtimeNs: bigint): void {
    const { memory, spill } = this.files.open(place);
    this.synced.changed(place.number, 0, 0);
    this.#calls.setTimes(memory, atimeNs, mtimeNs);
    if (spill !== -1) this.#calls.setTimes(spill, atimeNs, mtimeNs);
  }

  /**
   * Where a file must split so that growing to `sizeBytes` keeps the budget, or undefined when it may grow in
   * memory. The caller notes the split (it is part of the file's state) and then calls {@link split}.
   */
  splitNeeded(place: DataPlace, sizeBytes: number): number | undefined {
    const wanted = this.#reservation(place, sizeBytes);
    const held = this.#reserved.get(place.number) ?? 0;
    if (wanted <= held || this.#reservedBytes + wanted - held <= this.budgetBytes) return undefined;
    return this.endInPages(place);
  }

  /** The first page after a file's end: where it splits when all that comes goes to disk. */
  endInPages(place: DataPlace): number {
    return pages(this.stat(place).sizeBytes);
  }

  /** Carries out a split that {@link splitNeeded} named. */
  split(place: DataPlace, splitAt: number): void {
    place.splitAt = splitAt;
    this.files.open(place);
  }

  /**
   * Bytes of a range, or undefined when some of them lie on disk: then a reader must fetch them.
   * @throws DamagedBytesError when they are not what was written.
   */
  read(place: DataPlace, target: Uint8Array, offsetBytes: number): number | undefined {
    const got = this.#readMemory(place, target, offsetBytes);
    if (got === undefined || got === 0 || !this.sums.has(place.number)) return got;
    const { sizeBytes } = this.stat(place);
    this.#checked.check(
      place.number,
      target.subarray(0, got),
      offsetBytes,
      sizeBytes,
      this.#rawReader(place),
    );
    return got;
  }

  #readMemory(place: DataPlace, target: Uint8Array, offsetBytes: number): number | undefined {
    const { memory, spill } = this.files.open(place);
    const end = offsetBytes + target.length;
    if (spill === -1) return readSync(memory, target, 0, target.length, offsetBytes);
    return end <= place.splitAt ? this.#readWhole(memory, place, target, offsetBytes) : undefined;
  }

  /** Below the split, bytes past the end of the memory file but inside the file are zeros. */
  #readWhole(memory: number, place: DataPlace, target: Uint8Array, offsetBytes: number): number {
    const wanted = Math.max(0, Math.min(target.length, this.stat(place).sizeBytes - offsetBytes));
    const got = readSync(memory, target, 0, wanted, offsetBytes);
    target.fill(0, got, wanted);
    return wanted;
  }

  #changing(number: number, from: number, to: number): void {
    this.synced.changed(number, from, to);
    this.growing.changed(number, from, to);
  }

  /** Writes all of `data`. Room in memory must have been made by {@link splitNeeded} before. */
  write(place: DataPlace, data: Uint8Array, offsetBytes: number): void {
    const { memory, spill } = this.files.open(place);
    this.#changing(place.number, offsetBytes, offsetBytes + data.length);
    const lowBytes = Math.max(0, Math.min(data.length, place.splitAt - offsetBytes));
    const read = this.#rawReader(place);
    this.sums.changing(place.number, offsetBytes, data.length, data, read);
    passFaultPoint('store.before-write');
    try {
      if (lowBytes > 0) writeFully(memory, data.subarray(0, lowBytes), offsetBytes);
      if (lowBytes < data.length) {
        writeFully(spill, data.subarray(lowBytes), offsetBytes + lowBytes);
        this.onDiskWrite(place.number, offsetBytes + lowBytes, data.length - lowBytes);
      }
    } catch (error) {
      // Some of it may be there.
      this.sums.believe(place.number, offsetBytes, data.length, this.stat(place).sizeBytes, read);
      throw error;
    }
    passFaultPoint('store.after-write');
    const end = offsetBytes + lowBytes;
    if (end > (this.#reserved.get(place.number) ?? 0))
      this.#reserve(place.number, this.#reservation(place, end));
    this.growing.wrote(place.number, offsetBytes + data.length);
  }

  truncate(place: DataPlace, sizeBytes: number): void {
    const { memory, spill } = this.files.open(place);
    const before = this.stat(place).sizeBytes;
    const grows = sizeBytes > before;
    this.#changing(place.number, Math.min(before, sizeBytes), Math.max(before, sizeBytes));
    this.sums.truncating(place.number, before, sizeBytes, this.#rawReader(place));
    // First the one that may refuse: a disk has largest files, and then the file is as it was.
    if (spill !== -1) storage.truncate(spill, sizeBytes);
    storage.truncate(memory, Math.min(sizeBytes, place.splitAt));
    this.sums.truncated(place.number, sizeBytes);
    // A file that grows keeps what was allocated past its end.
    const heldBytes = grows ? (this.#reserved.get(place.number) ?? 0) : 0;
    this.#reserve(place.number, Math.max(heldBytes, this.#reservation(place, sizeBytes)));
  }

  /**
   * Copies the part in memory from `fromBytes` on to disk, with the file's times. The caller notes that as `splitAt`
   * afterwards.
   */
  spillFrom(place: DataPlace, fromBytes: number): void {
    const files = this.files.open(place);
    const { sizeBytes, atimeNs, mtimeNs } = this.stat(place);
    if (files.spill === -1) files.spill = this.files.openSpill(place.number);
    const buffer = Buffer.allocUnsafe(COPY_BYTES);
    // Between the memory file's end and the split there is nothing in either file: zeros.
    const end = Math.min(sizeBytes, fstatSync(files.memory).size);
    for (let at = fromBytes; at < end; at += COPY_BYTES) {
      const part = buffer.subarray(0, Math.min(COPY_BYTES, end - at));
      writeFully(files.spill, part.subarray(0, readFully(files.memory, part, at)), at);
    }
    if (end > fromBytes) this.onDiskWrite(place.number, fromBytes, end - fromBytes);
    if (fstatSync(files.spill).size < sizeBytes) storage.truncate(files.spill, sizeBytes);
    this.#calls.setTimes(files.spill, atimeNs, mtimeNs);
    passFaultPoint('store.after-spill');
  }

  /** Frees the memory from `fromBytes` on, once that lies on disk and was noted. */
  freeFrom(place: DataPlace, fromBytes: number): void {
    const { memory } = this.files.open(place);
    const { size, atimeNs, mtimeNs } = fstatSync(memory, { bigint: true });
    // Where the file ends before, what is allocated past its end goes.
    storage.truncate(memory, Math.min(Number(size), fromBytes));
    this.#calls.setTimes(memory, atimeNs, mtimeNs);
    this.#reserve(place.number, this.#reservation(place, fromBytes));
  }

  /** fallocate(2) on the part of the range each file holds. */
  allocate(place: DataPlace, mode: number, offsetBytes: number, sizeBytes: number): void {
    const { memory, spill } = this.files.open(place);
    this.#changing(place.number, offsetBytes, offsetBytes + sizeBytes);
    const low = Math.max(0, Math.min(sizeBytes, place.splitAt - offsetBytes));
    if (mode & (PUNCH_HOLE | ZERO_RANGE)) {
      const fileBytes = Math.min(sizeBytes, this.stat(place).sizeBytes - offsetBytes);
      const read = this.#rawReader(place);
      this.sums.changing(place.number, offsetBytes, fileBytes, undefined, read);
    } else if (mode & ~KEEP_SIZE) this.sums.forget(place.number);
    if (low > 0) this.#allocatePart(memory, mode, offsetBytes, low);
    if (low < sizeBytes) this.#allocatePart(spill, mode, offsetBytes + low, sizeBytes - low);
    const wanted = this.#reservation(place, offsetBytes + sizeBytes);
    if (wanted > (this.#reserved.get(place.number) ?? 0)) this.#reserve(place.number, wanted);
  }

  /** tmpfs knows no FALLOC_FL_ZERO_RANGE: a hole that is then allocated is the same. */
  #allocatePart(fd: number, mode: number, offsetBytes: number, sizeBytes: number): void {
    if ((mode & ZERO_RANGE) === 0) {
      this.#calls.fallocate(fd, mode, offsetBytes, sizeBytes);
      return;
    }
    this.#calls.fallocate(fd, PUNCH_HOLE | KEEP_SIZE, offsetBytes, sizeBytes);
    this.#calls.fallocate(fd, mode & KEEP_SIZE, offsetBytes, sizeBytes);
  }

  /** lseek(2) for SEEK_DATA and SEEK_HOLE; a file with a part on disk is said to hold data everywhere. */
  seek(place: DataPlace, offsetBytes: number, whence: number): number {
    const { memory, spill } = this.files.open(place);
    if (spill === -1) return this.#calls.seek(memory, offsetBytes, whence);
    const { sizeBytes } = this.stat(place);
    if (offsetBytes >= sizeBytes) return this.#calls.seek(spill, offsetBytes, whence);
    return whence === 3 ? offsetBytes : sizeBytes;
  }

  /** The stretches of files that make up the bytes, for whoever reads them elsewhere. */
  pieces(place: DataPlace): DataPiece[] {
    const { sizeBytes } = this.stat(place);
    const lowBytes = Math.min(sizeBytes, place.splitAt);
    const pieces: DataPiece[] = [];
    const memory = this.files.memoryPath(place.number);
    if (lowBytes > 0)
      pieces.push({ path: memory, offsetBytes: 0, sizeBytes: Math.min(lowBytes, statSync(memory).size) });
    if (sizeBytes > lowBytes) {
      pieces.push({
        path: this.files.spillPath(place.number),
        offsetBytes: lowBytes,
        sizeBytes: sizeBytes - lowBytes,
      });
    }
    return pieces.filter((piece) => piece.sizeBytes > 0);
  }
}
