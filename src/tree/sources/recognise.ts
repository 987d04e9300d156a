import { readdirSync, realpathSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { CancelledError, NotAPlateError, PlateFsError } from '../../core/errors.ts';
import { containerKind } from '../../model/container-kind.ts';
import type { SourceScope } from '../../model/indexed-source.ts';
import type { ShownAs } from '../../model/mount-definition.ts';
import { compareNatural } from '../../model/natural-order.ts';
import type { RecognisedPlate } from '../../model/plate.ts';
import { isUrl } from '../../model/source-url.ts';
import { namesIn, recognisedAs, recognisePlate, UnrecognisedFolderError } from '../recognise-plate.ts';
import { driversOf, looksLikeStore } from './describe-source.ts';
import { holdsStacks, isHeapOfImages } from './image-stacks.ts';

/** Plates of one folder: each has an index and a watch of its own. */
const MAX_PLATES = 100;

const asSources = (root: string, reason: string, scope: SourceScope): RecognisedPlate => ({
  format: 'plain-files',
  root,
  reason,
  descriptions: [],
  scope,
});

/** A folder, by its real path, that is taken for what lies in it. */
async function folderAsSources(path: string, signal: AbortSignal): Promise<RecognisedPlate> {
  if (looksLikeStore(readdirSync(path))) return asSources(path, 'a Zarr store', { kind: 'store' });
  return asSources(path, 'a folder with several', { kind: 'folder', plates: await platesIn(path, signal) });
}

/**
 * Finds out what is to be mounted: a plate, or what else a folder, a file or an URL may be. What a plate's format
 * recognises is that plate; only a folder that is none is looked at for what lies in it.
 * @param as what it is to be shown as, whatever it looks like; see {@link ShownAs}.
 * @throws NotAPlateError, EmptyFolderError, UnreadableSourceError, CancelledError
 */
export async function recognise(asked: string, signal: AbortSignal, as?: ShownAs): Promise<RecognisedPlate> {
  const isFile = !isUrl(asked) && statSync(asked, { throwIfNoEntry: false })?.isFile() === true;
  if (as === 'plate' && (isFile || isUrl(asked)))
    throw new NotAPlateError(asked, `it is ${isFile ? 'a file' : 'an address'}`, {
      advice: 'leave out  --as plate, or name the folder that holds the plate',
    });
  if (isUrl(asked)) return asSources(asked, 'its address', { kind: 'url' });
  if (isFile) return await recogniseFile(realpathSync(asked));
  if (as === 'sources') {
    await namesIn(asked);
    return await folderAsSources(realpathSync(asked), signal);
  }
  let refusal: NotAPlateError;
  try {
    const plate = recognisedAs(await recognisePlate(asked, signal));
    const path = realpathSync(asked);
    if (as === 'plate') return plate;
    // A plate below is all that was meant, unless there is more to show beside it.
    const hasMore =
      plate.root === path
        ? plate.format === 'ome-zarr' && (await isOneOfSeveral(path))
        : (await hasStores(path)) || (await holdsStacks(path, signal));
    if (!hasMore) return plate;
    refusal = new NotAPlateError(asked, 'it holds a plate and other files and stores');
  } catch (error) {
    if (!(error instanceof NotAPlateError) || as === 'plate') throw error;
    refusal = error;
  }
  const found = await folderAsSources(realpathSync(asked), signal);
  const { root, scope } = found;
  const isShown =
    scope?.kind === 'store' ||
    (scope?.kind === 'folder' && scope.plates.length > 0) ||
    (await hasStores(root)) ||
    (refusal instanceof UnrecognisedFolderError && (await isHeapOfImages(root, refusal.proposal, signal)));
  if (!isShown) throw refusal;
  return found;
}

async function recogniseFile(path: string): Promise<RecognisedPlate> {
  const name = basename(path);
  if ((await driversOf(path, false)).length > 0) return asSources(path, 'its name', { kind: 'file', name });
  const container = containerKind(name);
  if (container)
    throw new NotAPlateError(path, `it is a ${container.title} file, which PlateFS does not decode`, {
      advice: `open it with ${container.openWith}; to mount the images, export them as TIFF or convert them to OME-Zarr (bioformats2raw)`,
    });
  throw new NotAPlateError(path, 'it is a file of no kind that is known by its name', {
    advice: 'name the folder that holds the plate, an HDF5 file, a zipped Zarr store or a TIFF',
  });
}

/** Whether an OME-Zarr that makes a folder a plate lies in it with other files and stores that are sources. */
async function isOneOfSeveral(folder: string): Promise<boolean> {
  const entries = readdirSync(folder, { withFileTypes: true });
  if (looksLikeStore(entries.map(({ name }) => name))) return false;
  let count = 0;
  for (const entry of entries) {
    if (entry.name.startsWith('.')) continue;
    const path = `${folder}/${entry.name}`;
    const isSource = entry.isDirectory()
      ? looksLikeStore(listed(path))
      : (await driversOf(path, false)).some(({ id }) => id !== 'tiff');
    count += isSource ? 1 : 0;
  }
  return count > 1;
}

/** Whether anything in a folder is a store by its name or content. TIFFs are not: they belong to whatever lies beside. */
async function hasStores(folder: string): Promise<boolean> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.name.startsWith('.')) continue;
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) {
      if (/\.zarr$/i.test(entry.name) && looksLikeStore(listed(path))) return true;
    } else if ((await driversOf(path, false)).some(({ id }) => id !== 'tiff')) return true;
  }
  return false;
}

function listed(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    // What can't be listed is no store; the walk through the folder tells why.
    return [];
  }
}

/** Names of the folders in a folder that are plates. @throws NotAPlateError when there are too many. */
async function platesIn(folder: string, signal: AbortSignal): Promise<string[]> {
  const names = readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
    .map(({ name }) => name)
    .sort(compareNatural);
  const plates: string[] = [];
  for (const name of names) {
    const path = `${folder}/${name}`;
    if (listed(path).length === 0) continue;
    try {
      await recognisePlate(path, signal);
    } catch (error) {
      // A folder that may not be read is no plate that could be shown.
      if (!(error instanceof PlateFsError) || error instanceof CancelledError) throw error;
      continue;
    }
    plates.push(name);
    if (plates.length > MAX_PLATES)
      throw new NotAPlateError(folder, `it holds more than ${MAX_PLATES} plates`, {
        advice: 'mount one of them, or move some of them to a folder of their own',
      });
  }
  return plates;
}
