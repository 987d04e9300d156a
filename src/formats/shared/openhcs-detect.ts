import { join } from 'node:path';
import { BadMetadataError, CancelledError, UnreadableSourceError } from '../../core/errors.ts';
import type { Detection } from '../../formats.ts';
import { compareNatural } from '../../model/natural-order.ts';
import { isJunkName } from './metaxpress-name.ts';
import { OpenHcsFile, openHcsFileName } from './openhcs-file.ts';
import { openHcsParser, parseOpenHcsName } from './openhcs-name.ts';
import { lastName } from './openhcs-path.ts';
import { mainSubdirectory, storesOf } from './openhcs-survey.ts';
import { listDirectory } from './plate-walk.ts';

/** Levels below the folder asked about. */
const LEVELS_BELOW = 2;
/** Folders looked into on the way down. */
const MAX_FOLDERS = 200;

/** What the metadata file in a folder says; undefined where there is none. */
function judge(folder: string, files: readonly string[]): Detection | undefined {
  const name = openHcsFileName((one) => files.includes(one));
  if (name === undefined) return undefined;
  try {
    using file = new OpenHcsFile(join(folder, name));
    const survey = file.survey();
    const main = mainSubdirectory(survey);
    const [store] = main ? storesOf(survey, main) : [];
    if (!main || !store) return { confidence: 'no', reason: `${name} names no images` };
    const key = survey.isFlat || main.key === '.' ? '' : ` of ${main.key}/`;
    const reason = `${name}: ${store === 'zarr' ? `Zarr${key}` : `${main.mapped > 0 ? main.mapped : main.listed} images${key}`}`;
    const parser = openHcsParser(main.parser);
    const isOwnOutput =
      store === 'zarr' ||
      (store === 'list' &&
        main.examples.every((path) => parseOpenHcsName(lastName(path), parser)?.isConstructed === true));
    return {
      confidence: 'certain',
      reason,
      root: folder,
      standing: isOwnOutput ? 'prevails' : 'gives-way',
    };
  } catch (error) {
    if (!(error instanceof BadMetadataError || error instanceof UnreadableSourceError)) throw error;
    // It is OpenHCS's plate all the same: what the names of its files seem to say is not to be guessed from.
    return { confidence: 'certain', reason: error.message, root: folder, standing: 'gives-way' };
  }
}

async function list(folder: string): ReturnType<typeof listDirectory> {
  try {
    return await listDirectory(folder);
  } catch (cause) {
    throw new UnreadableSourceError(folder, "can't be listed", { cause, advice: 'check its permissions' });
  }
}

async function listBelow(folder: string): Promise<Awaited<ReturnType<typeof listDirectory>> | undefined> {
  try {
    return await list(folder);
  } catch (error) {
    // A folder below that can't be listed holds no plate that could be shown.
    if (error instanceof UnreadableSourceError) return undefined;
    throw error;
  }
}

/**
 * Finds `openhcs_metadata.json` in a folder or up to two levels below. Several below one folder are not guessed
 * between: the reason lists them.
 * @throws UnreadableSourceError, CancelledError
 */
export async function detectOpenHcs(folder: string, signal: AbortSignal): Promise<Detection> {
  const listing = await list(folder);
  const here = judge(folder, listing.files);
  if (here) return here;
  const found: Detection[] = [];
  let level = [{ path: folder, directories: listing.directories }];
  let looked = 0;
  for (let depth = 1; depth <= LEVELS_BELOW; depth += 1) {
    const next: typeof level = [];
    for (const parent of level)
      for (const name of [...parent.directories].sort(compareNatural)) {
        if (signal.aborted) throw new CancelledError('detection was cancelled');
        if (isJunkName(name)) continue;
        looked += 1;
        if (looked > MAX_FOLDERS) return choose(folder, found, false);
        const path = join(parent.path, name);
        const below = await listBelow(path);
        if (!below) continue;
        const detection = judge(path, below.files);
        if (!detection) next.push({ path, directories: below.directories });
        else if (detection.confidence !== 'no') found.push(detection);
      }
    level = next;
  }
  return choose(folder, found, true);
}

function choose(folder: string, found: readonly Detection[], isComplete: boolean): Detection {
  const [only] = found;
  if (!only) return { confidence: 'no', reason: 'no openhcs_metadata.json' };
  if (isComplete && found.length === 1) return only;
  const names = found.map(({ root }) => root?.slice(folder.length + 1) ?? '').sort(compareNatural);
  const shown = names.slice(0, 8).join(', ') + (names.length > 8 || !isComplete ? ', …' : '');
  return { confidence: 'no', reason: `it holds several plates of OpenHCS, name one of them: ${shown}` };
}
