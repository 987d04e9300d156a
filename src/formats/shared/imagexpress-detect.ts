import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { CancelledError, PlateFsError, UnreadableSourceError } from '../../core/errors.ts';
import type { Detection } from '../../formats.ts';
import { compareNatural } from '../../model/natural-order.ts';
import { parseHtd } from './htd.ts';
import { isJunkName } from './left-out.ts';
import { isMetaMorph } from './metamorph-xml.ts';
import { isHtdName, parseAxisFolder, parseMetaXpressName } from './metaxpress-name.ts';
import { listDirectory } from './plate-walk.ts';
import { glanceAtTiff, type TiffGlance } from './tiff-description.ts';

/** Levels below the folder asked about: `<plate>/<date>/<id>`. */
const LEVELS_BELOW = 2;
/** Folders looked into on the way down. */
const MAX_FOLDERS = 200;
/** TimePoint / ZStep folders looked into for a first image. */
const MAX_AXIS_FOLDERS = 4;

/** What a folder holds at first sight. */
interface Sight {
  readonly path: string;
  readonly htds: readonly string[];
  readonly axisFolders: readonly string[];
  readonly otherFolders: readonly string[];
  /** Image names of the grammar, as paths; the first few. */
  readonly images: readonly string[];
  readonly imageCount: number;
  readonly tiffCount: number;
}

async function list(path: string): ReturnType<typeof listDirectory> {
  try {
    return await listDirectory(path);
  } catch (cause) {
    throw new UnreadableSourceError(path, "can't be listed", { cause, advice: 'check its permissions' });
  }
}

async function look(path: string, levels = 2): Promise<Sight> {
  const { files, directories } = await list(path);
  const images: string[] = [];
  let imageCount = 0;
  let tiffCount = 0;
  for (const name of files) {
    if (isJunkName(name) || !/\.tiff?$/i.test(name)) continue;
    tiffCount += 1;
    const parsed = parseMetaXpressName(name);
    if (!parsed || parsed.thumbnail) continue;
    imageCount += 1;
    if (images.length < 8) images.push(join(path, name));
  }
  const axisFolders = directories.filter((name) => parseAxisFolder(name)).sort(compareNatural);
  for (const name of imageCount > 0 || levels === 0 ? [] : axisFolders.slice(0, MAX_AXIS_FOLDERS)) {
    const below = await look(join(path, name), levels - 1);
    images.push(...below.images);
    imageCount += below.imageCount;
    tiffCount += below.tiffCount;
    if (imageCount > 0) break;
  }
  return {
    path,
    htds: files.filter((name) => isHtdName(name) && !isJunkName(name)),
    axisFolders,
    otherFolders: directories
      .filter((name) => !parseAxisFolder(name) && !isJunkName(name))
      .sort(compareNatural),
    images,
    imageCount,
    tiffCount,
  };
}

async function isRealHtd(path: string): Promise<boolean> {
  try {
    parseHtd(path, await readFile(path));
    return true;
  } catch (error) {
    // An HTD that can't be read or understood only doesn't count; indexing warns of it.
    if (error instanceof PlateFsError || (error instanceof Error && 'code' in error)) return false;
    throw error;
  }
}

async function glance(path: string): Promise<TiffGlance | undefined> {
  try {
    return await glanceAtTiff(path);
  } catch (error) {
    // A broken first image says nothing about the plate; indexing warns of it.
    if (error instanceof PlateFsError) return undefined;
    throw error;
  }
}

/** How sure a folder itself is a plate, by what was seen in it. */
async function judge(sight: Sight): Promise<Detection> {
  const { htds, images, axisFolders } = sight;
  const seen: string[] = [];
  const [first] = images;
  if (first === undefined) {
    if (htds.length === 0)
      return { confidence: 'no', reason: 'no HTD file and no image named <plate>_<well>…' };
    return {
      confidence: 'maybe',
      reason: `${htds[0]}, but no image named <plate>_<well>…`,
      root: sight.path,
    };
  }
  const names = images.map((image) => parseMetaXpressName(basename(image)));
  let certain = false;
  if (htds[0] !== undefined) {
    seen.push(htds[0]);
    certain = await isRealHtd(join(sight.path, htds[0]));
  }
  if (axisFolders[0] !== undefined) seen.push(`${axisFolders[0]}/`);
  seen.push(basename(first));
  const tokens = names.some((name) => name?.hasSite === true || name?.hasWave === true);
  certain ||= axisFolders.length > 0 && tokens;
  certain ||= names.some((name) => name?.guid !== '');
  certain ||= isMetaMorph((await glance(first))?.description ?? '');
  if (certain) return { confidence: 'certain', reason: seen.join(', '), root: sight.path };
  if (tokens || sight.imageCount * 2 > sight.tiffCount)
    return {
      confidence: 'maybe',
      reason: `${seen.join(', ')}; nothing else says MetaXpress`,
      root: sight.path,
    };
  return {
    confidence: 'no',
    reason: `only ${sight.imageCount} of ${sight.tiffCount} TIFFs are named after a well`,
  };
}

/**
 * Finds the plate in a folder or up to two levels below (`<plate>/<date>/<id>`). Several plates below one
 * folder are not guessed between: the reason lists them.
 * @throws UnreadableSourceError, CancelledError
 */
export async function detectImageXpress(folder: string, signal: AbortSignal): Promise<Detection> {
  const top = await look(folder);
  const here = await judge(top);
  if (here.confidence === 'certain' || top.imageCount > 0) return here;
  const { found, complete } = await searchBelow(top, signal);
  if (!complete && found.length === 0) return here;
  const sure = found.filter((one) => one.confidence === 'certain');
  const candidates = sure.length > 0 ? sure : found;
  const [only] = candidates;
  if (only && complete && candidates.length === 1) return only;
  if (candidates.length === 0) return here;
  const names = candidates.map((one) => one.root?.slice(folder.length + 1) ?? '').sort(compareNatural);
  const shown = names.slice(0, 8).join(', ') + (names.length > 8 || !complete ? ', …' : '');
  return { confidence: 'no', reason: `it holds several plates, name one of them: ${shown}` };
}

/** Every plate up to two levels below; not complete when there are too many folders to look into. */
async function searchBelow(
  top: Sight,
  signal: AbortSignal,
): Promise<{ found: Detection[]; complete: boolean }> {
  const found: Detection[] = [];
  let level = [top];
  let looked = 0;
  for (let depth = 1; depth <= LEVELS_BELOW; depth += 1) {
    const next: Sight[] = [];
    for (const parent of level)
      for (const name of parent.otherFolders) {
        if (signal.aborted) throw new CancelledError('detection was cancelled');
        if (looked >= MAX_FOLDERS) return { found, complete: false };
        looked += 1;
        const sight = await lookBelow(join(parent.path, name));
        if (!sight) continue;
        const verdict = await judge(sight);
        if (verdict.confidence !== 'no' && sight.imageCount > 0) found.push(verdict);
        else next.push(sight);
      }
    level = next;
  }
  return { found, complete: true };
}

async function lookBelow(path: string): Promise<Sight | undefined> {
  try {
    return await look(path);
  } catch (error) {
    // A folder below that can't be listed is no candidate; the folder asked about could be.
    if (error instanceof UnreadableSourceError) return undefined;
    throw error;
  }
}
