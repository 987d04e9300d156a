import { type BranchPlace, BranchStore, branchNumberOf } from '../changes/branch-store.ts';
import { planQuota, type QuotaPlan } from '../changes/revision-quota.ts';
import type { RevisionStore } from '../changes/revision-store.ts';
import { formatByteSize } from '../core/byte-size.ts';
import { explain } from '../core/errors.ts';

/** What may go so that no more than the quota is kept for revisions alone. */
export function quotaPlan(store: RevisionStore, place: BranchPlace, quotaBytes: number): QuotaPlan {
  const pinned = new Set(BranchStore.of(place).pinned(branchNumberOf(place.state)).keys());
  return planQuota(store.list(), store.keptByLanding(), quotaBytes, pinned);
}

/** What to do about more than the quota. */
export const OVER_QUOTA_ADVICE =
  'what is left are snapshots, what branches began with and the newest; drop some with  platefs history --drop  , or raise -o revision-quota';

export interface QuotaKeeperParts {
  readonly store: RevisionStore;
  readonly place: BranchPlace;
  readonly quotaBytes: number;
  readonly drop: (numbers: readonly number[]) => Promise<void>;
  readonly log: (message: string) => void;
  readonly warn: (message: string) => void;
}

/** While so small a share more is kept, nothing is counted again. */
const COUNTED_SHARE = 1 / 64;

/**
 * Holds what a running mount keeps for revisions alone within its quota. Nothing that is written ever waits for it, or
 * fails by it: it is held after the bytes are kept.
 */
export class QuotaKeeper {
  readonly #parts: QuotaKeeperParts;
  /** Kept since it was counted. */
  #grownBytes = Number.POSITIVE_INFINITY;
  #isOver = false;
  #holding: Promise<void> = Promise.resolve();

  constructor(parts: QuotaKeeperParts) {
    this.#parts = parts;
  }

  /** Bytes were kept. */
  grew(sizeBytes: number): void {
    this.#grownBytes += sizeBytes;
    if (this.#grownBytes < this.#parts.quotaBytes * COUNTED_SHARE) return;
    this.#grownBytes = 0;
    void this.hold();
  }

  /** Drops what has to go. Resolves when the quota is held, or can't be. */
  hold(): Promise<void> {
    this.#holding = this.#holding.then(() => this.#hold());
    return this.#holding;
  }

  async #hold(): Promise<void> {
    const { store, place, quotaBytes, drop, log, warn } = this.#parts;
    try {
      const { drop: going, leftBytes } = quotaPlan(store, place, quotaBytes);
      if (going.length > 0) {
        await drop(going);
        log(`revisions ${going.join(', ')} are dropped: more than ${formatByteSize(quotaBytes)} was kept`);
      }
      const isOver = leftBytes > quotaBytes;
      if (isOver && !this.#isOver)
        warn(
          `${formatByteSize(leftBytes)} are kept for revisions, more than ${formatByteSize(quotaBytes)}; ${OVER_QUOTA_ADVICE}`,
        );
      this.#isOver = isOver;
    } catch (error) {
      warn(`what is kept for revisions could not be held within its quota: ${explain(error)}`);
    }
  }
}
