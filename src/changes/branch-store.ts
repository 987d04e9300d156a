import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { FsRefusal, StateCorruptError } from '../core/errors.ts';
import { storage, syncFolderOf } from '../core/storage.ts';
import { BRANCHES_FOLDER } from '../materializer/landing.ts';
import { foldedName, MAIN_BRANCH } from './branch-name.ts';

/** Where journal and results of a branch lie. */
export interface BranchPlace {
  readonly state: string;
  readonly output: string;
}

/** The number of the branch `main`. */
export const MAIN_NUMBER = 0;

/** The state that a branch began with. */
export interface BranchOrigin {
  /** By number. */
  readonly branch: number;
  readonly revision: number;
}

export interface Branch {
  /** Counts from 1; never given again. */
  readonly number: number;
  readonly name: string;
  /** ISO 8601; when it was made. */
  readonly at: string;
  /** Absent for one that began with the plate alone. */
  readonly origin?: BranchOrigin;
  /** Of its results, among those of branches. */
  readonly folder: string;
  /** What that folder is called once a rename is done. */
  readonly nextFolder?: string;
}

const FILE = 'branch.json';
const NUMBER = /^[1-9]\d*$/;
const DELETED = '.deleted-';

function readBranch(folder: string): Branch {
  const path = join(folder, FILE);
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Branch;
  } catch (cause) {
    throw new StateCorruptError(path, 'says nothing of its branch', { cause });
  }
}

function writeWhole(path: string, value: unknown): void {
  writeFileSync(`${path}.new`, JSON.stringify(value), { mode: 0o600, flush: true });
  renameSync(`${path}.new`, path);
  syncFolderOf(path);
}

function syncFile(path: string): void {
  const fd = storage.open(path, 'r');
  try {
    storage.sync(fd);
  } finally {
    storage.close(fd);
  }
}

/** Whether a state folder is that of a branch other than `main`. */
export const isBranchState = (state: string): boolean =>
  basename(dirname(state)) === BRANCHES_FOLDER && existsSync(join(state, FILE));

/** The plate's own state and output, those of `main`, by those of any of its branches. */
export function homeOf({ state, output }: BranchPlace): BranchPlace {
  return isBranchState(state)
    ? { state: dirname(dirname(state)), output: dirname(dirname(output)) }
    : { state, output };
}

/** The number of the branch that a state folder is of. */
export const branchNumberOf = (state: string): number =>
  isBranchState(state) ? Number(basename(state)) : MAIN_NUMBER;

/**
 * The branches of a plate: a folder each in `main`'s state folder, whole or absent, with a journal of its own; results
 * in a folder each of `main`'s output folder. Who changes anything holds the branches' lock.
 */
export class BranchStore {
  readonly home: BranchPlace;
  readonly #folder: string;

  /** @param home as {@link homeOf} tells it. */
  constructor(home: BranchPlace) {
    this.home = home;
    this.#folder = join(home.state, BRANCHES_FOLDER);
  }

  /** The branches of the plate that a place is of. */
  static of(place: BranchPlace): BranchStore {
    return new BranchStore(homeOf(place));
  }

  /** Oldest first, without `main`. @throws StateCorruptError for one that can't be read. */
  list(): Branch[] {
    if (!existsSync(this.#folder)) return [];
    return readdirSync(this.#folder)
      .filter((name) => NUMBER.test(name) && existsSync(join(this.#folder, name, FILE)))
      .map(Number)
      .sort((a, b) => a - b)
      .map((number) => readBranch(this.stateOf(number)));
  }

  stateOf(number: number): string {
    return number === MAIN_NUMBER ? this.home.state : join(this.#folder, String(number));
  }

  /** A branch by its name, as it is written; undefined for none. */
  find(name: string): Branch | undefined {
    return this.list().find((branch) => branch.name === name);
  }

  /** @throws FsRefusal for a name that no branch has. */
  demand(name: string): Branch {
    const found = this.find(name);
    if (found) return found;
    const names = [MAIN_BRANCH, ...this.list().map((branch) => branch.name)];
    throw new FsRefusal('no-such-entry', `there is no branch '${name}'`, {
      advice: `there are: ${names.join(', ')}`,
    });
  }

  nameOf(number: number): string {
    return number === MAIN_NUMBER ? MAIN_BRANCH : readBranch(this.stateOf(number)).name;
  }

  /** @throws StateCorruptError where there is no such branch. */
  placeOf(number: number): BranchPlace {
    if (number === MAIN_NUMBER) return this.home;
    const state = this.stateOf(number);
    return { state, output: this.outputOf(readBranch(state)) };
  }

  #outputPath(folder: string): string {
    return join(this.home.output, BRANCHES_FOLDER, folder);
  }

  /** Where a branch's results lie, also in the middle of a rename. */
  outputOf({ folder, nextFolder }: Branch): string {
    const isMoved =
      nextFolder !== undefined &&
      !existsSync(this.#outputPath(folder)) &&
      existsSync(this.#outputPath(nextFolder));
    return this.#outputPath(isMoved ? nextFolder : folder);
  }

  /** Branches that began with a revision of this one. */
  on(number: number): Branch[] {
    return this.list().filter(({ origin }) => origin?.branch === number);
  }

  /** Revisions of a branch that others refer to, with the names of those. */
  pinned(number: number): Map<number, string[]> {
    const found = new Map<number, string[]>();
    for (const { name, origin } of this.on(number))
      if (origin) found.set(origin.revision, [...(found.get(origin.revision) ?? []), name]);
    return found;
  }

  /** @throws FsRefusal when a branch is called so, or so that some file systems know no difference. */
  demandFree(name: string, but?: number): void {
    const other = this.list().find(
      (branch) => branch.number !== but && foldedName(branch.name) === foldedName(name),
    );
    if (!other) return;
    const detail = other.name === name ? '' : ', which differs only in how it is spelled';
    throw new FsRefusal('entry-exists', `there is a branch '${other.name}' already${detail}`, {
      advice: "see 'platefs branch list'",
    });
  }

  /** A folder for results that nobody has. */
  freeFolder(name: string): string {
    const taken = new Set(this.list().flatMap(({ folder, nextFolder }) => [folder, nextFolder ?? folder]));
    for (let attempt = 1; ; attempt++) {
      const end = attempt === 1 ? '' : `~${attempt}`;
      let head = name;
      while (Buffer.byteLength(head + end) > 255) head = [...head].slice(0, -1).join('');
      const folder = head + end;
      if (!taken.has(folder) && !existsSync(this.#outputPath(folder))) return folder;
    }
  }

  /**
   * Makes a branch: it is whole, and safe from power loss, or not there.
   * @param fill puts into its folder what it begins with.
   */
  add(branch: Omit<Branch, 'number'>, fill: (folder: string, number: number) => void): Branch {
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    const lastPath = join(this.#folder, 'last');
    const last = existsSync(lastPath) ? Number(readFileSync(lastPath, 'utf8')) : 0;
    const number = Math.max(last, ...this.list().map((one) => one.number)) + 1;
    writeWhole(lastPath, number);
    const staged = join(this.#folder, `.new-${number}`);
    mkdirSync(staged, { mode: 0o700 });
    const whole: Branch = { number, ...branch };
    fill(staged, number);
    for (const name of readdirSync(staged)) syncFile(join(staged, name));
    writeWhole(join(staged, FILE), whole);
    renameSync(staged, this.stateOf(number));
    syncFolderOf(this.stateOf(number));
    return whole;
  }

  /** Gives a branch another name, and its results a folder of that name. Nobody may be reading them. */
  rename(branch: Branch, name: string): Branch {
    const folder = basename(this.outputOf(branch));
    const path = join(this.stateOf(branch.number), FILE);
    const renamed: Branch = { ...branch, name, folder };
    const nextFolder = this.freeFolder(name);
    writeWhole(path, { ...renamed, nextFolder });
    if (existsSync(this.#outputPath(folder))) {
      renameSync(this.#outputPath(folder), this.#outputPath(nextFolder));
      syncFolderOf(this.#outputPath(nextFolder));
    }
    const { nextFolder: _, ...done } = { ...renamed, folder: nextFolder, nextFolder };
    writeWhole(path, done);
    return done;
  }

  /** A branch is no more from here on; what it had is taken away by {@link sweep}. */
  remove({ number }: Branch): void {
    const aside = join(this.#folder, `${DELETED}${number}`);
    renameSync(this.stateOf(number), aside);
    syncFolderOf(aside);
  }

  /**
   * Takes away what deleted branches had, and what branches would have had that were never made.
   * @param clear removes what lies elsewhere, by the state folder that a branch had.
   */
  sweep(clear: (state: string) => void): void {
    if (!existsSync(this.#folder)) return;
    for (const name of readdirSync(this.#folder)) {
      const path = join(this.#folder, name);
      if (name.startsWith('.new-')) rmSync(path, { recursive: true, force: true });
      if (!name.startsWith(DELETED)) continue;
      // What says where its results lie goes last.
      if (existsSync(join(path, FILE))) {
        rmSync(this.outputOf(readBranch(path)), { recursive: true, force: true });
        clear(this.stateOf(Number(name.slice(DELETED.length))));
      }
      for (const inner of readdirSync(path))
        if (inner !== FILE) rmSync(join(path, inner), { recursive: true, force: true });
      rmSync(path, { recursive: true, force: true });
    }
  }
}
