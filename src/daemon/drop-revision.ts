import { type BranchPlace, BranchStore, branchNumberOf, homeOf } from '../changes/branch-store.ts';
import { RevisionStore } from '../changes/revision-store.ts';
import { FsRefusal } from '../core/errors.ts';
import { whileBranchesRest } from './branch-lock.ts';

/**
 * Forgets revisions with what only they need, all of them or none. The state must be the caller's.
 * @throws FsRefusal where there is no such revision, or branches began with it, naming them.
 */
export async function dropRevisions(place: BranchPlace, numbers: readonly number[]): Promise<void> {
  const store = new RevisionStore(place.state);
  await whileBranchesRest(homeOf(place).state, () => {
    const pinned = BranchStore.of(place).pinned(branchNumberOf(place.state));
    for (const number of numbers) {
      if (!store.has(number)) throw new FsRefusal('no-such-entry', `there is no revision ${number}`);
      const branches = pinned.get(number);
      if (branches)
        throw new FsRefusal(
          'not-permitted',
          `branches began with revision ${number}: ${branches.join(', ')}`,
          {
            advice: 'delete those first, with  platefs branch delete',
          },
        );
    }
    for (const number of numbers) store.drop(number);
  });
}
