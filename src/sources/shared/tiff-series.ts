import { itemSizeBytes } from '../../core/nd-array.ts';
import type { ImageInfo } from '../../model/image.ts';
import { checkDecodable } from './tiff-decode.ts';
import type { TiffPage } from './tiff-page.ts';

/** RGB (TIFF 6.0 page 37). */
const RGB = 2;
/** No image is larger than what a number can count bytes of. */
const MOST_BYTES = Number.MAX_SAFE_INTEGER;

/** Where the pages of a series lie, or its planes where a single directory stands for all of them. */
export interface SeriesPlaces {
  /** Number of the file of each page, in C order of t, c, z; undefined: all in file 0. */
  readonly files?: ArrayLike<number>;
  /** Index in its file's chain of each page, in C order of t, c, z. */
  readonly pages: ArrayLike<number>;
  /** Planes follow each other from this byte of file 0, and `pages` counts them: ImageJ's stacks over 4 GiB. */
  readonly stackOffset?: number;
}

/** A smaller copy of a series: directories below its pages, or pages of the chain. */
export interface SeriesLevel {
  readonly width: number;
  readonly height: number;
  /** Which of the directories below a page it is. */
  readonly below?: number;
  readonly places?: SeriesPlaces;
  readonly chunk: readonly [height: number, width: number];
}

/** An image of five axes that the pages of one or more TIFFs make up. */
export interface TiffSeries {
  readonly image: ImageInfo;
  /** Samples of a pixel, each a channel: the channels of a page. */
  readonly samples: number;
  /** Samples lie in planes of their own. */
  readonly planar: boolean;
  readonly places: SeriesPlaces;
  readonly chunk: readonly [height: number, width: number];
  readonly levels: readonly SeriesLevel[];
}

/** What all pages of a series have in common. */
export const sameKind = (a: TiffPage, b: TiffPage): boolean =>
  a.dtype === b.dtype && a.axes === b.axes && a.samples === b.samples;

export const sameShape = (a: TiffPage, b: TiffPage): boolean =>
  a.width === b.width && a.height === b.height && sameKind(a, b);

export const chunkOf = (page: TiffPage): readonly [height: number, width: number] => [
  Math.min(page.segmentHeight, page.height),
  Math.min(page.segmentWidth, page.width),
];

/** What samples are by the file's own word: red, green and blue. */
function sampleNames(page: TiffPage): ImageInfo['channels'] {
  if (page.photometric !== RGB || page.samples < 3) return [];
  const names = ['Red', 'Green', 'Blue'];
  return Array.from({ length: page.samples }, (_, i) => (names[i] === undefined ? {} : { name: names[i] }));
}

export interface SeriesSizes {
  readonly t: number;
  /** Pages along c; each has `samples` channels. */
  readonly pageChannels: number;
  readonly z: number;
}

/**
 * The image that pages like `first` make up.
 * @param facts what is known beyond the pages; its channels are of pages, one for each.
 * @throws UnsupportedTiffError when nobody can decode the page; BadTiffError when it is absurdly large
 */
export function imageOf(
  name: string,
  first: TiffPage,
  { t, pageChannels, z }: SeriesSizes,
  facts: Partial<Omit<ImageInfo, 'name' | 'shape' | 'dtype'>>,
): ImageInfo {
  checkDecodable(first);
  const { samples, dtype, height, width } = first;
  const c = pageChannels * samples;
  if (!(t * c * z * height * width * itemSizeBytes(dtype) <= MOST_BYTES)) {
    throw first.bad(`claims an image of ${t} by ${c} by ${z} by ${height} by ${width} pixels`);
  }
  const { channels: given = [], ...more } = facts;
  const own = samples === 1 ? [] : sampleNames(first);
  const channels = samples === 1 ? given : pageChannels === 1 ? own : [];
  return {
    name,
    shape: [t, c, z, height, width],
    dtype,
    ...more,
    channels: channels.length === c ? channels : [],
  };
}

/** The smaller copies that stand below a page, each smaller than the one before; others are no levels. */
export function levelsBelow(page: TiffPage, pageAt: (offset: number) => TiffPage): SeriesLevel[] {
  const levels: SeriesLevel[] = [];
  let above: { readonly width: number; readonly height: number } = page;
  for (const [below, offset] of page.subIfdOffsets().entries()) {
    const level = pageAt(offset);
    if (!sameKind(level, page) || !isSmaller(level, above)) break;
    checkDecodable(level);
    const { width, height } = level;
    levels.push({ width, height, below, chunk: chunkOf(level) });
    above = level;
  }
  return levels;
}

export const isSmaller = (
  a: { readonly width: number; readonly height: number },
  b: { readonly width: number; readonly height: number },
): boolean => a.width <= b.width && a.height <= b.height && (a.width < b.width || a.height < b.height);
