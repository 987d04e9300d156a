import { attributesOf, startTags } from './start-tags.ts';
import { imagejNumber } from './tiff-imagej.ts';

/** How the pages of a file are ordered: extents of the axes before `yx`, outermost first. */
export interface PageAxes {
  /** Letters of `t`, `c`, `z`; empty for a single page. */
  readonly axes: string;
  readonly shape: readonly number[];
  /** The page of each position in C order of the axes; undefined when it is the file's own order. */
  readonly pages?: readonly number[];
}

function positive(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d{1,9}$/.test(text)) return undefined;
  const value = Number(text);
  return value > 0 ? value : undefined;
}

/** Drops axes of extent 1 and gives what is left, outermost first. */
function named(order: readonly (readonly [string, number])[], pages?: readonly number[]): PageAxes {
  const kept = order.filter(([, extent]) => extent > 1);
  return {
    axes: kept.map(([letter]) => letter).join(''),
    shape: kept.map(([, extent]) => extent),
    ...(pages === undefined ? {} : { pages }),
  };
}

/** ImageJ's hyperstack text (FileSaver of ImageJ 1.x): pages run over channels, then slices, then frames. */
function imagejAxes(description: string, pageCount: number): PageAxes | undefined {
  const c = imagejNumber(description, 'channels') ?? 1;
  const z = imagejNumber(description, 'slices') ?? 1;
  const t = imagejNumber(description, 'frames') ?? 1;
  if (c * z * t !== pageCount) return undefined;
  return named([
    ['t', t],
    ['z', z],
    ['c', c],
  ]);
}

/** OME-XML (schema 2016-06): `DimensionOrder` names the axes from the fastest, `TiffData` where planes lie. */
function omeAxes(xml: string, pageCount: number, samples: number): PageAxes | undefined {
  const [pixels] = startTags(xml, ['Pixels']);
  if (pixels === undefined) return undefined;
  const attributes = attributesOf(pixels.content);
  const order = attributes.get('DimensionOrder') ?? '';
  if (!/^XY(?:CZT|CTZ|ZCT|ZTC|TCZ|TZC)$/.test(order)) return undefined;
  const extent = (letter: string): number => {
    const size = positive(attributes.get(`Size${letter}`)) ?? 0;
    return letter === 'C' ? size / samples : size;
  };
  const letters = [...order.slice(2)].reverse();
  const axes = letters.map((letter) => [letter.toLowerCase(), extent(letter)] as const);
  if (axes.reduce((product, [, size]) => product * size, 1) !== pageCount) return undefined;
  const end = xml.indexOf('Pixels>', pixels.at);
  const pages = tiffDataPages(xml.slice(pixels.at, end === -1 ? undefined : end), letters, extent, pageCount);
  if (pages === undefined) return undefined;
  return named(axes, pages.every((page, index) => page === index) ? undefined : pages);
}

/** The page of every position, undefined when `TiffData` doesn't place each page exactly once. */
function tiffDataPages(
  xml: string,
  letters: readonly string[],
  extent: (letter: string) => number,
  pageCount: number,
): number[] | undefined {
  const blocks = [...startTags(xml, ['TiffData'])];
  if (blocks.length > pageCount) return undefined;
  if (blocks.length === 0) return Array.from({ length: pageCount }, (_, index) => index);
  const pages = new Array<number>(pageCount).fill(-1);
  for (const block of blocks) {
    const attributes = attributesOf(block.content);
    const number = (key: string): number => Number(attributes.get(key) ?? 0);
    let first = 0;
    for (const letter of letters) first = first * extent(letter) + number(`First${letter}`);
    const ifd = number('IFD');
    const given = attributes.get('PlaneCount');
    const count = given === undefined ? (attributes.has('IFD') ? 1 : pageCount) : Number(given);
    if (!(first >= 0 && ifd >= 0 && count >= 0 && first + count <= pageCount && ifd + count <= pageCount)) {
      return undefined;
    }
    for (let index = 0; index < count; index++) {
      if (pages[first + index] !== -1) return undefined;
      pages[first + index] = ifd + index;
    }
  }
  return new Set(pages).size === pageCount && !pages.includes(-1) ? pages : undefined;
}

/**
 * What the pages of a file mean, from the text in its first page. A text that disagrees with the number of
 * pages is not believed: then the pages are `z`.
 */
export function pageAxes(description: string | undefined, pageCount: number, samples: number): PageAxes {
  if (pageCount === 1) return { axes: '', shape: [] };
  const text = description ?? '';
  const known = text.startsWith('ImageJ=')
    ? imagejAxes(text, pageCount)
    : text.includes('<Pixels') || text.includes(':Pixels')
      ? omeAxes(text, pageCount, samples)
      : undefined;
  return known ?? { axes: 'z', shape: [pageCount] };
}
