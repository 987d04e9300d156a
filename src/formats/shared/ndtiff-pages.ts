import { BadTiffError, CancelledError } from '../../core/errors.ts';
import { type NdTiffEntry, pixelBytes } from './ndtiff-index.ts';
import type { TiffLook } from './tiff-look.ts';

/**
 * A directory, what stands beside it and padding take about 180 bytes. An image that the index leaves out would need
 * as many again, so a smaller gap proves that there is none.
 */
const MAX_GAP_BYTES = 300;

const endOf = (entry: NdTiffEntry): number =>
  Math.max(entry.pixelOffset + pixelBytes(entry), entry.metadataOffset + entry.metadataBytes);

/** The image is in the file: metadata, which is written behind the pixels, begins and ends as it must. */
async function isWritten(look: TiffLook, entry: NdTiffEntry): Promise<boolean> {
  const { metadataOffset, metadataBytes } = entry;
  if (metadataBytes < 2 || endOf(entry) > look.sizeBytes) return false;
  const first = (await look.bytes(metadataOffset, 1))[0];
  const last = (await look.bytes(metadataOffset + metadataBytes - 1, 1))[0];
  return first === 0x7b && last === 0x7d;
}

/** Whether entries sorted by place lie so close that the file can hold no other image between them. */
function isGapless(look: TiffLook, entries: readonly NdTiffEntry[]): boolean {
  let end = look.firstDirectory;
  for (const entry of entries) {
    const gap = entry.pixelOffset - end;
    if (gap < 0 || gap > MAX_GAP_BYTES) return false;
    end = endOf(entry);
  }
  return true;
}

export interface NdTiffPages {
  /** Number of the page that holds an entry's pixels. */
  readonly pages: ReadonlyMap<NdTiffEntry, number>;
  /** Entries whose images are not in the file: still being written, or cut off. */
  readonly unwritten: readonly NdTiffEntry[];
  /** Entries at whose place the file has no image. */
  readonly astray: readonly NdTiffEntry[];
}

/**
 * Finds the page of every entry of one file. Where the index leaves no room for other images, an image's number is
 * its rank, and nothing but the index is read; else the file's chain of directories decides.
 * @throws BadTiffError, UnreadableSourceError, CancelledError
 */
export async function findNdTiffPages(
  look: TiffLook,
  given: readonly NdTiffEntry[],
  signal: AbortSignal,
): Promise<NdTiffPages> {
  const entries = [...given].sort((a, b) => a.pixelOffset - b.pixelOffset);
  const unwritten: NdTiffEntry[] = [];
  // Images are written one behind the other: where one is whole, those before it are.
  for (let last = entries.at(-1); last && !(await isWritten(look, last)); last = entries.at(-1)) {
    if (signal.aborted) throw new CancelledError('indexing was cancelled');
    unwritten.push(last);
    entries.pop();
  }
  const pages = new Map<NdTiffEntry, number>();
  const astray: NdTiffEntry[] = [];
  if (isGapless(look, entries)) {
    for (const [page, entry] of entries.entries()) pages.set(entry, page);
    return { pages, unwritten, astray };
  }
  const places = await pagePlaces(look, signal);
  for (const entry of entries) {
    const page = places.get(entry.pixelOffset);
    if (page === undefined) astray.push(entry);
    else pages.set(entry, page);
  }
  return { pages, unwritten, astray };
}

/** Page numbers by the place of their pixels. */
async function pagePlaces(look: TiffLook, signal: AbortSignal): Promise<Map<number, number>> {
  const places = new Map<number, number>();
  let page = 0;
  try {
    for await (const { firstSegment } of look.directories()) {
      if (signal.aborted) throw new CancelledError('indexing was cancelled');
      places.set(firstSegment, page);
      page += 1;
    }
  } catch (error) {
    // A file that is being written ends with a link to what is not there yet.
    if (!(error instanceof BadTiffError) || page === 0) throw error;
  }
  return places;
}
