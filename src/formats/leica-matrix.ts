import { basename } from 'node:path';
import type { Detection, FormatHandler, IndexOptions } from '../formats.ts';
import type { PlateIndex } from '../model/plate-index.ts';
import {
  folderLetters,
  isLeicaMatrixName,
  type LeicaMatrixImage,
  parseLeicaMatrix,
} from './shared/leica-matrix-name.ts';
import { LeicaMatrixPlaces } from './shared/leica-matrix-places.ts';
import { NamedPlanes, type NameGrammar, surveyNames } from './shared/named-planes.ts';
import { type FolderSight, firstNamed, listBelow, searchPlate } from './shared/plate-search.ts';
import type { PlateSurvey } from './shared/plate-survey.ts';
import { WarningTally } from './shared/warning-tally.ts';

const GRAMMAR: NameGrammar = {
  pattern: 'slide--S../chamber--U..--V../field--X..--Y../image--L..--C...ome.tif',
  isImage: (name, folder) => parseLeicaMatrix(folder === '' ? name : `${folder}/${name}`) !== undefined,
  isMetadata: (name, folder) =>
    /\.(?:xml|ome\.xml|lrp)$/i.test(name) || /(?:^|\/)(?:additionaldata|metadata)(?:\/|$)/i.test(folder),
};

const isSlide = (name: string): boolean => folderLetters(name) === 'S';
const isChamber = (name: string): boolean => folderLetters(name) === 'UV';

async function judge({ path, files, directories }: FolderSight): Promise<Omit<Detection, 'root'>> {
  const image = firstNamed(files, (name) => isLeicaMatrixName(name) && parseLeicaMatrix(name) !== undefined);
  if (image !== undefined) return { confidence: 'certain', reason: image };
  const chamber = firstNamed(directories, isChamber);
  if (chamber !== undefined) return { confidence: 'certain', reason: `${chamber}/` };
  const slides = directories.filter(isSlide);
  const [slide] = slides;
  // Each slide is a plate of its own: of several, one has to be named.
  if (slide === undefined || slides.length > 1)
    return { confidence: 'no', reason: 'no folder named chamber--U..--V..' };
  const below = firstNamed((await listBelow(`${path}/${slide}`)).directories, isChamber);
  return below === undefined
    ? { confidence: 'no', reason: `${slide} has no folder named chamber--U..--V..` }
    : { confidence: 'certain', reason: `${slide}/${below}/` };
}

const LETTERS: Readonly<Record<string, string>> = {
  S: 'slide',
  U: 'well',
  V: 'well',
  X: 'field',
  Y: 'field',
};

/** Says where folder and name disagree, and which slides a plate was mixed of. */
function warn(survey: PlateSurvey, images: readonly LeicaMatrixImage[], paths: readonly string[]): void {
  const disagreeing = new WarningTally();
  const otherSlides = new WarningTally();
  let slide: number | undefined;
  for (const [i, image] of images.entries()) {
    const path = paths[i] ?? '';
    slide ??= image.slide;
    if (image.slide !== slide) otherSlides.add(path);
    const parts = new Set(image.disagreeing.map((letter) => LETTERS[letter] ?? letter));
    if (parts.size > 0) disagreeing.add(path, `${path} (${[...parts].join(', ')})`);
  }
  const warnings = [
    ...disagreeing.tell(
      'contradiction',
      'image lies in a folder that says another place than its name',
      'images lie in folders that say other places than their names',
      "the image's own name decides",
    ),
    ...otherSlides.tell(
      'several-plates',
      `image is of another slide than S${slide}`,
      `images are of other slides than S${slide}`,
      'all slides are shown as one plate; mount the folder of one slide to see it alone',
    ),
  ];
  for (const warning of warnings) survey.builder.addWarning(warning);
}

async function index(root: string, options: IndexOptions, signal: AbortSignal): Promise<PlateIndex> {
  const survey = await surveyNames(root, options, signal, GRAMMAR);
  const images: LeicaMatrixImage[] = [];
  const paths: string[] = [];
  for (const path of survey.images.keys()) {
    const image = parseLeicaMatrix(path);
    if (!image) continue;
    images.push(image);
    paths.push(path);
  }
  const places = new LeicaMatrixPlaces(images);
  const planes = new NamedPlanes(survey);
  for (const [i, image] of images.entries()) {
    const path = paths[i] ?? '';
    planes.add(path, survey.images.get(path) ?? 0, places.place(image));
  }
  planes.finish();
  warn(survey, images, paths);
  const numbers = places.channelNumbers();
  return survey.builder.finish({
    name: basename(root),
    format: 'leica-matrix',
    formatDetail: 'Leica Matrix Screener export',
    ...(places.grid ? { grid: places.grid } : {}),
    channels: places.channels.map(({ name }, i) => ({
      number: numbers[i] ?? i + 1,
      ...(name === '' ? {} : { name }),
    })),
  });
}

const leicaMatrix: FormatHandler = {
  id: 'leica-matrix',
  title: 'Leica Matrix Screener',
  detect: (folder, signal) => searchPlate(folder, judge, signal),
  index,
};

export default leicaMatrix;
