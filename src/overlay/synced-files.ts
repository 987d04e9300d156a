import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { storage } from '../core/storage.ts';
import { type ByteRange, logName, logsIn } from './durable-log.ts';

/** More stretches than this of one file count as all of it. */
const MAX_RANGES = 512;
/** A log that holds this much more than twice the file is begun anew. */
const SPARE_LOG_BYTES = 16 * 2 ** 20;

/** What a file's next sync must do. */
export interface SyncPlan {
  readonly logPath: string;
  /** Where the log goes on; 0: a new log, which takes the place of `replacedPaths` once it is safe. */
  readonly logBytes: number;
  readonly replacedPaths: readonly string[];
  /** Whether the log's name survives power loss. */
  readonly isNameSafe: boolean;
  /** What changed since the sync before; undefined: all of it. */
  readonly ranges: readonly ByteRange[] | undefined;
}

interface Synced {
  /** Logs there may be, the latest last. */
  generations: number[];
  /** 0: what the log holds is not known, or not to be trusted. */
  logBytes: number;
  /** A sync of the latest log has ended well that was not only ahead of another. */
  isNameSafe: boolean;
  ranges: ByteRange[];
  hasChanged: boolean;
  isUnderWay: boolean;
  /** The disk refused bytes of its spill file: the kernel tells of that once, and takes them for written from then on. */
  isSpillDoubted: boolean;
}

/** Pure: ranges with one more, overlapping and touching ones joined, in order. */
export function withRange(ranges: readonly ByteRange[], added: ByteRange): ByteRange[] {
  let { from, to } = added;
  const before: ByteRange[] = [];
  const after: ByteRange[] = [];
  for (const range of ranges) {
    if (range.to < from) before.push(range);
    else if (range.from > to) after.push(range);
    else {
      from = Math.min(from, range.from);
      to = Math.max(to, range.to);
    }
  }
  return [...before, { from, to }, ...after];
}

/**
 * Which files were synced, and what of them changed since: a sync writes that and nothing else. After a sync that
 * failed, and in a daemon that did not make it, all of a file is written into a new log.
 */
export class SyncedFiles {
  readonly #folder: string;
  readonly #files = new Map<number, Synced>();
  /** Logs to remove once the journal has been synced. */
  #unwanted: string[] = [];

  constructor(folder: string) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    for (const [number, generations] of logsIn(folder))
      this.#files.set(number, {
        generations,
        logBytes: 0,
        isNameSafe: false,
        ranges: [],
        hasChanged: true,
        isUnderWay: false,
        isSpillDoubted: false,
      });
  }

  #path(number: number, generation: number): string {
    return join(this.#folder, logName(number, generation));
  }

  /** Logs of a file, the latest first. */
  pathsOf(number: number): string[] {
    const generations = this.#files.get(number)?.generations ?? [];
    return generations.toReversed().map((generation) => this.#path(number, generation));
  }

  /** A file's bytes, or its length or times (`from` = `to`), are about to change. */
  changed(number: number, from: number, to: number): void {
    const file = this.#files.get(number);
    if (!file) return;
    file.hasChanged = true;
    if (to <= from || (file.logBytes === 0 && !file.isUnderWay)) return;
    const last = file.ranges.at(-1);
    if (last && from === last.to) file.ranges[file.ranges.length - 1] = { from: last.from, to };
    else file.ranges = withRange(file.ranges, { from, to });
    if (file.ranges.length <= MAX_RANGES) return;
    file.ranges = [];
    file.logBytes = 0;
    file.isUnderWay = false;
  }

  /** Whether all of a file was synced, and nothing is under way. */
  isClean(number: number): boolean {
    const file = this.#files.get(number);
    return file !== undefined && !file.hasChanged && !file.isUnderWay;
  }

  /**
   * Begins a sync of a file. What changes from here on is for the next one.
   * @param isAhead - Whether it does not say where the file ends: then what is cut off stays for the one that does.
   */
  begin(number: number, sizeBytes: number, isAhead = false): SyncPlan {
    let file = this.#files.get(number);
    if (!file) {
      file = {
        generations: [],
        logBytes: 0,
        isNameSafe: false,
        ranges: [],
        hasChanged: false,
        isUnderWay: false,
        isSpillDoubted: false,
      };
      this.#files.set(number, file);
    }
    const isLong = file.logBytes > 2 * sizeBytes + SPARE_LOG_BYTES;
    const isNew = file.logBytes === 0 || isLong;
    if (isNew) {
      file.generations.push((file.generations.at(-1) ?? -1) + 1);
      file.isNameSafe = false;
    }
    const { ranges } = file;
    file.ranges = isAhead
      ? ranges.flatMap(({ from, to }) => (to > sizeBytes ? [{ from: Math.max(from, sizeBytes), to }] : []))
      : [];
    file.hasChanged = false;
    const logBytes = isNew ? 0 : file.logBytes;
    // Until it has ended well, nothing is known of it.
    file.logBytes = 0;
    file.isUnderWay = true;
    const [logPath = '', ...replacedPaths] = this.pathsOf(number);
    const { isNameSafe } = file;
    return { logPath, logBytes, replacedPaths, isNameSafe, ranges: isNew ? undefined : ranges };
  }

  /** The disk refused bytes of a file's spill file: from here on its log has to hold all of it. */
  doubtSpill(number: number): void {
    const file = this.#files.get(number);
    if (file) file.isSpillDoubted = true;
  }

  /** Whether what lies in a file's spill file may be lost with the power, whatever a sync of it says. */
  isSpillDoubted(number: number): boolean {
    return this.#files.get(number)?.isSpillDoubted === true;
  }

  /**
   * A sync ended.
   * @param logBytes - How long the log is now; undefined when the sync failed.
   * @param isAhead - Whether it only wrote what the next one need not.
   */
  ended(number: number, logBytes: number | undefined, isAhead = false): void {
    const file = this.#files.get(number);
    if (!file) return;
    if (logBytes === undefined || isAhead) file.hasChanged = true;
    if (logBytes !== undefined) {
      if (!isAhead) {
        file.generations = file.generations.slice(-1);
        file.isNameSafe = true;
      }
      // Else more stretches than are kept apart have changed meanwhile.
      if (file.isUnderWay) file.logBytes = logBytes;
    }
    file.isUnderWay = false;
  }

  /**
   * A file's inode is gone, or its bytes are safe elsewhere: its logs go when the journal, which says so, has been
   * synced.
   */
  forget(number: number): void {
    const file = this.#files.get(number);
    if (!file) return;
    this.#unwanted.push(...this.pathsOf(number));
    this.#files.delete(number);
  }

  /** Logs and other files that nobody needs once the journal has been synced as it is now. */
  takeUnwanted(): string[] {
    const taken = this.#unwanted;
    this.#unwanted = [];
    return taken;
  }

  /** Has a file removed once the journal has been synced: by what it says on disk, it may still be needed. */
  removeLater(path: string): void {
    this.#unwanted.push(path);
  }

  /** The journal has been synced since these were taken. */
  removed(paths: readonly string[]): void {
    for (const path of paths) storage.remove(path);
  }

  /** Whether a file has ever been synced, by this daemon or another one. */
  has(number: number): boolean {
    return this.#files.has(number);
  }
}
