/** Which branch of a plate the words of a command name, and making one. */
import { checkBranchName, MAIN_BRANCH, type OriginWish } from '../changes/branch-name.ts';
import { type BranchPlace, BranchStore, MAIN_NUMBER } from '../changes/branch-store.ts';
import type { ResolvedDefinition } from '../config/daemon-spec.ts';
import { FsRefusal } from '../core/errors.ts';
import { type KeepLive, type MadeBranch, makeBranch } from '../daemon/branch-making.ts';
import type { CommandContext } from './command.ts';
import { makeRevision } from './make-revision.ts';
import { ownRegistry } from './running-mount.ts';

/** @throws FsRefusal for a name that no branch of the plate has. */
export function placeOfBranch(any: BranchPlace, name: string): BranchPlace {
  const store = BranchStore.of(any);
  return store.placeOf(name === MAIN_BRANCH ? MAIN_NUMBER : store.demand(name).number);
}

/** A branch's name as documents tell it: absent for `main`. */
export const toldBranch = (name: string | undefined): { readonly branch?: string } =>
  name === undefined || name === MAIN_BRANCH ? {} : { branch: name };

/** Asks a mount of ours to keep what is there; one of somebody else holds its state's lock. */
const keepLive =
  (context: CommandContext): KeepLive =>
  async (state) => {
    const mount = ownRegistry()
      .list()
      .find((one) => one.isAlive && one.state === state);
    return mount ? await makeRevision(mount, { reason: 'branch' }, context) : 'not-mounted';
  };

/** As {@link makeBranch}; says what could not be in it. */
export async function makePlateBranch(
  home: BranchPlace,
  name: string,
  wish: OriginWish | undefined,
  context: CommandContext,
): Promise<MadeBranch> {
  const made = await makeBranch(home, name, wish, keepLive(context));
  for (const path of made.leftOut)
    context.terminal.note(`${path} was being written: it is as it had last landed, or not there`);
  return made;
}

/**
 * The branch to be mounted.
 * @param plate what is mounted where no branch is named.
 * @param wish what it is made from; only where there is none of that name.
 * @returns `make`, to be called when nothing else stands in the way, where there is none yet.
 * @throws BadParameterError for a bad name; FsRefusal where a branch is there that `wish` would make anew.
 */
export function mountedBranch(
  plate: ResolvedDefinition,
  name: string | undefined,
  wish: OriginWish | undefined,
):
  | { readonly definition: ResolvedDefinition }
  | { readonly make: (context: CommandContext) => Promise<ResolvedDefinition> } {
  const on = (place: BranchPlace): ResolvedDefinition => ({
    ...plate,
    state: place.state,
    output: place.output,
    ...toldBranch(name),
  });
  const store = new BranchStore(plate);
  const found = name === undefined || name === MAIN_BRANCH ? undefined : store.find(name);
  if (wish && (found || name === undefined || name === MAIN_BRANCH))
    throw new FsRefusal('entry-exists', `the branch '${name ?? MAIN_BRANCH}' is there already`, {
      advice: 'leave out --from, or name another branch',
    });
  if (name === undefined || name === MAIN_BRANCH) return { definition: plate };
  if (found) return { definition: on(store.placeOf(found.number)) };
  checkBranchName(name, '--branch');
  store.demandFree(name);
  return { make: async (context) => on((await makePlateBranch(plate, name, wish, context)).place) };
}
