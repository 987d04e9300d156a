import { join } from 'node:path';
import { CancelledError, UnreadableSourceError } from '../../core/errors.ts';
import type { Detection } from '../../formats.ts';
import { compareNatural } from '../../model/natural-order.ts';
import { isJunkName } from './left-out.ts';
import { listDirectory } from './plate-walk.ts';

/** Levels below the folder asked about. */
const LEVELS_BELOW = 2;
/** Folders looked into on the way down. */
const MAX_FOLDERS = 200;
const SHOWN = 8;
/** With more images than this a folder is no folder of plates. */
const MAX_STRAY_IMAGES = 100;
/** Folders that hold the images of one plate, tens of thousands at times. */
const IMAGE_FOLDER = /^(?:images?|projection|(?:timepoint|zstep)[_-]?\d+)$/i;
const IMAGE = /\.(?:tiff?|png)$/i;

/** What lies in a folder, junk left out, in no order. */
export interface FolderSight {
  readonly path: string;
  readonly files: readonly string[];
  readonly directories: readonly string[];
}

/** Says how sure a folder itself, not one below it, is a plate. */
export type FolderJudge = (sight: FolderSight) => Promise<Omit<Detection, 'root'>>;

/** Listings under way: the handlers look at the same folders at the same time. */
const underway = new Map<string, Promise<FolderSight>>();

function look(path: string): Promise<FolderSight> {
  const known = underway.get(path);
  if (known) return known;
  const sight = list(path).finally(() => underway.delete(path));
  underway.set(path, sight);
  return sight;
}

async function list(path: string): Promise<FolderSight> {
  try {
    const { files, directories } = await listDirectory(path);
    const kept = (name: string): boolean => !isJunkName(name);
    return { path, files: files.filter(kept), directories: directories.filter(kept) };
  } catch (cause) {
    throw new UnreadableSourceError(path, "can't be listed", { cause, advice: 'check its permissions' });
  }
}

async function lookBelow(path: string): Promise<FolderSight | undefined> {
  try {
    return await look(path);
  } catch (error) {
    // A folder below that can't be listed is no candidate; the folder asked about could be.
    if (error instanceof UnreadableSourceError) return undefined;
    throw error;
  }
}

/** What lies in a folder below the one that is judged; one that can't be listed is empty. */
export async function listBelow(path: string): Promise<FolderSight> {
  return (await lookBelow(path)) ?? { path, files: [], directories: [] };
}

/** The folders below that may be plates. */
function placesBelow({ files, directories }: FolderSight): string[] {
  let images = 0;
  for (const name of files) if (IMAGE.test(name)) images += 1;
  if (images > MAX_STRAY_IMAGES) return [];
  return directories.filter((name) => !IMAGE_FOLDER.test(name)).sort(compareNatural);
}

/** The first name in natural order that fits. */
export function firstNamed(names: readonly string[], fits: (name: string) => boolean): string | undefined {
  let first: string | undefined;
  for (const name of names)
    if (fits(name) && (first === undefined || compareNatural(name, first) < 0)) first = name;
  return first;
}

/**
 * Finds the plate in a folder or up to two levels below. Several plates below one folder are not guessed between:
 * the reason lists them.
 * @throws UnreadableSourceError, CancelledError
 */
export async function searchPlate(
  folder: string,
  judge: FolderJudge,
  signal: AbortSignal,
): Promise<Detection> {
  const top = await look(folder);
  const here = await judge(top);
  if (here.confidence === 'certain') return { ...here, root: folder };
  const found: Detection[] = [];
  let complete = true;
  let level = [top];
  let looked = 0;
  for (let depth = 1; depth <= LEVELS_BELOW && complete; depth += 1) {
    const next: FolderSight[] = [];
    for (const parent of level)
      for (const name of placesBelow(parent)) {
        if (signal.aborted) throw new CancelledError('detection was cancelled');
        looked += 1;
        if (looked > MAX_FOLDERS) {
          complete = false;
          break;
        }
        const sight = await lookBelow(join(parent.path, name));
        if (!sight) continue;
        const verdict = await judge(sight);
        if (verdict.confidence === 'certain') found.push({ ...verdict, root: sight.path });
        else next.push(sight);
      }
    level = next;
  }
  const [only] = found;
  if (only && complete && found.length === 1) return only;
  if (!only) return here.confidence === 'no' ? here : { ...here, root: folder };
  const names = found.map(({ root }) => root?.slice(folder.length + 1) ?? '').sort(compareNatural);
  const shown = names.slice(0, SHOWN).join(', ') + (names.length > SHOWN || !complete ? ', …' : '');
  return { confidence: 'no', reason: `it holds several plates, name one of them: ${shown}` };
}
