import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isNamed, planQuota } from '../../../src/changes/revision-quota.ts';
import type { Revision } from '../../../src/changes/revision-store.ts';

const revision = (
  number: number,
  reason: Revision['reason'],
  landings: readonly string[],
  message?: string,
): Revision => ({
  ...{ number, at: '', reason, files: 0, sizeBytes: 0, digest: '', leftOut: [], landings },
  ...(message === undefined ? {} : { message }),
});
const kept = new Map([
  ['a', 10],
  ['b', 20],
  ['c', 30],
]);
const none: ReadonlySet<number> = new Set();

describe('a quota of what is kept for revisions', () => {
  it('takes the oldest that nobody named first, and no more than it must', () => {
    const revisions = [
      revision(1, 'snapshot', ['a']),
      revision(2, 'unmount', ['b']),
      revision(3, 'commit', ['c']),
      revision(4, 'unmount', []),
    ];
    expect(planQuota(revisions, kept, 60, none)).toEqual({ drop: [], leftBytes: 60 });
    expect(planQuota(revisions, kept, 59, none)).toEqual({ drop: [2], leftBytes: 40 });
    expect(planQuota(revisions, kept, 39, none)).toEqual({ drop: [2, 3], leftBytes: 10 });
    // What is left is a snapshot: it stays, whatever it takes.
    expect(planQuota(revisions, kept, 1, none)).toEqual({ drop: [2, 3], leftBytes: 10 });
  });

  it('drops nothing in vain: what named ones, branches and the newest need is kept by them', () => {
    const revisions = [
      revision(1, 'unmount', ['a']),
      revision(2, 'unmount', ['b']),
      revision(3, 'unmount', ['a', 'c']),
      revision(4, 'commit', ['c'], 'with a name'),
      revision(5, 'unmount', ['c']),
    ];
    expect(planQuota(revisions, kept, 0, new Set([2]))).toEqual({ drop: [1, 3], leftBytes: 50 });
    expect(planQuota(revisions, kept, 0, new Set([2, 3]))).toEqual({ drop: [], leftBytes: 60 });
  });

  it('frees exactly what nobody needs any more, and is met wherever it can be', () => {
    const landing = fc.constantFrom('a', 'b', 'c', 'd', 'e');
    const made = fc.record({
      reason: fc.constantFrom('snapshot' as const, 'unmount' as const, 'commit' as const, 'branch' as const),
      landings: fc.uniqueArray(landing, { maxLength: 4 }),
      isPinned: fc.boolean(),
    });
    const sizes = fc.dictionary(landing, fc.nat(100)).map((all) => new Map(Object.entries(all)));
    fc.assert(
      fc.property(fc.array(made, { maxLength: 8 }), sizes, fc.nat(250), (list, keptBytes, quota) => {
        const revisions = list.map(({ reason, landings }, i) => revision(i + 1, reason, landings));
        const pinned = new Set(list.flatMap(({ isPinned }, i) => (isPinned ? [i + 1] : [])));
        const bytesOf = (dropped: ReadonlySet<number>): number => {
          const needed = new Set(
            revisions.filter(({ number }) => !dropped.has(number)).flatMap(({ landings }) => landings),
          );
          return [...keptBytes].reduce((sum, [id, size]) => sum + (needed.has(id) ? size : 0), 0);
        };
        const { drop, leftBytes } = planQuota(revisions, keptBytes, quota, pinned);
        const dropped = new Set(drop);
        expect(leftBytes).toBe(bytesOf(dropped));
        const mayGo = revisions
          .slice(0, -1)
          .filter((one) => !isNamed(one) && !pinned.has(one.number))
          .map(({ number }) => number);
        expect(drop.filter((number) => !mayGo.includes(number))).toEqual([]);
        const leastBytes = bytesOf(new Set(mayGo));
        expect(leftBytes <= quota || leftBytes === leastBytes).toBe(true);
        for (const number of drop) {
          const without = new Set(drop.filter((one) => one !== number));
          expect(bytesOf(without)).toBeGreaterThan(leftBytes);
        }
      }),
    );
  });
});
