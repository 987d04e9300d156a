import { MIN_BUDGET_BYTES } from '../core/byte-size.ts';

/** How much memory the overlay and the caches may take together. */
export interface MemoryBudget {
  readonly totalBytes: number;
  /** From here on the oldest closed files are landed in the background. */
  readonly lowMarkBytes: number;
  /** From here on writers wait. */
  readonly highMarkBytes: number;
}

const LOW_MARK = 0.5;
const HIGH_MARK = 0.8;
const DEFAULT_MEMORY_SHARE = 0.25;
const DEFAULT_TMPFS_SHARE = 0.5;

/** Pure: the marks of a budget. `underPressure` treats the high mark as if it stood at 50 %. */
export function budgetOf(totalBytes: number, underPressure = false): MemoryBudget {
  const low = Math.floor(totalBytes * LOW_MARK);
  return {
    totalBytes,
    lowMarkBytes: low,
    highMarkBytes: underPressure ? low : Math.floor(totalBytes * HIGH_MARK),
  };
}

/** Pure: 25 % of the memory that is available, but at most half of what is free in the tmpfs. */
export function defaultBudgetBytes(availableBytes: number, tmpfsFreeBytes: number): number {
  const share = Math.min(availableBytes * DEFAULT_MEMORY_SHARE, tmpfsFreeBytes * DEFAULT_TMPFS_SHARE);
  return Math.max(MIN_BUDGET_BYTES, Math.floor(share));
}
