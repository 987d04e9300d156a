/** By size, where the bytes of a file go while it is written. */
export interface PlacementLimits {
  /** Files up to this size stay in memory until they land, as long as there is any. */
  readonly smallBytes: number;
  /** Files that grow beyond this go to disk. */
  readonly largeBytes: number;
}

/**
 * `memory`: as long as the budget has room. `both`: above the high mark what is written goes to disk, so that the
 * room left is for small files. `disk`: what is written goes to disk, and what lies in memory follows.
 */
export type FilePlacement = 'memory' | 'both' | 'disk';

const DEFAULT_SMALL_BYTES = 16 * 2 ** 20;
const DEFAULT_LARGE_SHARE = 0.125;
const MIN_LARGE_BYTES = 64 * 2 ** 20;

/** Pure: what is not set by the user follows from what written files may take. */
export function placementLimits(
  budgetBytes: number,
  set: { readonly smallBytes?: number; readonly largeBytes?: number } = {},
): PlacementLimits {
  const largeBytes =
    set.largeBytes ?? Math.max(MIN_LARGE_BYTES, Math.floor(budgetBytes * DEFAULT_LARGE_SHARE));
  return { smallBytes: Math.min(set.smallBytes ?? DEFAULT_SMALL_BYTES, largeBytes), largeBytes };
}

/** Pure: chosen anew whenever a file grows. */
export function placementOf(sizeBytes: number, { smallBytes, largeBytes }: PlacementLimits): FilePlacement {
  if (sizeBytes <= smallBytes) return 'memory';
  return sizeBytes <= largeBytes ? 'both' : 'disk';
}
