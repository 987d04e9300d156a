import type { Revision } from './revision-store.ts';

/** What may be kept for revisions alone unless a mount says otherwise. */
export const DEFAULT_REVISION_QUOTA_BYTES = 10 * 2 ** 30;

export interface QuotaPlan {
  /** Revisions to be dropped, oldest first. */
  readonly drop: readonly number[];
  /** Kept for revisions alone once they are. */
  readonly leftBytes: number;
}

/** A revision that somebody asked for by `platefs snapshot`, or by restoring, which keeps what was there before. */
export const isNamed = ({ reason, message }: Revision): boolean =>
  reason === 'snapshot' || message !== undefined;

/**
 * Pure: which revisions go so that no more than a quota is kept for them: the oldest that nobody named first, and of
 * those none whose end frees nothing that is needed. What was named, what branches began with and the newest one stay.
 * @param keptBytes by landing, bytes that lie on disk for revisions alone.
 * @param pinned revisions that branches began with.
 */
export function planQuota(
  revisions: readonly Revision[],
  keptBytes: ReadonlyMap<string, number>,
  quotaBytes: number,
  pinned: ReadonlySet<number>,
): QuotaPlan {
  const users = new Map<string, number>();
  for (const { landings } of revisions)
    for (const landing of new Set(landings)) users.set(landing, (users.get(landing) ?? 0) + 1);
  let leftBytes = 0;
  for (const [landing, sizeBytes] of keptBytes) if (users.has(landing)) leftBytes += sizeBytes;
  const use = ({ landings }: Revision, by: 1 | -1): number => {
    let bytes = 0;
    for (const landing of new Set(landings)) {
      const before = users.get(landing) ?? 0;
      users.set(landing, before + by);
      if (before === (by === 1 ? 0 : 1)) bytes += keptBytes.get(landing) ?? 0;
    }
    return bytes;
  };
  const dropped: Revision[] = [];
  for (const revision of revisions.slice(0, -1)) {
    if (leftBytes <= quotaBytes) break;
    if (isNamed(revision) || pinned.has(revision.number)) continue;
    leftBytes -= use(revision, -1);
    dropped.push(revision);
  }
  // What did not help stays, the newest first.
  const drop: number[] = [];
  for (const revision of dropped.toReversed()) {
    const backBytes = use(revision, 1);
    if (backBytes === 0) continue;
    use(revision, -1);
    drop.unshift(revision.number);
  }
  return { drop, leftBytes };
}
