import { basename } from 'node:path';
import { BadMetadataError, explain, SourceChangedError } from '../../core/errors.ts';
import type {
  ArrayItem,
  ImageItem,
  ImageLevel,
  ItemPath,
  SourceCatalog,
  SourceItem,
  TextItem,
} from '../../sources.ts';
import { TiffFiles } from './tiff-files.ts';
import { looksLikeOme, omeSeries } from './tiff-ome.ts';
import { runSeries } from './tiff-runs.ts';
import type { SeriesLevel, TiffSeries } from './tiff-series.ts';

/** A longer description is not listed; OME-XML of a large plate has hundreds of megabytes. */
const MAX_TEXT_CHARACTERS = 4 << 20;

/** A TIFF, its images and what is said of them. */
export interface DescribedTiff {
  readonly files: TiffFiles;
  readonly series: readonly TiffSeries[];
  readonly catalog: SourceCatalog;
}

/** The name without what says that it is a TIFF: `a.ome.tif` is `a`. */
const stemOf = (path: string): string =>
  basename(path).replace(/(?:\.ome|\.ij)?\.(?:tiff?|btf|tf[28]|stk)$/i, '');

/** The path of a level below its image. */
export const levelPath = (image: ItemPath, level: number): ItemPath =>
  image === '' ? `level${level + 1}` : `${image}/level${level + 1}`;

/** The axes of an image as an array: those of extent 1 left out, `yx` always there. */
export const arrayAxes = (shape: readonly number[]): number[] =>
  [0, 1, 2, 3, 4].filter((axis) => axis > 2 || shape[axis] !== 1);

/** Paths of several images: their names where these tell them apart, else numbered. The only one is the root. */
function pathsOf(series: readonly TiffSeries[]): ItemPath[] {
  if (series.length === 1) return [''];
  const taken = new Set<string>();
  return series.map(({ image }, i) => {
    const name = image.name.replaceAll('/', '_');
    let path = name === '' ? `image ${i + 1}` : name;
    if (taken.has(path)) path = `${path} (${i + 1})`;
    while (taken.has(path)) path += '_';
    taken.add(path);
    return path;
  });
}

/** Samples side by side are decoded together, and with them the channels that they are. */
const chunkShape = (
  { samples, planar }: TiffSeries,
  [height, width]: readonly [number, number],
): readonly number[] => [1, planar ? 1 : samples, 1, height, width];

function levelItem(series: TiffSeries, level: SeriesLevel, path: ItemPath): ImageLevel {
  const [t, c, z] = series.image.shape;
  return { path, shape: [t, c, z, level.height, level.width], chunkShape: chunkShape(series, level.chunk) };
}

function itemsOf(series: TiffSeries, path: ItemPath): [ImageItem, ArrayItem] {
  const { image } = series;
  const chunk = chunkShape(series, series.chunk);
  const axes = arrayAxes(image.shape);
  const levels = series.levels.map((level, i) => levelItem(series, level, levelPath(path, i)));
  const pick = (from: readonly number[]): number[] => axes.map((axis) => from[axis] ?? 1);
  return [
    { kind: 'image', path, image, chunkShape: chunk, levels },
    { kind: 'array', path, shape: pick(image.shape), dtype: image.dtype, chunkShape: pick(chunk) },
  ];
}

function titleOf(text: string, isOme: boolean, big: boolean): string {
  const kind = isOme ? 'OME-TIFF' : text.startsWith('ImageJ=') ? 'ImageJ TIFF' : 'TIFF';
  return big ? `${kind} (BigTIFF)` : kind;
}

/**
 * Looks into a TIFF and the files it names. The files stay open: dispose of `files`.
 * @param root nothing outside it is opened; undefined when `known` was made with one.
 * @param known what was found before; then it must still be so.
 * @throws BadTiffError, UnsupportedTiffError, UnreadableSourceError; SourceChangedError when it is not as `known`
 */
export function describeTiff(path: string, root: string | undefined, known?: SourceCatalog): DescribedTiff {
  const files = new TiffFiles();
  try {
    const version = known?.version;
    const changed = (): SourceChangedError =>
      new SourceChangedError(path, 'it is no longer the file that was looked at', {
        advice: 'mount it again',
      });
    files.add(path);
    // Before anything is made of what stands in it now.
    if (version !== undefined && version.split('+')[0] !== files.version) throw changed();
    const check = (): void => {
      if (version !== undefined && version !== files.version) throw changed();
    };
    return describe(path, root, files, check);
  } catch (error) {
    files[Symbol.dispose]();
    throw error;
  }
}

function describe(
  path: string,
  root: string | undefined,
  files: TiffFiles,
  check: () => void,
): DescribedTiff {
  const warnings: { path: ItemPath; message: string }[] = [];
  const file = files.file(0);
  const text = file.page(0).description() ?? '';
  const stem = stemOf(path);
  const isOme = looksLikeOme(text);
  let series: readonly TiffSeries[] | undefined;
  if (isOme) {
    try {
      const ome = omeSeries(path, text, root, files, check);
      for (const { name, message } of ome?.refused ?? []) warnings.push({ path: name, message });
      if (ome && ome.series.length > 0) series = ome.series;
    } catch (error) {
      if (!(error instanceof BadMetadataError)) throw error;
      warnings.push({ path: '', message: explain(error) });
    }
  }
  check();
  if (series === undefined) {
    const runs = runSeries(file, stem);
    for (const { name, error } of runs.refused) warnings.push({ path: name, message: explain(error) });
    series = runs.series;
  }
  series = series.map((one) =>
    one.image.name === '' ? { ...one, image: { ...one.image, name: stem } } : one,
  );
  const paths = pathsOf(series);
  const items: SourceItem[] = series.flatMap((one, i) => itemsOf(one, paths[i] ?? ''));
  if (text.length > MAX_TEXT_CHARACTERS)
    warnings.push({ path: '', message: `its description of ${text.length} characters is not shown` });
  else if (text !== '') items.push(textItem(text, isOme));
  const title = titleOf(text, isOme, file.isBig);
  return { files, series, catalog: { title, items, warnings, version: files.version } };
}

function textItem(text: string, isOme: boolean): TextItem {
  return { kind: 'text', path: isOme ? 'description.ome.xml' : 'description.txt', text };
}
