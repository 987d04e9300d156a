import { createHash } from 'node:crypto';
import {
  accessSync,
  chmodSync,
  constants,
  mkdirSync,
  readdirSync,
  realpathSync,
  type Stats,
  statSync,
} from 'node:fs';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { geteuid } from 'node:process';
import type { ResolvedDefinition } from '../config/daemon-spec.ts';
import type { OptionOverrides } from '../config/mount-options.ts';
import { BadMountpointError, BadParameterError, FsRefusal, UnreadableSourceError } from '../core/errors.ts';
import { systemCode } from '../core/system-code.ts';
import { mountAt } from '../fuse/mount-table.ts';
import { checkLandingFormat } from '../model/landing-format.ts';
import type { HookRule, MountDefinition, ShownAs } from '../model/mount-definition.ts';
import { isUrl, localFolder } from '../model/source-url.ts';
import { isPlateMount, mountpointPath, probeMount } from './mount-table.ts';

/** What the command line says on top of a definition. */
export interface MountRequest {
  readonly definition: MountDefinition;
  readonly mountpoint: string | undefined;
  readonly overrides: OptionOverrides;
  /** Rules that replace the definition's. */
  readonly hooks: readonly HookRule[] | undefined;
}

/** A definition for a bare plate folder, a file or a store. */
function plainDefinition(source: string): MountDefinition {
  return {
    source: isUrl(source) ? source : resolve(source),
    hooks: [],
    options: { allowOther: false, noPassthrough: false, readOnly: false },
  };
}

/** What a word of the command line asks for: a mount definition, by its extension, or a source itself. */
export async function definitionOf(word: string): Promise<MountDefinition> {
  if (isUrl(word) || !/\.ya?ml$/i.test(word)) return plainDefinition(word);
  const { readMountDefinition } = await import('../config/definition-file.ts');
  return await readMountDefinition(word);
}

/** One folder of state per pair of plate and output: the same pair mounted again goes on where it stopped. */
function stateName(source: string, output: string): string {
  const digest = createHash('sha256').update(`${source}\0${output}`).digest('hex').slice(0, 12);
  return `${basename(source)
    .replaceAll(/[^\w.-]+/g, '_')
    .slice(0, 40)}-${digest}`;
}

/** Beside the source, or beside a definition of several; where there is nothing beside it, among the states of mounts. */
function defaultOutput({ source, sources }: MountDefinition, stateBase: string): string {
  if (isUrl(source)) return join(stateBase, 'results', stateName(source, ''));
  return `${sources ? source.replace(/\.ya?ml$/i, '') : source}_platefs`;
}

/** @throws BadParameterError for what is said of one source, where a definition names several. */
export function refuseForSeveral(
  definition: string,
  said: { readonly layout?: string | undefined; readonly as?: ShownAs | undefined },
): void {
  for (const key of ['layout', 'as'] as const)
    if (said[key] !== undefined)
      throw new BadParameterError(
        `--${key}`,
        `is said of one source; write  ${key}: …  beside that one's path in ${definition}`,
      );
}

/**
 * Merges definition and command line and decides every folder.
 * @param stateBase the folder that holds the state folders of all mounts.
 * @throws BadParameterError when no mountpoint is named, or when something is said of one source while there are several.
 */
export function resolveDefinition(request: MountRequest, stateBase: string): ResolvedDefinition {
  const { definition, overrides, hooks } = request;
  const mountpoint = request.mountpoint ?? definition.mountpoint;
  if (mountpoint === undefined)
    throw new BadParameterError('MOUNTPOINT', 'is missing; write  platefs mount PLATE MOUNTPOINT');
  const { source, sources } = definition;
  if (sources) refuseForSeveral(source, overrides);
  const given = overrides.output ?? definition.output;
  const output =
    given === undefined ? defaultOutput(definition, stateBase) : resolve(localFolder('output', given));
  const givenState = overrides.state ?? definition.state;
  const budgetBytes = overrides.budgetBytes ?? definition.budgetBytes;
  const readers = overrides.readers ?? definition.options.readers;
  const followLinks = overrides.followLinks ?? definition.options.followLinks;
  const watch = overrides.watch ?? definition.options.watch;
  const missing = overrides.missing ?? definition.options.missing;
  const durability = overrides.durability ?? definition.options.durability;
  const profile = overrides.profile ?? definition.options.profile;
  const float64 = overrides.float64 ?? definition.options.float64;
  const landing = { ...definition.options.landing, ...overrides.landing };
  checkLandingFormat(landing);
  const ngff = overrides.ngff ?? definition.options.ngff;
  const coldCacheBytes = overrides.coldCacheBytes ?? definition.options.coldCacheBytes;
  const hotCacheBytes = overrides.hotCacheBytes ?? definition.options.hotCacheBytes;
  const smallFileBytes = overrides.smallFileBytes ?? definition.options.smallFileBytes;
  const largeFileBytes = overrides.largeFileBytes ?? definition.options.largeFileBytes;
  const revisionQuotaBytes = overrides.revisionQuotaBytes ?? definition.options.revisionQuotaBytes;
  const names = overrides.names ?? definition.names;
  const layout = overrides.layout ?? definition.layout;
  const as = overrides.as ?? definition.as;
  if (layout !== undefined && as === 'sources')
    throw new BadParameterError('--layout', 'reads a folder as a plate; leave it out, or  --as sources');
  return {
    source,
    ...(sources ? { sources } : {}),
    ...(as === undefined ? {} : { as }),
    mountpoint: mountpointPath(mountpoint),
    output,
    state:
      givenState === undefined
        ? join(stateBase, stateName(source, output))
        : resolve(localFolder('state', givenState)),
    ...(names === undefined ? {} : { names }),
    ...(layout === undefined ? {} : { layout }),
    ...(budgetBytes === undefined ? {} : { budgetBytes }),
    hooks: hooks ?? definition.hooks,
    options: {
      allowOther: overrides.allowOther ?? definition.options.allowOther,
      noPassthrough: overrides.noPassthrough ?? definition.options.noPassthrough,
      readOnly: overrides.readOnly ?? definition.options.readOnly,
      ...(readers === undefined ? {} : { readers }),
      ...(followLinks === undefined ? {} : { followLinks }),
      ...(watch === undefined ? {} : { watch }),
      ...(missing === undefined ? {} : { missing }),
      ...(durability === undefined ? {} : { durability }),
      ...(profile === undefined ? {} : { profile }),
      ...(float64 === undefined ? {} : { float64 }),
      ...(ngff === undefined ? {} : { ngff }),
      ...(Object.keys(landing).length === 0 ? {} : { landing }),
      ...(coldCacheBytes === undefined ? {} : { coldCacheBytes }),
      ...(hotCacheBytes === undefined ? {} : { hotCacheBytes }),
      ...(smallFileBytes === undefined ? {} : { smallFileBytes }),
      ...(largeFileBytes === undefined ? {} : { largeFileBytes }),
      ...(revisionQuotaBytes === undefined ? {} : { revisionQuotaBytes }),
    },
  };
}

const codeOf = (error: unknown): string => systemCode(error) ?? 'unknown error';

/**
 * The real path of a plate's folder, a file or a store, checked to be one that can be read. An URL is what it is.
 * @throws UnreadableSourceError
 */
export function checkSource(source: string): string {
  if (isUrl(source)) return source;
  try {
    const real = realpathSync(source);
    const stat = statSync(real);
    if (stat.isFile()) {
      accessSync(real, constants.R_OK);
      return real;
    }
    if (!stat.isDirectory())
      throw new UnreadableSourceError(source, 'is neither a folder nor a file', {
        advice: 'name the folder that holds the plate',
      });
    accessSync(real, constants.R_OK | constants.X_OK);
    readdirSync(real);
    return real;
  } catch (error) {
    if (error instanceof UnreadableSourceError) throw error;
    const code = codeOf(error);
    if (code === 'ENOENT' || code === 'ENOTDIR')
      throw new UnreadableSourceError(source, 'there is no such file or folder', {
        advice: 'check the spelling of the path',
      });
    if (code === 'EACCES')
      throw new UnreadableSourceError(source, 'you may not read it', {
        advice: `ask its owner, or see  ls -ld ${source}`,
      });
    throw new UnreadableSourceError(source, 'cannot be read', { cause: error });
  }
}

/**
 * Checks the folder to mount on. Looks at the kernel's list first: asking a dead mount would fail or hang.
 * A mount whose PlateFS is gone is no obstacle: the supervisor takes it away.
 * @throws BadMountpointError when it is missing, no folder, in use or not empty.
 */
export async function checkMountpoint(mountpoint: string): Promise<void> {
  const mounted = mountAt(mountpoint);
  if (mounted && isPlateMount(mounted) && (await probeMount(mountpoint)) === 'dead') return;
  if (mounted)
    throw new BadMountpointError(mountpoint, `is in use by a mount of ${mounted.source} (${mounted.type})`, {
      advice: isPlateMount(mounted)
        ? `unmount it first:  platefs umount ${mountpoint}`
        : 'name another folder',
    });
  let stat: Stats;
  try {
    stat = statSync(mountpoint);
  } catch (error) {
    if (codeOf(error) === 'ENOENT')
      throw new BadMountpointError(mountpoint, 'does not exist', {
        advice: `make it:  mkdir -p ${mountpoint}`,
      });
    throw new BadMountpointError(mountpoint, 'cannot be used', { cause: error });
  }
  if (!stat.isDirectory())
    throw new BadMountpointError(mountpoint, 'is not a folder', { advice: 'name an empty folder' });
  let entries: string[];
  try {
    entries = readdirSync(mountpoint);
  } catch (error) {
    throw new BadMountpointError(mountpoint, 'cannot be read', { cause: error });
  }
  if (entries.length > 0)
    throw new BadMountpointError(mountpoint, `is not empty (${entries.slice(0, 3).join(', ')})`, {
      advice: 'name an empty folder, so that nothing of yours is hidden',
    });
}

const isWithin = (path: string, folder: string): boolean => path === folder || path.startsWith(folder + sep);

/** A definition with every source by its real path, each checked to be one that can be read. @throws UnreadableSourceError */
export function checkSources(definition: MountDefinition): MountDefinition {
  return {
    ...definition,
    source: checkSource(definition.source),
    ...(definition.sources
      ? { sources: definition.sources.map((one) => ({ ...one, path: checkSource(one.path) })) }
      : {}),
  };
}

/**
 * Refuses folders inside each other in ways that would hide or change the plate, or make the mount wait for
 * itself.
 * @throws BadParameterError, BadMountpointError
 */
export function checkFolders(definition: ResolvedDefinition): void {
  const { source, sources = [], output, options } = definition;
  for (const one of [source, ...sources.map(({ path }) => path)]) checkFoldersOf(one, definition);
  if (!options.readOnly) checkWritable(output, '--output');
}

function checkFoldersOf(source: string, { mountpoint, output, state }: ResolvedDefinition): void {
  if (isWithin(mountpoint, source) || isWithin(source, mountpoint))
    throw new BadMountpointError(mountpoint, `and ${source} lie inside each other`, {
      advice: 'name a mountpoint elsewhere',
    });
  for (const [name, path] of [
    ['--output', output],
    ['--state', state],
  ] as const) {
    if (isWithin(path, source))
      throw new BadParameterError(
        name,
        `${path} lies inside ${source}, which is never written to; name a folder elsewhere`,
      );
    if (isWithin(path, mountpoint))
      throw new BadParameterError(name, `${path} lies inside the mountpoint; name a folder elsewhere`);
  }
}

/** @throws BadParameterError when neither the folder nor, before it exists, its nearest parent can be written. */
function checkWritable(folder: string, parameter: string): void {
  let place = folder;
  for (;;) {
    try {
      if (!statSync(place).isDirectory()) throw new BadParameterError(parameter, `${place} is not a folder`);
      accessSync(place, constants.W_OK | constants.X_OK);
      return;
    } catch (error) {
      if (error instanceof BadParameterError) throw error;
      const code = codeOf(error);
      if (code === 'ENOENT' && dirname(place) !== place) place = dirname(place);
      else
        throw new BadParameterError(
          parameter,
          `you may not write results in ${place}; name another folder with --output, or mount with --read-only`,
        );
    }
  }
}

/**
 * Makes the private state folder; one that is there is closed to others.
 * @throws BadParameterError when it can't be made or written, or is another user's.
 */
export function makeStateFolder(state: string): void {
  try {
    mkdirSync(state, { recursive: true, mode: 0o700 });
    accessSync(state, constants.W_OK | constants.X_OK);
    const { uid, mode } = statSync(state);
    if (uid !== geteuid?.()) throw new FsRefusal('not-permitted', `it belongs to user ${uid}`);
    if ((mode & 0o077) !== 0) chmodSync(state, 0o700);
  } catch (error) {
    throw new BadParameterError('--state', `${state} cannot be written; name another folder with --state`, {
      cause: error,
    });
  }
}
