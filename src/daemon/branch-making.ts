/** Branches are made, renamed and deleted: whole or not at all, and never under whoever reads them. */
import { copyFileSync, existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { checkBranchName, MAIN_BRANCH, type OriginWish } from '../changes/branch-name.ts';
import { branchRecords } from '../changes/branch-records.ts';
import {
  type Branch,
  type BranchOrigin,
  type BranchPlace,
  BranchStore,
  MAIN_NUMBER,
} from '../changes/branch-store.ts';
import { frozenState } from '../changes/frozen-records.ts';
import { type Revision, RevisionStore } from '../changes/revision-store.ts';
import { savedState } from '../changes/written-state.ts';
import { AlreadyRunningError, FsRefusal } from '../core/errors.ts';
import { passFaultPoint } from '../core/fault-points.ts';
import { systemCode } from '../core/system-code.ts';
import { Journal } from '../journal/journal.ts';
import { journalPath } from '../overlay/open-overlay.ts';
import type { SharedTree } from '../tree/shared-tree.ts';
import { whileBranchesRest } from './branch-lock.ts';
import { memoryFolderPath } from './memory-folder.ts';
import { savedMount } from './saved-mount.ts';
import { presentParts } from './session-parts.ts';
import { SessionTree } from './session-tree.ts';
import { lockState } from './state-lock.ts';

/** What a branch hands down of how its plate is shown: what was written means nothing otherwise. */
const SHOWN_AS_FILES = ['names.json', 'kind.json', 'parts.json'];

/** Has a running mount keep what is there now; undefined where no mount runs on that state. */
export type KeepLive = (state: string) => Promise<Revision | undefined | 'not-mounted'>;

const numberOf = (store: BranchStore, name: string): number =>
  name === MAIN_BRANCH ? MAIN_NUMBER : store.demand(name).number;

/** The state of an unmounted branch as a revision; its last one where nothing has changed since. */
async function freeze({ state }: BranchPlace): Promise<Revision | undefined> {
  const unlock = lockState(state);
  try {
    if (!existsSync(join(state, 'tree-present'))) return undefined;
    const { tree } = await savedMount(state);
    const written = savedState({ state, memory: memoryFolderPath(state) }, tree);
    const { records, ...facts } = frozenState(written, tree);
    const store = new RevisionStore(state);
    const last = store.list().at(-1);
    const none = frozenState({ records: [], files: [] }, tree).digest;
    if (facts.digest === (last?.digest ?? none)) return last;
    return store.add({ at: new Date().toISOString(), reason: 'branch', ...facts }, records);
  } finally {
    unlock();
  }
}

/** The revision that a branch is to begin with; undefined where nothing was ever written there. */
async function originOf(
  store: BranchStore,
  wish: OriginWish,
  keepLive: KeepLive,
): Promise<{ readonly origin: BranchOrigin; readonly leftOut: readonly string[] } | undefined> {
  const branch = numberOf(store, wish.branch);
  const place = store.placeOf(branch);
  const revisions = new RevisionStore(place.state);
  if (wish.revision !== undefined) {
    const found = revisions.get(wish.revision);
    if (!found)
      throw new FsRefusal('no-such-entry', `${wish.branch} has no revision ${wish.revision}`, {
        advice: "see 'platefs history'",
      });
    return { origin: { branch, revision: found.number }, leftOut: found.leftOut };
  }
  const live = await keepLive(place.state);
  const revision = live === 'not-mounted' ? await freeze(place) : (live ?? revisions.list().at(-1));
  return revision && { origin: { branch, revision: revision.number }, leftOut: revision.leftOut };
}

/** The tree of a part, which a running mount may be writing anew. */
function presentTree(state: string, part: number): SharedTree {
  for (let tries = 1; ; tries++) {
    try {
      return new SessionTree(state, part).resume().shared;
    } catch (error) {
      if (tries === 4 || systemCode(error) !== 'ENOENT') throw error;
    }
  }
}

/** Puts into a new branch's folder what it begins with. */
function fill(store: BranchStore, origin: BranchOrigin, folder: string): void {
  const from = store.stateOf(origin.branch);
  for (const name of SHOWN_AS_FILES)
    if (existsSync(join(from, name))) copyFileSync(join(from, name), join(folder, name));
  // So that what is in it can be told before it was ever mounted.
  for (const { number } of [{ number: 0 }, ...presentParts(from)])
    new SessionTree(folder, number).begin(presentTree(from, number));
  const records = branchRecords(new RevisionStore(from).records(origin.revision), origin.branch);
  const { journal } = Journal.open(journalPath({ state: folder, memory: folder }), () => {});
  journal.rewrite(records);
  journal.close();
}

export interface MadeBranch {
  readonly branch: Branch;
  readonly place: BranchPlace;
  /** Files that were being written in the branch it comes from: in it as they had last landed, or not at all. */
  readonly leftOut: readonly string[];
}

/** Removes what branches had that are no more, and what others would have had. */
function sweep(store: BranchStore): void {
  store.sweep((state) => rmSync(memoryFolderPath(state), { recursive: true, force: true }));
}

/**
 * Makes a branch of a plate; of its bytes nothing is copied.
 * @param home the place of `main`.
 * @param wish what it begins with; the plate alone unless given.
 * @throws BadParameterError for a bad name; FsRefusal where there is such a branch, or no such origin;
 * AlreadyRunningError where another process works on its origin.
 */
export async function makeBranch(
  home: BranchPlace,
  name: string,
  wish: OriginWish | undefined,
  keepLive: KeepLive,
): Promise<MadeBranch> {
  checkBranchName(name, 'branch');
  const store = new BranchStore(home);
  store.demandFree(name);
  const found = wish && (await originOf(store, wish, keepLive));
  return await whileBranchesRest(home.state, () => {
    sweep(store);
    store.demandFree(name);
    const origin = found?.origin;
    if (origin) {
      // Nobody drops it from here on.
      store.placeOf(origin.branch);
      if (!new RevisionStore(store.stateOf(origin.branch)).has(origin.revision))
        throw new FsRefusal('no-such-entry', `revision ${origin.revision} was dropped meanwhile`);
    }
    const branch = store.add(
      {
        name,
        at: new Date().toISOString(),
        folder: store.freeFolder(name),
        ...(origin ? { origin } : {}),
      },
      (folder) => {
        if (origin) fill(store, origin, folder);
        passFaultPoint('branch.before-name');
      },
    );
    return { branch, place: store.placeOf(branch.number), leftOut: found?.leftOut ?? [] };
  });
}

/** Branches that read files of this one: those on it, those on them, and so on. */
function dependents(store: BranchStore, number: number): Branch[] {
  const direct = store.on(number);
  return direct.flatMap((branch) => [branch, ...dependents(store, branch.number)]);
}

/** Runs work while none of these branches is mounted. @throws AlreadyRunningError naming one that is. */
function whileUnmounted<T>(store: BranchStore, branches: readonly Branch[], what: string, work: () => T): T {
  const unlocks: (() => void)[] = [];
  try {
    for (const { number, name } of branches) {
      try {
        unlocks.push(lockState(store.stateOf(number)));
      } catch (error) {
        if (!(error instanceof AlreadyRunningError)) throw error;
        throw new AlreadyRunningError(`the branch '${name}' is mounted`, {
          cause: error,
          advice: `unmount it, then ${what}`,
        });
      }
    }
    return work();
  } finally {
    for (const unlock of unlocks) unlock();
  }
}

/** @throws FsRefusal for `main`, which is always there. */
function demandNotMain(name: string): void {
  if (name === MAIN_BRANCH)
    throw new FsRefusal(
      'not-permitted',
      `'${MAIN_BRANCH}' is what is mounted where no branch is named; it stays`,
    );
}

/**
 * Gives a branch another name, and the folder of its results too.
 * @throws BadParameterError for a bad name; FsRefusal where there is no such branch, or one of that name;
 * AlreadyRunningError where it, or a branch that reads its files, is mounted.
 */
export async function renameBranch(home: BranchPlace, from: string, to: string): Promise<Branch> {
  demandNotMain(from);
  checkBranchName(to, 'branch');
  const store = new BranchStore(home);
  return await whileBranchesRest(home.state, () => {
    sweep(store);
    const branch = store.demand(from);
    if (from === to) return branch;
    store.demandFree(to, branch.number);
    const readers = [branch, ...dependents(store, branch.number)];
    return whileUnmounted(store, readers, 'rename it', () => store.rename(branch, to));
  });
}

/**
 * Deletes a branch with its revisions and results. What was deleted once stays deleted, also where the process is
 * killed before all of it is gone: the next change of branches goes on.
 * @throws FsRefusal where there is no such branch, or others began with one of its revisions, naming them;
 * AlreadyRunningError while it is mounted.
 */
export async function deleteBranch(home: BranchPlace, name: string): Promise<Branch> {
  demandNotMain(name);
  const store = new BranchStore(home);
  return await whileBranchesRest(home.state, () => {
    sweep(store);
    const branch = store.demand(name);
    const others = store.on(branch.number).map((other) => `'${other.name}'`);
    if (others.length > 0)
      throw new FsRefusal('not-permitted', `files of '${name}' are those of ${others.join(', ')} too`, {
        advice: 'delete the branches that began with it first',
      });
    whileUnmounted(store, [branch], 'delete it', () => store.remove(branch));
    passFaultPoint('branch.deleted-not-cleared');
    sweep(store);
    return branch;
  });
}
