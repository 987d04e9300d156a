import type { MemoryBudget } from './budget.ts';
import type { PressureState } from './pressure.ts';

/** What holds memory now. */
export interface MemoryUse {
  /** Decoded pixels may grow to this. */
  readonly decodedLimitBytes: number;
  /** Memory of closed files that could land now. */
  readonly landableBytes: number;
  /** Memory of closed files that can't: a rule still reads them, or landing them failed. */
  readonly stuckBytes: number;
  /** Memory of files that programs have open for writing. */
  readonly openBytes: number;
  /** Memory of files that somebody pinned. */
  readonly pinnedBytes: number;
  /** Memory of files that are kept because they were read whole. */
  readonly hotBytes: number;
}

/** What the system asks for, beside the budget. */
export type MemoryNeed = Pick<PressureState, 'isUnderPressure' | 'cacheShare'>;

export type ReclaimStep =
  /** Files that were read whole go, the least recently opened first, until `bytes` are free. */
  | { readonly rung: 1; readonly kind: 'drop-hot'; readonly bytes: number }
  /** Decoded pixels are dropped down to `limitBytes`, and stay below it. */
  | { readonly rung: 1; readonly kind: 'shrink-decoded'; readonly limitBytes: number }
  /** Closed files land until written files hold at most `keepBytes` of memory. */
  | { readonly rung: 2; readonly kind: 'land-sealed'; readonly keepBytes: number }
  /** Files that are open and not being written go to disk, oldest first, until `bytes` are free. */
  | { readonly rung: 3; readonly kind: 'spill-open'; readonly bytes: number }
  /** The oldest pins go until `bytes` are free. */
  | { readonly rung: 4; readonly kind: 'drop-pins'; readonly bytes: number };

/** Limits of decoded pixels move in steps of this share of the most they get, so that they don't move all the time. */
const LIMIT_STEPS = 8;
/** Landing goes on to this share of the low mark, so that the next file does not start it again. */
const LANDED_DOWN_TO = 0.5;

const writtenBytes = (use: MemoryUse): number => use.landableBytes + use.stuckBytes + use.openBytes;

/** Pure: what decoded pixels may take beside what written files hold. */
export function decodedLimitBytes(use: MemoryUse, budget: MemoryBudget, need: MemoryNeed): number {
  const most = budget.decodedBytes * need.cacheShare;
  const room = budget.highMarkBytes - writtenBytes(use);
  const step = budget.decodedBytes / LIMIT_STEPS;
  return Math.max(0, Math.min(Math.floor(most), Math.floor(Math.floor(room / step) * step)));
}

/**
 * Pure: what to give up, cheapest first. Above the low mark files that were read whole go, and when that is not enough
 * closed files land. Above the high mark decoded pixels
 * give way, and files that are open go to disk as far as landing can't help. When the system is short of memory,
 * decoded pixels shrink to the share that it leaves them, everything closed lands, and once nothing closed is left,
 * everything open that rests goes to disk, and pins go, half of them at a time.
 */
export function planReclaim(use: MemoryUse, budget: MemoryBudget, need: MemoryNeed): ReclaimStep[] {
  const steps: ReclaimStep[] = [];
  const written = writtenBytes(use);
  if (use.hotBytes > 0 && need.isUnderPressure)
    steps.push({ rung: 1, kind: 'drop-hot', bytes: use.hotBytes });
  else if (use.hotBytes > 0 && written > budget.lowMarkBytes) {
    // The low mark rises with the room that they leave: then there is to be another look.
    const bytes = Math.min(use.hotBytes, Math.max(1, 2 * written - budget.totalBytes));
    return [{ rung: 1, kind: 'drop-hot', bytes }];
  }
  const limitBytes = decodedLimitBytes(use, budget, need);
  if (limitBytes < use.decodedLimitBytes) steps.push({ rung: 1, kind: 'shrink-decoded', limitBytes });
  const lands = use.landableBytes > 0 && (need.isUnderPressure || written > budget.lowMarkBytes);
  if (lands) {
    const keepBytes = need.isUnderPressure ? 0 : Math.floor(budget.lowMarkBytes * LANDED_DOWN_TO);
    steps.push({ rung: 2, kind: 'land-sealed', keepBytes });
  }
  const excess =
    need.isUnderPressure && !lands ? use.openBytes : written - use.landableBytes - budget.highMarkBytes;
  const bytes = Math.min(use.openBytes, excess);
  if (bytes > 0) steps.push({ rung: 3, kind: 'spill-open', bytes });
  if (need.isUnderPressure && !lands && use.pinnedBytes > 0)
    steps.push({ rung: 4, kind: 'drop-pins', bytes: Math.ceil(use.pinnedBytes / 2) });
  return steps;
}
