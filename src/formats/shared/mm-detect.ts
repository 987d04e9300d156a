import { join } from 'node:path';
import { CancelledError, PlateFsError } from '../../core/errors.ts';
import type { Detection } from '../../formats.ts';
import { compareNatural } from '../../model/natural-order.ts';
import { metadataChunks } from './metadata-file.ts';
import { parseMmImageName } from './mm-image-name.ts';
import { stackPrefix } from './mm-stack.ts';
import { readMmHeader } from './mm-tiff.ts';
import { type FolderSight, searchPlate } from './plate-search.ts';
import { listDirectory } from './plate-walk.ts';
import { TiffLook } from './tiff-look.ts';

export const INDEX_NAME = 'NDTiff.index';
export const METADATA_NAME = 'metadata.txt';
/** The level of an NDTiff pyramid that was acquired; the others are `Downsampled_x2`, `_x4`, … */
export const FULL_RESOLUTION = 'Full resolution';
export const isDownsampled = (folder: string): boolean => /(?:^|\/)Downsampled_x\d+(?:\/|$)/.test(folder);

/** Folders of positions that are looked into. */
const MAX_POSITIONS = 3;
const MAX_METADATA_BYTES = 4 * 1024 ** 3;

type Verdict = Omit<Detection, 'root'>;

/** What can't be read only doesn't count; indexing warns of it. */
async function quietly<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof CancelledError) throw error;
    if (error instanceof PlateFsError || (error instanceof Error && 'code' in error)) return undefined;
    throw error;
  }
}

async function isMmTiff(path: string, kind: 'stack' | 'ndtiff'): Promise<boolean> {
  const header = await quietly(async () => {
    await using look = await TiffLook.open(path);
    return await readMmHeader(look);
  });
  return header?.kind === kind;
}

/** Whether a `metadata.txt` begins as Micro-Manager's do. */
async function isMetadataTxt(path: string, signal: AbortSignal): Promise<boolean> {
  const head = await quietly(async () => {
    for await (const chunk of metadataChunks(path, MAX_METADATA_BYTES, signal)) return chunk.toString('utf8');
    return '';
  });
  return head !== undefined && /^\s*\{/.test(head) && /"(?:Summary|FrameKey-|Metadata-|Coords-)/.test(head);
}

async function judgeNdTiff(path: string, files: readonly string[]): Promise<Verdict | undefined> {
  if (!files.includes(INDEX_NAME)) return undefined;
  const tiff = files.filter((name) => /_?NDTiffStack(?:_\d+)?\.tif$/i.test(name)).sort(compareNatural)[0];
  if (tiff !== undefined && (await isMmTiff(join(path, tiff), 'ndtiff')))
    return { confidence: 'certain', reason: `${INDEX_NAME} and ${tiff}` };
  return { confidence: 'maybe', reason: `${INDEX_NAME}, but no NDTiffStack with its header` };
}

async function judgeStack(path: string, files: readonly string[]): Promise<Verdict | undefined> {
  const stack = files.filter((name) => stackPrefix(name) !== undefined).sort(compareNatural)[0];
  if (stack === undefined) return undefined;
  if (await isMmTiff(join(path, stack), 'stack')) return { confidence: 'certain', reason: stack };
  return { confidence: 'maybe', reason: `${stack}, without the header of a Micro-Manager stack` };
}

async function judgeSingle(
  path: string,
  files: readonly string[],
  signal: AbortSignal,
): Promise<Verdict | undefined> {
  const image = files.find((name) => parseMmImageName(name) !== undefined);
  if (image === undefined) return undefined;
  if (files.includes(METADATA_NAME) && (await isMetadataTxt(join(path, METADATA_NAME), signal)))
    return { confidence: 'certain', reason: `${METADATA_NAME} and ${image}` };
  return { confidence: 'maybe', reason: `${image}, but no ${METADATA_NAME}` };
}

async function judge({ path, files, directories }: FolderSight, signal: AbortSignal): Promise<Verdict> {
  const here =
    (await judgeNdTiff(path, files)) ??
    (await judgeStack(path, files)) ??
    (await judgeSingle(path, files, signal));
  if (here) return here;
  const below = directories.includes(FULL_RESOLUTION)
    ? [FULL_RESOLUTION]
    : directories
        .filter((name) => !isDownsampled(name))
        .sort(compareNatural)
        .slice(0, MAX_POSITIONS);
  for (const name of below) {
    const listing = await quietly(() => listDirectory(join(path, name)));
    if (!listing) continue;
    const verdict =
      name === FULL_RESOLUTION
        ? await judgeNdTiff(join(path, name), listing.files)
        : await judgeSingle(join(path, name), listing.files, signal);
    if (verdict) return { ...verdict, reason: `${name}/: ${verdict.reason}` };
  }
  return { confidence: 'no', reason: `no ${INDEX_NAME}, no MMStack, no ${METADATA_NAME} with img_ images` };
}

/**
 * Finds an acquisition of Micro-Manager in a folder or up to two levels below.
 * @throws UnreadableSourceError, CancelledError
 */
export function detectMicroManager(folder: string, signal: AbortSignal): Promise<Detection> {
  return searchPlate(folder, (sight) => judge(sight, signal), signal);
}
