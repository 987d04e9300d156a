import { MIN_BUDGET_BYTES } from '../core/byte-size.ts';

/** How much memory written files and decoded pixels may take together. */
export interface MemoryBudget {
  readonly totalBytes: number;
  /** Above this closed files land in the background. */
  readonly lowMarkBytes: number;
  /** Above this decoded pixels give way, and open files go to disk. */
  readonly highMarkBytes: number;
  /** What decoded pixels may take while there is plenty. */
  readonly decodedBytes: number;
  /** What files may take that were read whole. */
  readonly hotBytes: number;
}

const LOW_MARK = 0.5;
const HIGH_MARK = 0.8;
const HOT_SHARE = 0.25;
const DECODED_SHARE = 0.25;
/** More is of little use: the kernel's page cache keeps what was decoded. */
const MAX_DECODED_BYTES = 128 * 2 ** 20;
const DEFAULT_MEMORY_SHARE = 0.25;
const DEFAULT_TMPFS_SHARE = 0.5;

/** Pure: the marks of a budget. `underPressure` treats the high mark as if it stood at 50 %. */
export function budgetOf(totalBytes: number, underPressure = false): MemoryBudget {
  const low = Math.floor(totalBytes * LOW_MARK);
  return {
    totalBytes,
    lowMarkBytes: low,
    highMarkBytes: underPressure ? low : Math.floor(totalBytes * HIGH_MARK),
    hotBytes: Math.floor(totalBytes * HOT_SHARE),
    decodedBytes: Math.min(MAX_DECODED_BYTES, Math.floor(totalBytes * DECODED_SHARE)),
  };
}

/** What is set aside for threads at work: reading, encoding, memory that waits for the collector. */
const WORKING_SHARE = 0.125;
const MAX_WORKING_BYTES = 128 * 2 ** 20;

/** Pure: what is set aside of a budget for what threads hold while they work. */
export function leastWorkingBytes(totalBytes: number): number {
  return Math.min(MAX_WORKING_BYTES, Math.floor(totalBytes * WORKING_SHARE));
}

/** Pure: 25 % of the memory that is available, but at most half of what is free in the tmpfs. */
export function defaultBudgetBytes(availableBytes: number, tmpfsFreeBytes: number): number {
  const share = Math.min(availableBytes * DEFAULT_MEMORY_SHARE, tmpfsFreeBytes * DEFAULT_TMPFS_SHARE);
  return Math.max(MIN_BUDGET_BYTES, Math.floor(share));
}
