import type { MemoryBudget } from './budget.ts';

/** What holds memory now. */
export interface PoolSnapshot {
  /** Decoded chunks: freed at once, decoded again when needed. */
  readonly chunkCacheBytes: number;
  /** Headers of virtual files: freed at once, computed again. */
  readonly headerCacheBytes: number;
  /** Overlay bytes of closed files: freed once they have landed. */
  readonly sealedBytes: number;
  /** Of these, being landed now. */
  readonly landingBytes: number;
  /** Overlay bytes of files that are open for writing: they can only spill. */
  readonly openBytes: number;
  /** Bytes of open files in the spill file on disk; count for nothing here. */
  readonly spillRoomBytes: number;
}

export type ReclaimStep =
  | { readonly rung: 1; readonly kind: 'drop-chunks'; readonly bytes: number }
  | { readonly rung: 2; readonly kind: 'drop-headers'; readonly bytes: number }
  | { readonly rung: 3; readonly kind: 'land-oldest'; readonly bytes: number }
  | { readonly rung: 4; readonly kind: 'delay-writers' }
  | { readonly rung: 5; readonly kind: 'spill-open'; readonly bytes: number }
  | { readonly rung: 6; readonly kind: 'refuse-writes' };

/** All bytes that count against the budget. */
export function usedBytes(pools: PoolSnapshot): number {
  return pools.chunkCacheBytes + pools.headerCacheBytes + pools.sealedBytes + pools.openBytes;
}

/**
 * Pure: what to do next, lowest rung first. Between the low and the high mark closed files are landed in the
 * background. Above the high mark what costs least is sacrificed first, down to the mark: caches, then closed files,
 * and writers wait for those; what is open spills to disk only when nothing else is left. Writes are refused when
 * the spill has no room either.
 */
export function planReclaim(pools: PoolSnapshot, budget: MemoryBudget): ReclaimStep[] {
  const used = usedBytes(pools);
  const steps: ReclaimStep[] = [];
  const dirty = pools.sealedBytes + pools.openBytes;
  const landable = Math.max(0, pools.sealedBytes - pools.landingBytes);
  let excess = used - budget.highMarkBytes;
  if (excess <= 0) {
    const bytes = Math.min(landable, dirty - pools.landingBytes - budget.lowMarkBytes);
    return bytes > 0 ? [{ rung: 3, kind: 'land-oldest', bytes }] : [];
  }
  const chunks = Math.min(excess, pools.chunkCacheBytes);
  if (chunks > 0) steps.push({ rung: 1, kind: 'drop-chunks', bytes: chunks });
  excess -= chunks;
  const headers = Math.min(excess, pools.headerCacheBytes);
  if (headers > 0) steps.push({ rung: 2, kind: 'drop-headers', bytes: headers });
  excess -= headers;
  // Down to the low mark, so that the next write does not start it all over again.
  const goal = Math.max(0, dirty - pools.landingBytes - budget.lowMarkBytes);
  const bytes = Math.min(landable, Math.max(goal, excess - pools.landingBytes));
  if (bytes > 0) steps.push({ rung: 3, kind: 'land-oldest', bytes });
  if (excess <= 0) return steps;
  steps.push({ rung: 4, kind: 'delay-writers' });
  const stuck = excess - pools.sealedBytes;
  if (stuck <= 0) return steps;
  const spill = Math.min(stuck, pools.openBytes, pools.spillRoomBytes);
  if (spill > 0) steps.push({ rung: 5, kind: 'spill-open', bytes: spill });
  else if (used >= budget.totalBytes) steps.push({ rung: 6, kind: 'refuse-writes' });
  return steps;
}
