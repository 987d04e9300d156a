import { createHash } from 'node:crypto';
import { itemSizeBytes } from '../core/nd-array.ts';
import { type ImagePlan, planPagesSoFar } from './image-plan.ts';
import { pixelRuns } from './pixel-runs.ts';
import type { SealedReader } from './sealed-file.ts';
import { type PlacedPage, readPagesSoFar, type TiffPage } from './tiff-structure.ts';

/** Up to where a TIFF that is still written has been looked at. */
export interface GrowingCursor {
  /** The last directory that was read, 0 before the first. */
  readonly directoryAt: number;
  /** Planes up to here were taken for pages that follow the last one without a directory yet; 0: none. */
  readonly supposedToBytes: number;
}

export const AT_THE_START: GrowingCursor = { directoryAt: 0, supposedToBytes: 0 };

export interface GrowingPages {
  /** Pages that are all there, each a plane of its own; undefined where there are none that can be cut out. */
  readonly plan: ImagePlan | undefined;
  /** Behind each page of `plan`. */
  readonly cursors: readonly GrowingCursor[];
  /** Behind all of them. */
  readonly cursor: GrowingCursor;
  /** Whether there may be more already. */
  readonly hasMore: boolean;
}

/**
 * Pages of a TIFF that is still written, from a cursor on. ImageJ, and tifffile with `contiguous`, write the first
 * directory, then the pixels of all pages one after another, and the other directories in the end: so where a page's
 * pixels lie behind its directory, and the file goes on for a plane behind them with no further directory, that plane is
 * supposed to be a page. Whether it is, the landing sees.
 * @throws what reading throws, where bytes moved or changed meanwhile.
 */
export function growingPages(reader: SealedReader, cursor: GrowingCursor, maxPages: number): GrowingPages {
  const { mountPath: path, sizeBytes } = reader.file;
  const source = {
    path,
    sizeBytes,
    read: (offsetBytes: number, target: Uint8Array) => reader.read(offsetBytes, target),
  };
  const found = readPagesSoFar(source, cursor.directoryAt, maxPages);
  const { littleEndian, last, next } = found;
  if (!last) return { plan: undefined, cursors: [], cursor, hasMore: false };
  const { supposedToBytes } = cursor;
  // What was supposed to be pages is staged already.
  const fresh = found.pages.filter(({ page }) => stretchOf(page).from >= supposedToBytes);
  const isChainEnd = found.pages.length < maxPages && (next === 0 || next >= sizeBytes);
  const limitBytes = next === 0 ? sizeBytes : Math.min(next, sizeBytes);
  const supposed = isChainEnd ? supposedPages(last, supposedToBytes, limitBytes, maxPages) : [];
  const cursors = [
    ...fresh.map(({ directoryAt }) => ({ directoryAt, supposedToBytes })),
    ...supposed.map((page) => ({ directoryAt: last.directoryAt, supposedToBytes: stretchOf(page).to })),
  ];
  return {
    plan: planPagesSoFar(littleEndian, [...fresh.map(({ page }) => page), ...supposed]),
    cursors,
    cursor: cursors.at(-1) ?? { directoryAt: last.directoryAt, supposedToBytes },
    hasMore: found.pages.length >= maxPages || supposed.length >= maxPages,
  };
}

/** The stretch from the first to the last byte of a page's strips or tiles. */
export function stretchOf({ offsets, byteCounts }: TiffPage): { readonly from: number; readonly to: number } {
  let from = Number.POSITIVE_INFINITY;
  let to = 0;
  offsets.forEach((offset, index) => {
    from = Math.min(from, offset);
    to = Math.max(to, offset + (byteCounts[index] ?? 0));
  });
  return { from, to };
}

/** Planes like that of `page`, one after another behind it, as far as they are there. */
function supposedPages(
  { page, directoryAt }: PlacedPage,
  fromBytes: number,
  toBytes: number,
  maxPages: number,
): TiffPage[] {
  const [start = 0] = page.offsets;
  const planeBytes = page.byteCounts.reduce((sum, count) => sum + count, 0);
  const { from, to } = stretchOf(page);
  const isOnePiece = from === start && to - from === planeBytes;
  if (page.tile || !isOnePiece || directoryAt > start || planeBytes === 0) return [];
  const pages: TiffPage[] = [];
  let at = Math.max(fromBytes, start + planeBytes);
  for (; at + planeBytes <= toBytes && pages.length < maxPages; at += planeBytes)
    pages.push({ ...page, offsets: page.offsets.map((offset) => offset - start + at) });
  return pages;
}

/** Names a page by where its pixels lie in the file, and how they are to be read. */
export function pageKey(plan: ImagePlan, page: TiffPage): string {
  const { dtype, width, height, samples, littleEndian } = plan;
  const about = [dtype, width, height, samples, littleEndian, page.planarConfiguration];
  const runs = pixelRuns(page, itemSizeBytes(dtype), 0);
  return createHash('sha256')
    .update(JSON.stringify([about, runs]))
    .digest('base64');
}
