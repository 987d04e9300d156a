import { storage } from '../core/storage.ts';
import { systemCode } from '../core/system-code.ts';
import { type SumsOfUnits, UNIT_BYTES } from '../core/unit-sums.ts';
import { pageKey } from './growing-pages.ts';
import type { ImagePlan } from './image-plan.ts';
import type { AheadPage, StagedChunk, StagedPlane } from './landing-job.ts';
import type { SealedFile } from './sealed-file.ts';
import { makeFolderOf } from './staged-file.ts';

/** Pages that were staged while their file was written, by {@link pageKey}. */
export type PagesAhead = ReadonlyMap<string, AheadPage>;

export const pagesByKey = (pages: readonly AheadPage[] | undefined): PagesAhead | undefined =>
  pages && new Map(pages.map((page) => [page.key, page]));

/** Sums of the units that lie in a stretch with all their bytes. */
export function sumsWithin(sums: SumsOfUnits, from: number, to: number): SumsOfUnits {
  const firstUnit = Math.ceil(from / UNIT_BYTES);
  const end = Math.max(firstUnit, Math.floor(to / UNIT_BYTES));
  return { firstUnit, sums: sums.sums.slice(firstUnit - sums.firstUnit, end - sums.firstUnit) };
}

/** Whether units are what they were. The caller knows that nobody wrote the bytes at both ends of a stretch. */
function areSame(before: SumsOfUnits, now: SumsOfUnits): boolean {
  return before.sums.every((sum, index) => sum === now.sums[before.firstUnit + index - now.firstUnit]);
}

/**
 * Takes what was staged ahead of a page of a closed file to where it is staged now. Undefined where nothing was, or the
 * file has other bytes there: then the page is to be staged.
 * @param placeOf - Where a plane of the page is to be.
 */
export function takePage(
  ahead: PagesAhead,
  { sums }: SealedFile,
  plan: ImagePlan,
  index: number,
  placeOf: (plane: StagedPlane, sample: number) => StagedPlane,
): Pick<AheadPage, 'planes' | 'lower' | 'givesFileBack'> | undefined {
  const page = plan.pages[index];
  const known = page && ahead.get(pageKey(plan, page));
  if (!known || !sums || !areSame(known.sums, sums)) return undefined;
  const take = (chunk: StagedChunk, sample: number): StagedChunk => {
    const place = placeOf(chunk, sample);
    makeFolderOf(place.stagedPath);
    storage.rename(chunk.stagedPath, place.stagedPath);
    return { ...place, crc32: chunk.crc32 };
  };
  const perSample = known.lower.length / known.planes.length;
  try {
    return {
      planes: known.planes.map(take),
      lower: known.lower.map((chunk, at) => take(chunk, Math.floor(at / perSample))),
      givesFileBack: known.givesFileBack,
    };
  } catch (error) {
    // An earlier try to land the file has taken it.
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}
