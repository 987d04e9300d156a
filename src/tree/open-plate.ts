import { accessSync, constants } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import {
  BadParameterError,
  CancelledError,
  EmptyFolderError,
  NotAPlateError,
  UnreadableSourceError,
} from '../core/errors.ts';
import { loadAll, loadById } from '../core/plugin.ts';
import { shellWord } from '../core/shell-word.ts';
import { systemCode } from '../core/system-code.ts';
import type { FormatHandler, IndexOptions, LayoutProposal } from '../formats.ts';
import type { RecognisedPlate } from '../model/plate.ts';
import type { PlateIndex } from '../model/plate-index.ts';
import { FORMATS } from '../registry.generated.ts';
import { containersOnly } from './container-folder.ts';
import { compareDescriptions } from './described-plate.ts';
import {
  type CachedIndex,
  type CacheLog,
  defaultCacheDir,
  loadCachedIndex,
  saveCachedIndex,
} from './index-cache.ts';
import { type Choice, settle, type Verdict } from './plate-choice.ts';

export interface OpenPlateOptions extends IndexOptions {
  readonly signal: AbortSignal;
  /** Where indexes are kept; {@link defaultCacheDir} unless set, none when null. */
  readonly cacheDir?: string | null;
  /** Told why a cached index was not used. */
  readonly log?: CacheLog;
  /** The handlers to ask; all of the registry unless set. */
  readonly handlers?: readonly FormatHandler[];
  /** What the folder was recognised as already: nobody looks again. */
  readonly recognised?: RecognisedPlate;
}

export interface OpenedPlate {
  readonly index: PlateIndex;
  readonly fromCache: boolean;
}

const code = (error: unknown): string => systemCode(error) ?? 'unknown error';

/** Names shown when a folder is not recognised. */
const MAX_NAMES_SHOWN = 5;

/** @throws UnreadableSourceError, NotAPlateError, EmptyFolderError */
async function namesIn(folder: string): Promise<string[]> {
  try {
    if (!(await stat(folder)).isDirectory())
      throw new NotAPlateError(folder, 'it is a file', { advice: 'name the folder that holds the plate' });
    const names = await readdir(folder);
    if (names.length === 0) throw new EmptyFolderError(folder);
    return names.sort();
  } catch (cause) {
    if (code(cause) === 'ENOENT')
      throw new UnreadableSourceError(folder, 'does not exist', { cause, advice: 'check the path' });
    if (code(cause) === 'ENOTDIR')
      throw new UnreadableSourceError(folder, 'does not exist: a part of the path is a file', {
        cause,
        advice: 'check the path',
      });
    if (code(cause) === 'EACCES' || code(cause) === 'EPERM')
      throw new UnreadableSourceError(folder, 'you may not read it', {
        cause,
        advice: 'ask its owner for read and search permission',
      });
    if (cause instanceof Error && 'code' in cause && !('tag' in cause))
      throw new UnreadableSourceError(folder, "can't be listed", {
        cause,
        advice: 'check the disk or share',
      });
    throw cause;
  }
}

/** @throws NotAPlateError when no handler, or more than one, is the best. */
function choose(folder: string, verdicts: readonly Verdict[], names: readonly string[]): Choice {
  const certain = verdicts.filter(({ detection }) => detection.confidence === 'certain');
  const { best, gaveWay } =
    certain.length > 0
      ? settle(folder, certain)
      : { best: verdicts.filter((one) => one.detection.confidence === 'maybe'), gaveWay: [] };
  const [first, second] = best;
  if (first && second) {
    const both = best.map(({ handler, detection }) => `${handler.title} (${detection.reason})`).join(' and ');
    throw new NotAPlateError(folder, `it looks like ${both}`, {
      advice: 'name the folder of one of them',
    });
  }
  if (first) return { ...first, gaveWay };
  const shown = names.slice(0, MAX_NAMES_SHOWN).join(', ') + (names.length > MAX_NAMES_SHOWN ? ', …' : '');
  const reasons = verdicts
    .map(({ handler, detection }) => `${handler.title}: ${detection.reason}`)
    .join('; ');
  const proposal = verdicts.find(({ detection }) => detection.proposal)?.detection.proposal;
  if (proposal)
    throw new NotAPlateError(folder, `it holds ${shown}. ${reasons}`, {
      advice: `see what its names might say:  platefs inspect ${shellWord(folder)}  then mount it with  --layout ${shellWord(proposal.template)}`,
    });
  throw new NotAPlateError(folder, `it holds ${shown}. ${reasons}`, {
    advice: `name the folder of a plate; recognised: ${verdicts
      .filter(({ handler }) => !handler.takesLayout)
      .map(({ handler }) => handler.title)
      .join(', ')}`,
  });
}

/**
 * Finds out what a folder is, without indexing it. `path` is its real path, so that a link that is turned
 * elsewhere doesn't turn an open plate.
 * @throws NotAPlateError, EmptyFolderError, UnreadableSourceError, CancelledError
 */
export async function recognisePlate(
  folder: string,
  signal: AbortSignal,
  given?: readonly FormatHandler[],
): Promise<Choice & { readonly path: string }> {
  const names = await namesIn(folder);
  const path = await realpath(folder);
  if (signal.aborted) throw new CancelledError('opening the plate was cancelled');
  const handlers = (given ?? (await loadAll(FORMATS))).filter(({ indexesAnything }) => !indexesAnything);
  const verdicts = await Promise.all(
    handlers
      .filter((handler) => !handler.takesLayout)
      .map(async (handler) => ({ handler, detection: await handler.detect(path, signal) })),
  );
  if (verdicts.every(({ detection }) => detection.confidence === 'no')) {
    const refusal = await containersOnly(path);
    if (refusal) throw refusal;
    const lastResort = handlers.find((handler) => handler.takesLayout);
    if (lastResort) verdicts.push({ handler: lastResort, detection: await lastResort.detect(path, signal) });
  }
  return { ...choose(path, verdicts, names), path };
}

/** What {@link recognisePlate} found, as plain data for {@link openPlate} in another process. */
export function recognisedAs({
  handler,
  detection,
  gaveWay,
  path,
}: Awaited<ReturnType<typeof recognisePlate>>): RecognisedPlate {
  return {
    format: handler.id,
    root: detection.root ?? path,
    reason: detection.reason,
    descriptions: gaveWay.map((one) => ({ format: one.handler.id, root: one.detection.root ?? path })),
  };
}

function mayBeRead(folder: string): boolean {
  try {
    accessSync(folder, constants.R_OK | constants.X_OK);
    return true;
  } catch {
    // Whoever looks at it then tells why.
    return false;
  }
}

/**
 * Finds out what a folder is: from its cached index where nothing changed, which spares loading every format and
 * listing folders of a hundred thousand files, else by looking.
 * @throws NotAPlateError, EmptyFolderError, UnreadableSourceError, CancelledError
 */
export async function recogniseAgain(
  folder: string,
  cacheDir: string,
  signal: AbortSignal,
): Promise<RecognisedPlate> {
  const asked = resolve(folder);
  const cached = mayBeRead(asked) ? loadCachedIndex(cacheDir, asked, () => {}) : undefined;
  if (cached?.isPresent) {
    const { rootPath, facts, descriptions = [] } = cached.index;
    return { format: facts.format, root: rootPath, reason: facts.formatDetail, descriptions };
  }
  return recognisedAs(await recognisePlate(asked, signal));
}

/**
 * Finds out what a folder is and indexes it, or takes the index from the cache when nothing changed.
 * @throws NotAPlateError, EmptyFolderError, UnreadableSourceError, CancelledError: each says what to do.
 */
export async function openPlate(folder: string, options: OpenPlateOptions): Promise<OpenedPlate> {
  const { signal, log = () => {} } = options;
  const asked = resolve(folder);
  const cacheDir = options.cacheDir === null ? undefined : (options.cacheDir ?? defaultCacheDir());
  const cached = fromCache(cacheDir, asked, options, log);
  if (cached?.isPresent) return { index: cached.index, fromCache: true };
  const { handler, reason, root, descriptions } = await whatIs(asked, options);
  const below = root === asked ? undefined : fromCache(cacheDir, root, options, log);
  if (below?.isPresent) return { index: below.index, fromCache: true };
  const startedAtMs = Date.now();
  const previous = [below?.index, cached?.index].find((index) => index?.rootPath === root);
  const made = await handler.index(root, previous ? { ...options, previous } : options, signal);
  const linksFollowed = options.followLinks ?? false;
  const index = await compareDescriptions({ ...made, linksFollowed }, descriptions, signal);
  if (index.planes.count === 0) refuseEmpty(index, handler, reason, options.layout);
  if (cacheDir !== undefined) saveCachedIndex(cacheDir, root, index, startedAtMs, log);
  return { index, fromCache: false };
}

async function whatIs(
  folder: string,
  { recognised, layout, handlers, signal }: OpenPlateOptions,
): Promise<Omit<RecognisedPlate, 'format'> & { readonly handler: FormatHandler }> {
  if (layout !== undefined) {
    await namesIn(folder);
    const handler = (handlers ?? (await loadAll(FORMATS))).find(({ takesLayout }) => takesLayout);
    if (!handler) throw new BadParameterError('layout', 'no format here takes one');
    return { handler, root: await realpath(folder), reason: 'the layout you gave', descriptions: [] };
  }
  const known = recognised && (await loadById(FORMATS, recognised.format));
  if (recognised && known) return { ...recognised, handler: known };
  const found = await recognisePlate(folder, signal, handlers);
  return { ...recognisedAs(found), handler: found.handler };
}

/** @throws NotAPlateError always: why an index has no plane. */
function refuseEmpty(
  index: PlateIndex,
  handler: FormatHandler,
  reason: string,
  layout: string | undefined,
): never {
  if (layout === undefined)
    throw new NotAPlateError(
      index.rootPath,
      `${handler.title} was recognised by ${reason}, but no image was found`,
      { advice: 'name the folder that holds the images' },
    );
  const left = index.warnings.map(({ message }) => message).join('; ');
  throw new NotAPlateError(
    index.rootPath,
    `no image is named like '${layout}'${left === '' ? '' : `: ${left}`}`,
    { advice: `see what its names might say:  platefs inspect ${shellWord(index.rootPath)}` },
  );
}

/** What the names of a folder that no format recognises might say; undefined where there is nothing to propose. */
export async function proposeLayout(
  folder: string,
  signal: AbortSignal,
): Promise<LayoutProposal | undefined> {
  const handler = (await loadAll(FORMATS)).find(({ takesLayout }) => takesLayout);
  return (await handler?.detect(await realpath(folder), signal))?.proposal;
}

function fromCache(
  cacheDir: string | undefined,
  folder: string,
  { followLinks = false, layout }: OpenPlateOptions,
  log: CacheLog,
): CachedIndex | undefined {
  const cached = cacheDir === undefined ? undefined : loadCachedIndex(cacheDir, folder, log, layout);
  return cached?.index.linksFollowed === followLinks ? cached : undefined;
}
