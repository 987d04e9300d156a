import { accessSync, constants, statSync } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { BadParameterError, NotAPlateError } from '../core/errors.ts';
import { loadAll, loadById } from '../core/plugin.ts';
import { shellWord } from '../core/shell-word.ts';
import type { FormatHandler, IndexOptions, LayoutProposal } from '../formats.ts';
import type { SourceOptions } from '../model/indexed-source.ts';
import type { ShownAs } from '../model/mount-definition.ts';
import type { RecognisedPlate } from '../model/plate.ts';
import type { PlateIndex } from '../model/plate-index.ts';
import { isUrl } from '../model/source-url.ts';
import { FORMATS } from '../registry.generated.ts';
import { warnOfTypes } from './forbidden-types.ts';
import { indexAgain } from './index-again.ts';
import {
  type CachedIndex,
  type CacheLog,
  defaultCacheDir,
  loadCachedIndex,
  saveCachedIndex,
} from './index-cache.ts';
import { namesIn, recognisedAs, recognisePlate } from './recognise-plate.ts';
import type { DescribeSource } from './sources/describe-source.ts';

export interface OpenPlateOptions extends IndexOptions {
  readonly signal: AbortSignal;
  /** Where indexes are kept; {@link defaultCacheDir} unless set, none when null. */
  readonly cacheDir?: string | null;
  /** Told why a cached index was not used. */
  readonly log?: CacheLog;
  /** The handlers to ask; all of the registry unless set. */
  readonly handlers?: readonly FormatHandler[];
  /** How files and stores that are no plates are to be shown. */
  readonly sourceOptions?: SourceOptions;
  /** Looks into a file or store that is no plate; on this thread unless set. */
  readonly lookInto?: DescribeSource;
  /** What it is shown as; what it is found to be unless set. Nothing beside a layout. */
  readonly as?: ShownAs;
  /** What the folder was recognised as already: nobody looks again. */
  readonly recognised?: RecognisedPlate;
}

export interface OpenedPlate {
  readonly index: PlateIndex;
  readonly fromCache: boolean;
}

function mayBeRead(folder: string): boolean {
  try {
    accessSync(folder, statSync(folder).isDirectory() ? constants.R_OK | constants.X_OK : constants.R_OK);
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
  as?: ShownAs,
): Promise<RecognisedPlate> {
  const asked = isUrl(folder) ? folder : resolve(folder);
  const cached =
    !isUrl(asked) && mayBeRead(asked) ? loadCachedIndex(cacheDir, asked, () => {}, { as }) : undefined;
  if (cached?.isPresent) {
    const { rootPath, facts, descriptions = [] } = cached.index;
    const root = cached.index.scope?.kind === 'file' ? asked : rootPath;
    const scoped = cached.index.scope ? { scope: cached.index.scope } : {};
    return { format: facts.format, root, reason: facts.formatDetail, descriptions, ...scoped };
  }
  const { recognise } = await import('./sources/recognise.ts');
  return await recognise(asked, signal, as);
}

/**
 * Finds out what a folder is and indexes it, or takes the index from the cache when nothing changed.
 * @throws NotAPlateError, EmptyFolderError, UnreadableSourceError, CancelledError: each says what to do.
 */
export async function openPlate(folder: string, options: OpenPlateOptions): Promise<OpenedPlate> {
  const { log = () => {} } = options;
  const asked = isUrl(folder) ? folder : resolve(folder);
  const cacheDir =
    options.cacheDir === null || isUrl(asked) ? undefined : (options.cacheDir ?? defaultCacheDir());
  const cached = fromCache(cacheDir, asked, options, log);
  if (cached?.isPresent) return { index: await shownWith(cached.index, options), fromCache: true };
  const { handler, reason, root, descriptions, scope } = await whatIs(asked, options);
  const below = root === asked ? undefined : fromCache(cacheDir, root, options, log);
  if (below?.isPresent) return { index: await shownWith(below.index, options), fromCache: true };
  const startedAtMs = Date.now();
  // Where other plates were left out of a folder, the lists of its names are others too.
  const previous = [below?.index, cached?.index].find(
    (index) => index?.rootPath === root && isDeepStrictEqual(index.scope, scope),
  );
  const index = await indexAgain(
    { handler, root, descriptions, ...(scope ? { scope } : {}) },
    previous,
    options,
  );
  if (index.planes.count === 0 && !scope) refuseEmpty(index, handler, reason, options.layout);
  if (cacheDir !== undefined) saveCachedIndex(cacheDir, root, index, startedAtMs, log, options.as);
  return { index: await shownWith(index, options), fromCache: false };
}

/** A plate's index with what depends on how it is shown, which the cache doesn't keep. */
async function shownWith(index: PlateIndex, { sourceOptions }: OpenPlateOptions): Promise<PlateIndex> {
  if (index.scope) return index;
  const shown = sourceOptions ? { ...index, sourceOptions } : index;
  return await warnOfTypes(shown, sourceOptions?.float64As);
}

async function whatIs(
  folder: string,
  { recognised, layout, as, handlers, signal }: OpenPlateOptions,
): Promise<Omit<RecognisedPlate, 'format'> & { readonly handler: FormatHandler }> {
  if (layout !== undefined) {
    await namesIn(folder);
    const handler = (handlers ?? (await loadAll(FORMATS))).find(({ takesLayout }) => takesLayout);
    if (!handler) throw new BadParameterError('layout', 'no format here takes one');
    return { handler, root: await realpath(folder), reason: 'the layout you gave', descriptions: [] };
  }
  const known = recognised && (await loadById(FORMATS, recognised.format));
  if (recognised && known) return { ...recognised, handler: known };
  if (handlers) {
    const found = await recognisePlate(folder, signal, handlers);
    return { ...recognisedAs(found), handler: found.handler };
  }
  const { recognise } = await import('./sources/recognise.ts');
  const found = await recognise(folder, signal, as);
  const handler = await loadById(FORMATS, found.format);
  if (!handler) throw new Error(`there is no format ${found.format}`);
  return { ...found, handler };
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
  { followLinks = false, layout, as, sourceOptions = {}, recognised }: OpenPlateOptions,
  log: CacheLog,
): CachedIndex | undefined {
  const cached = cacheDir === undefined ? undefined : loadCachedIndex(cacheDir, folder, log, { layout, as });
  if (cached?.index.linksFollowed !== followLinks) return undefined;
  const { scope, sourceOptions: shownSo = {} } = cached.index;
  const isAsAsked =
    scope === undefined ||
    (isDeepStrictEqual(shownSo, sourceOptions) && isDeepStrictEqual(recognised?.scope ?? scope, scope));
  return { ...cached, isPresent: cached.isPresent && isAsAsked };
}
