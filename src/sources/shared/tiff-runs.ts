import { UnsupportedTiffError } from '../../core/errors.ts';
import { known } from '../../core/metadata-values.ts';
import { TAG } from '../../core/tiff-tags.ts';
import type { ImageInfo } from '../../model/image.ts';
import { pageAxes } from './tiff-axes.ts';
import { checkDecodable } from './tiff-decode.ts';
import type { TiffFile } from './tiff-file.ts';
import { imagejIntervalS, imagejNumber, imagejSpacingUm, singleDirectoryStack } from './tiff-imagej.ts';
import type { TiffPage } from './tiff-page.ts';
import { tiffPixelSizeUm } from './tiff-pixel-size.ts';
import {
  chunkOf,
  imageOf,
  isSmaller,
  levelsBelow,
  type SeriesLevel,
  type SeriesPlaces,
  sameKind,
  sameShape,
  type TiffSeries,
} from './tiff-series.ts';

/** Pages of one shape that follow each other in the chain. */
interface Run {
  readonly first: TiffPage;
  readonly pages: number[];
}

/** The chain as runs of equal pages. @throws BadTiffError, UnsupportedTiffError */
function runsOf(file: TiffFile): Run[] {
  const runs: Run[] = [];
  for (let index = 0, count = file.pageCount(); index < count; index++) {
    const page = file.page(index);
    const run = runs[runs.length - 1];
    if (run && run.first.reduced === page.reduced && sameShape(run.first, page)) run.pages.push(index);
    else runs.push({ first: page, pages: [index] });
    checkLikeFirst(page, runs[runs.length - 1]?.first ?? page);
  }
  return runs;
}

/** Pages of a run may be stored differently: each must be one that can be decoded. */
function checkLikeFirst(page: TiffPage, first: TiffPage): void {
  if (page.compression !== first.compression || page.predictor !== first.predictor) checkDecodable(page);
}

/** Where pages stand in C order of t, c, z, of those that a text names in an order of its own. */
function inOrder(
  axes: string,
  shape: readonly number[],
  pages: readonly number[],
): { readonly sizes: Record<'t' | 'c' | 'z', number>; readonly pages: number[] } {
  const strides: Record<string, number> = {};
  const sizes = { t: 1, c: 1, z: 1 };
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const letter = axes[axis] as 't' | 'c' | 'z';
    strides[letter] = stride;
    sizes[letter] = shape[axis] ?? 1;
    stride *= sizes[letter];
  }
  const ordered: number[] = [];
  for (let t = 0; t < sizes.t; t++)
    for (let c = 0; c < sizes.c; c++)
      for (let z = 0; z < sizes.z; z++) {
        const at = t * (strides['t'] ?? 0) + c * (strides['c'] ?? 0) + z * (strides['z'] ?? 0);
        ordered.push(pages[at] ?? 0);
      }
  return { sizes, pages: ordered };
}

/** Facts that the text of the first page tells: of ImageJ and MetaMorph, pixel size also of others. */
function textFacts(page: TiffPage, text: string | undefined): Partial<ImageInfo> {
  const facts = { pixelSizeUm: tiffPixelSizeUm(text, page.pixelsPerUnit()) };
  if (text === undefined || !text.startsWith('ImageJ=')) return known(facts);
  return known({ ...facts, zSpacingUm: imagejSpacingUm(text), timeIntervalS: imagejIntervalS(text) });
}

function seriesOf(name: string, file: TiffFile, run: Run, isWholeFile: boolean): TiffSeries {
  const { first } = run;
  const text = isWholeFile ? first.description() : undefined;
  const isImagej = text?.startsWith('ImageJ=') === true;
  const stackOffset = isImagej && run.pages.length === 1 ? singleDirectoryStack(first, text) : undefined;
  const count = stackOffset === undefined ? run.pages.length : (imagejNumber(text ?? '', 'images') ?? 1);
  const own = stackOffset === undefined ? run.pages : Array.from({ length: count }, (_, i) => i);
  const { axes, shape } = isImagej ? pageAxes(text, count, first.samples) : { axes: 'z', shape: [count] };
  const { sizes, pages } = inOrder(axes, shape, own);
  return {
    image: imageOf(
      name,
      first,
      { t: sizes.t, pageChannels: sizes.c, z: sizes.z },
      textFacts(first, text ?? file.page(0).description()),
    ),
    samples: first.samples,
    planar: first.planar,
    places: { pages, ...known({ stackOffset }) },
    chunk: chunkOf(first),
    levels: stackOffset === undefined ? levelsBelow(first, (offset) => file.pageAt(offset)) : [],
  };
}

/** What a file holds by its pages alone, each image a run of equal pages. */
export interface RunSeries {
  readonly series: TiffSeries[];
  /** Images that nobody can decode, by their names. */
  readonly refused: { readonly name: string; readonly error: UnsupportedTiffError }[];
}

/**
 * The images of a TIFF whose text places no pages. Pages of one shape are planes along z, or as ImageJ's text says;
 * pages marked as smaller copies of those before them are their levels (TIFF 6.0 page 36, NewSubfileType).
 * @param name of the image, and what numbers are added to where there are several.
 * @throws BadTiffError, UnsupportedTiffError when nobody can tell what the pages are
 */
export function runSeries(file: TiffFile, name: string): RunSeries {
  const runs = runsOf(file);
  const [main] = runs;
  if (main?.first.stackPlanes !== undefined && main.first.stackPlanes > 1 && main.pages.length === 1) {
    throw new UnsupportedTiffError(
      file.path,
      `tag ${TAG.uic2}: a MetaMorph stack of ${main.first.stackPlanes} planes`,
    );
  }
  const images: { run: Run; levels: SeriesLevel[] }[] = [];
  for (const run of runs) {
    const above = images[images.length - 1];
    const level = above && levelOf(run, above);
    if (above && level) above.levels.push(level);
    else images.push({ run, levels: [] });
  }
  const series: TiffSeries[] = [];
  const refused: { name: string; error: UnsupportedTiffError }[] = [];
  for (const [i, { run, levels }] of images.entries()) {
    const called = images.length === 1 ? name : `${name} ${i + 1}`;
    try {
      const one = seriesOf(called, file, run, images.length === 1);
      series.push(one.levels.length > 0 ? one : { ...one, levels });
    } catch (error) {
      if (!(error instanceof UnsupportedTiffError)) throw error;
      refused.push({ name: called, error });
    }
  }
  return { series, refused };
}

/** The run as a level of the image before it, if it is marked as one and fits. */
function levelOf({ first, pages }: Run, above: { run: Run; levels: SeriesLevel[] }): SeriesLevel | undefined {
  const last = above.levels[above.levels.length - 1] ?? above.run.first;
  if (!first.reduced || above.run.first.reduced || pages.length !== above.run.pages.length) return undefined;
  if (!sameKind(first, above.run.first) || !isSmaller(first, last)) return undefined;
  const places: SeriesPlaces = { pages };
  return { width: first.width, height: first.height, places, chunk: chunkOf(first) };
}
