import { existsSync } from 'node:fs';
import { isAbsolute, join, resolve, sep } from 'node:path';
import type { Argv } from 'yargs';
import { MAIN_BRANCH } from '../changes/branch-name.ts';
import type { BranchPlace } from '../changes/branch-store.ts';
import type { Difference } from '../changes/view-differences.ts';
import type { WrittenState } from '../changes/written-state.ts';
import { stateFolder } from '../config/xdg.ts';
import { callControl } from '../control/control-client.ts';
import type { ListedMount } from '../control/mount-registry.ts';
import { BadParameterError, NotRunningError } from '../core/errors.ts';
import { shellWord } from '../core/shell-word.ts';
import { ChangeSet } from '../daemon/change-set.ts';
import { checkSources, definitionOf, resolveDefinition } from './mount-plan.ts';
import { mountpointPath } from './mount-table.ts';
import { placeOfBranch, toldBranch } from './plate-branch.ts';
import { ownRegistry } from './running-mount.ts';

/** A plate that was written to: mounted now, or what an earlier mount left. */
export interface ChangedPlate {
  /** What people call it: the mountpoint, or the plate where it is not mounted. */
  readonly name: string;
  readonly sources: readonly string[];
  readonly state: string;
  readonly output: string;
  /** Of the plate; absent for `main`. */
  readonly branch?: string;
  /** Present while it is mounted. */
  readonly mount?: ListedMount;
  /** Below the mount's root, without leading slashes; '' is all of it. */
  readonly paths: readonly string[];
}

export interface PlateArgs {
  readonly mount: string;
  readonly path: readonly string[] | undefined;
  readonly output: string | undefined;
  readonly state: string | undefined;
  /** The mount's own, or `main`, unless given. */
  readonly branch?: string | undefined;
}

/**
 * The words that name a changed plate, for commands that work on all of one.
 * @param ofBranch whether they work on one branch of it.
 */
export function placeOptions(yargs: Argv, ofBranch = true): Argv {
  const branched = ofBranch
    ? yargs.option('branch', {
        type: 'string',
        describe: 'a branch of it; what is mounted, or main, unless given',
      })
    : yargs;
  return branched
    .positional('mount', {
      type: 'string',
      demandOption: true,
      describe: 'where the plate is mounted, or the plate itself when it is not',
    })
    .option('output', { type: 'string', describe: 'as it was mounted, for a plate that is not mounted' })
    .option('state', { type: 'string', describe: 'as it was mounted, for a plate that is not mounted' });
}

/** The same, for commands that work on some paths of one. */
export function plateOptions(yargs: Argv): Argv {
  return placeOptions(yargs).positional('path', {
    type: 'string',
    array: true,
    describe: 'files or folders in the mount; all of it unless given',
  });
}

const isWithin = (path: string, folder: string): boolean => `${path}${sep}`.startsWith(`${folder}${sep}`);

/** A word as a path below a mount's root. @throws BadParameterError for one that leads out of it. */
function pathBelow(word: string, mountpoint: string | undefined): string {
  if (mountpoint !== undefined)
    for (const absolute of [mountpointPath(word), resolve(word)])
      if (isWithin(absolute, mountpoint)) return absolute.slice(mountpoint.length + 1);
  const parts = word.split('/').filter((part) => part !== '' && part !== '.');
  if (isAbsolute(word) || parts.includes('..'))
    throw new BadParameterError(
      word,
      mountpoint === undefined
        ? 'write paths as the mount has them, like images/A01_s001_w1_z001_t001.tif'
        : `lies outside ${mountpoint}`,
    );
  return parts.join('/');
}

/**
 * What words of the command line mean: a mount or a place in one, then places in it.
 * @throws NotRunningError where a mount's daemon is gone and its state too; BadParameterError; UnreadableSourceError.
 */
export async function changedPlate({
  mount: word,
  path = [],
  output,
  state,
  branch,
}: PlateArgs): Promise<ChangedPlate> {
  const mounts = ownRegistry().list();
  const places = [mountpointPath(word), resolve(word)];
  const found = mounts
    .filter(({ mountpoint }) => places.some((place) => isWithin(place, mountpoint)))
    .toSorted((a, b) => b.mountpoint.length - a.mountpoint.length)[0];
  if (found) {
    if (branch === undefined || branch === (found.branch ?? MAIN_BRANCH))
      return placesInMount(found, word, path);
    const place = placeOfBranch(found, branch);
    const other = mounts.find((one) => one.isAlive && one.state === place.state);
    if (other) return placesInMount(other, other.mountpoint, path);
    return unmounted([found.source], place, branch, path);
  }
  const definition = checkSources(await definitionOf(word));
  const overrides = {
    ...(output === undefined ? {} : { output }),
    ...(state === undefined ? {} : { state }),
  };
  // It is only asked where its state lies, so that any mountpoint does.
  const request = { definition, mountpoint: '/', overrides, hooks: undefined };
  const resolved = resolveDefinition(request, stateFolder());
  const chosen = branch ?? definition.branch ?? MAIN_BRANCH;
  const place = chosen === MAIN_BRANCH ? resolved : placeOfBranch(resolved, chosen);
  const running = mounts.find((one) => one.isAlive && one.state === place.state);
  if (running) return placesInMount(running, running.mountpoint, path);
  const sources = [resolved.source, ...(resolved.sources ?? []).map((one) => one.path)];
  return unmounted(sources, place, chosen, path);
}

function unmounted(
  sources: readonly string[],
  { state, output }: BranchPlace,
  branch: string,
  path: readonly string[],
): ChangedPlate {
  const [name = ''] = sources;
  return {
    name: branch === MAIN_BRANCH ? name : `${name} (${branch})`,
    sources,
    state,
    output,
    ...toldBranch(branch),
    paths: path.length === 0 ? [''] : path.map((one) => pathBelow(one, undefined)),
  };
}

function placesInMount(found: ListedMount, word: string, path: readonly string[]): ChangedPlate {
  const { mountpoint, source, state, output, branch, isAlive } = found;
  const below = pathBelow(word, mountpoint);
  if (below !== '' && path.length > 0)
    throw new BadParameterError(word, `is a path in ${mountpoint}; name the mountpoint first, then paths`);
  const paths = path.length === 0 ? [below] : path.map((one) => pathBelow(one, mountpoint));
  return {
    name: mountpoint,
    sources: [source],
    state,
    output,
    ...toldBranch(branch),
    ...(isAlive ? { mount: found } : {}),
    paths,
  };
}

/** A daemon with a million changes needs a while to tell them. */
const WRITTEN_SILENCE_MS = 120_000;

/** What a running mount's daemon says of everything written. */
export async function askWritten({ socket }: ListedMount, signal: AbortSignal): Promise<WrittenState> {
  return (await callControl(
    socket,
    'written',
    {},
    { silenceMs: WRITTEN_SILENCE_MS, signal },
  )) as WrittenState;
}

/** Everything written to a plate; undefined where nothing ever was. */
export async function openChanges(
  { mount, state, output }: ChangedPlate,
  signal: AbortSignal,
): Promise<ChangeSet | undefined> {
  if (mount) return await ChangeSet.open(state, output, await askWritten(mount, signal));
  // A branch that was made from the plate alone has no state before its first mount, nor has a plate with branches only.
  return existsSync(join(state, 'tree-present')) ? await ChangeSet.open(state, output) : undefined;
}

/** Where two branches of a plate differ, at and below the first one's paths. */
export async function differencesBetween(
  plate: ChangedPlate,
  other: ChangedPlate,
  signal: AbortSignal,
): Promise<Difference[]> {
  const [here, there] = await Promise.all([openChanges(plate, signal), openChanges(other, signal)]);
  // Where nothing was ever written, the other's tree is the source.
  const one = here ?? there?.unwritten();
  const another = there ?? here?.unwritten();
  return one && another ? one.differencesTo(another, plate.paths) : [];
}

/** @throws NotRunningError for a plate that is not mounted. */
export function demandMount({ mount, name, sources, branch }: ChangedPlate, what: string): ListedMount {
  if (mount) return mount;
  const words = branch === undefined ? '' : ` --branch ${shellWord(branch)}`;
  throw new NotRunningError(`${name} is not mounted`, {
    advice: `mount it with  platefs mount ${sources[0] ?? name} MOUNTPOINT${words}  , then ${what}`,
  });
}
