import { itemSizeBytes } from '../core/nd-array.ts';
import { growingPages, pageKey, stretchOf } from './growing-pages.ts';
import { downsamplingOf, type ImageLevels, levelCount } from './image-levels.ts';
import type { ImagePlan } from './image-plan.ts';
import type { AheadJob, AheadPage, AheadReport, ImageJob } from './landing-job.ts';
import { sumsWithin } from './pages-ahead.ts';
import { StoredPixels } from './plane-pixels.ts';
import { SealedReader } from './sealed-file.ts';
import { stagePlanes } from './stage-planes.ts';
import { removeStaged } from './staged-file.ts';

/** Pixels that one job stages: others wait for the worker meanwhile. */
const MAX_STEP_BYTES = 64 * 2 ** 20;
const MAX_PAGES = 1024;

/**
 * Stages pages of a TIFF that is still written. Where bytes moved or changed under it, it ends with the page before, or
 * throws where that was the first: whoever asks tries again when the file has grown, or leaves it to the landing.
 */
export function stageAhead(job: AheadJob): AheadReport {
  const { file, levels: wanted } = job;
  using reader = new SealedReader(file);
  const first = growingPages(reader, job.cursor, 1);
  if (!first.plan) return { pages: [], levels: undefined, cursor: first.cursor, hasMore: first.hasMore };
  const { width, height, samples, dtype } = first.plan;
  const planeBytes = width * height * samples * itemSizeBytes(dtype);
  const maxPages = Math.max(1, Math.min(MAX_PAGES, Math.floor(MAX_STEP_BYTES / planeBytes)));
  const { plan, cursors, cursor, hasMore } =
    maxPages === 1 ? first : growingPages(reader, job.cursor, maxPages);
  if (!plan) return { pages: [], levels: undefined, cursor, hasMore: false };
  const levels: ImageLevels = {
    count: levelCount(wanted, [1, 1, 1, height, width]),
    downsampling: downsamplingOf(file.mountPath, dtype),
  };
  const image = imageJob(job, levels);
  const pixels = new StoredPixels(reader, plan);
  const pages: AheadPage[] = [];
  const written: string[] = [];
  for (const index of plan.pages.keys()) {
    try {
      pages.push(stagePage(image, reader, plan, pixels, index, written));
      written.length = 0;
    } catch (error) {
      removeStaged(written);
      const [before] = cursors.slice(index - 1, index);
      if (!before) throw error;
      return { pages, levels, cursor: before, hasMore: false };
    }
  }
  return { pages, levels, cursor, hasMore };
}

/** The job of an image whose planes have no place yet. */
function imageJob({ file, codec, isSharded, prefix }: AheadJob, levels: ImageLevels): ImageJob {
  return {
    kind: 'image',
    file,
    format: { version: '0.5', codec, planes: [1, 1, 1], isSharded },
    levels,
    array: '',
    base: [0, 0, 0],
    chunkPrefix: prefix,
    sidecarPath: '',
    verbatimPath: '',
  };
}

function stagePage(
  image: ImageJob,
  reader: SealedReader,
  plan: ImagePlan,
  pixels: StoredPixels,
  index: number,
  written: string[],
): AheadPage {
  const staged = stagePlanes(image, reader, plan, pixels, [index, index + 1], written);
  const page = plan.pages[index];
  const { sums } = reader.file;
  if (!page || !sums) throw new RangeError(`page ${index} of ${reader.file.mountPath}`);
  const { from, to } = stretchOf(page);
  return { key: pageKey(plan, page), from, to, sums: sumsWithin(sums, from, to), ...staged };
}
