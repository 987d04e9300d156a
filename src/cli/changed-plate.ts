import { existsSync } from 'node:fs';
import { isAbsolute, resolve, sep } from 'node:path';
import type { Argv } from 'yargs';
import type { WrittenState } from '../changes/written-state.ts';
import { stateFolder } from '../config/xdg.ts';
import { callControl } from '../control/control-client.ts';
import type { ListedMount } from '../control/mount-registry.ts';
import { BadParameterError, NotRunningError } from '../core/errors.ts';
import { ChangeSet } from '../daemon/change-set.ts';
import { checkSources, definitionOf, resolveDefinition } from './mount-plan.ts';
import { mountpointPath } from './mount-table.ts';
import { ownRegistry } from './running-mount.ts';

/** A plate that was written to: mounted now, or what an earlier mount left. */
export interface ChangedPlate {
  /** What people call it: the mountpoint, or the plate where it is not mounted. */
  readonly name: string;
  readonly sources: readonly string[];
  readonly state: string;
  readonly output: string;
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
}

/** The words that name a changed plate, for commands that work on all of one. */
export function placeOptions(yargs: Argv): Argv {
  return yargs
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
}: PlateArgs): Promise<ChangedPlate> {
  const mounts = ownRegistry().list();
  const places = [mountpointPath(word), resolve(word)];
  const found = mounts
    .filter(({ mountpoint }) => places.some((place) => isWithin(place, mountpoint)))
    .toSorted((a, b) => b.mountpoint.length - a.mountpoint.length)[0];
  if (found) return placesInMount(found, word, path);
  const definition = checkSources(await definitionOf(word));
  const overrides = {
    ...(output === undefined ? {} : { output }),
    ...(state === undefined ? {} : { state }),
  };
  // It is only asked where its state lies, so that any mountpoint does.
  const request = { definition, mountpoint: '/', overrides, hooks: undefined };
  const resolved = resolveDefinition(request, stateFolder());
  const running = mounts.find((one) => one.isAlive && one.state === resolved.state);
  if (running) return placesInMount(running, running.mountpoint, path);
  return {
    name: resolved.source,
    sources: [resolved.source, ...(resolved.sources ?? []).map((one) => one.path)],
    state: resolved.state,
    output: resolved.output,
    paths: path.length === 0 ? [''] : path.map((one) => pathBelow(one, undefined)),
  };
}

function placesInMount(found: ListedMount, word: string, path: readonly string[]): ChangedPlate {
  const { mountpoint, source, state, output, isAlive } = found;
  const below = pathBelow(word, mountpoint);
  if (below !== '' && path.length > 0)
    throw new BadParameterError(word, `is a path in ${mountpoint}; name the mountpoint first, then paths`);
  const paths = path.length === 0 ? [below] : path.map((one) => pathBelow(one, mountpoint));
  return {
    name: mountpoint,
    sources: [source],
    state,
    output,
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
  return existsSync(state) ? await ChangeSet.open(state, output) : undefined;
}

/** @throws NotRunningError for a plate that is not mounted. */
export function demandMount({ mount, name }: ChangedPlate, what: string): ListedMount {
  if (mount) return mount;
  throw new NotRunningError(`${name} is not mounted`, {
    advice: `mount it with  platefs mount ${name} MOUNTPOINT  , then ${what}`,
  });
}
