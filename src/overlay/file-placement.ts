import { budgetOf } from '../memory/budget.ts';
import type { DataPlace } from './data-files.ts';
import type { DataStore } from './data-store.ts';

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
type FilePlacement = 'memory' | 'both' | 'disk';

const DEFAULT_SMALL_BYTES = 16 * 2 ** 20;
const DEFAULT_LARGE_SHARE = 0.125;
const MIN_LARGE_BYTES = 64 * 2 ** 20;

/** Pure: what is not set by the user follows from what written files may take. */
export function placementLimits(
  budgetBytes: number,
  set: { readonly smallFileBytes?: number; readonly largeFileBytes?: number } = {},
): PlacementLimits {
  const largeBytes =
    set.largeFileBytes ?? Math.max(MIN_LARGE_BYTES, Math.floor(budgetBytes * DEFAULT_LARGE_SHARE));
  return { smallBytes: Math.min(set.smallFileBytes ?? DEFAULT_SMALL_BYTES, largeBytes), largeBytes };
}

/** Pure: chosen anew whenever a file grows. */
function placementOf(sizeBytes: number, { smallBytes, largeBytes }: PlacementLimits): FilePlacement {
  if (sizeBytes <= smallBytes) return 'memory';
  return sizeBytes <= largeBytes ? 'both' : 'disk';
}

const PAGE_BYTES = 4096;
const LEAST_STEP_BYTES = 2 ** 20;

/** Where the files of a store split between memory and disk, by size and by the room there is. */
export class FilePlacements {
  readonly #store: DataStore;
  readonly #limits: PlacementLimits;

  constructor(store: DataStore, limits: PlacementLimits) {
    this.#store = store;
    this.#limits = limits;
  }

  /** Where a file must split before it grows to `sizeBytes`; undefined where it may grow as it lies. */
  splitFor(place: DataPlace, sizeBytes: number): number | undefined {
    if (place.splitAt === Number.POSITIVE_INFINITY) {
      const placement = placementOf(sizeBytes, this.#limits);
      const { reservedBytes, budgetBytes } = this.#store;
      if (placement === 'disk') return this.#store.endInPages(place);
      if (placement === 'both' && reservedBytes > budgetOf(budgetBytes).highMarkBytes)
        return this.#store.endInPages(place);
    }
    return this.#store.splitNeeded(place, sizeBytes);
  }

  /**
   * From where on a large file's head is to follow to disk with this write; undefined where there is nothing to move.
   * A page stays: a file counts as one in any case.
   */
  nextSplit({ splitAt }: DataPlace, endBytes: number, writtenBytes: number): number | undefined {
    if (splitAt === Number.POSITIVE_INFINITY || splitAt <= PAGE_BYTES) return undefined;
    if (placementOf(endBytes, this.#limits) !== 'disk') return undefined;
    const stepBytes = Math.max(LEAST_STEP_BYTES, 2 * writtenBytes);
    return Math.max(PAGE_BYTES, Math.floor((splitAt - stepBytes) / PAGE_BYTES) * PAGE_BYTES);
  }
}
