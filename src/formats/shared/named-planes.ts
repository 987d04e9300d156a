import { known, plainText } from '../../core/metadata-values.ts';
import type { IndexOptions } from '../../formats.ts';
import type { PlaneDetail } from '../../model/plane-details.ts';
import type { ChannelFacts } from '../../model/plate.ts';
import { isJunkName, leftOut } from './left-out.ts';
import { tiffExtension } from './metaxpress-name.ts';
import { isPlace, type NameReading } from './plane-place.ts';
import { type PlateSurvey, surveyPlate } from './plate-survey.ts';
import { WarningTally } from './warning-tally.ts';

/** How a format tells its images by their names alone. */
export interface NameGrammar {
  /** For people: `<plate>_<well>f<field>d<channel>.tif`. */
  readonly pattern: string;
  /** Whether a file with a TIFF's extension is an image of the plate; folder is its path below the root. */
  isImage(name: string, folder: string): boolean;
  isMetadata(name: string, folder: string): boolean;
}

/** The last part of a path. */
export const baseName = (path: string): string => path.slice(path.lastIndexOf('/') + 1);
/** What stands before it, '' for none. */
export const folderOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf('/')));

/**
 * Walks a plate whose images are told by their names: `survey.images` are those that follow the grammar. A TIFF that
 * doesn't, and is nothing else either, is warned of.
 * @throws CancelledError, UnreadableSourceError when the root can't be listed.
 */
export async function surveyNames(
  root: string,
  options: IndexOptions,
  signal: AbortSignal,
  grammar: NameGrammar,
): Promise<PlateSurvey> {
  const unread = new WarningTally();
  const survey = await surveyPlate(root, options, signal, (name, folder) => {
    if (isJunkName(name)) return 'junk';
    const isTiff = tiffExtension(name) !== '';
    if (isTiff && grammar.isImage(name, folder)) return 'image';
    if (grammar.isMetadata(name, folder)) return 'metadata';
    const reason = leftOut(name, folder);
    if (isTiff && reason === 'other') unread.add(folder === '' ? name : `${folder}/${name}`);
    return reason;
  });
  for (const warning of unread.tell(
    'unrecognised-name',
    `image is not named ${grammar.pattern}`,
    `images are not named ${grammar.pattern}`,
    'they are reachable under source/ only',
  ))
    survey.builder.addWarning(warning);
  return survey;
}

/** Takes images by what their names say, and tells which can't be placed on a plate. */
export class NamedPlanes {
  readonly #survey: PlateSurvey;
  readonly #unplaced = new WarningTally();

  constructor(survey: PlateSurvey) {
    this.#survey = survey;
  }

  /** `place`: row and column from 0, the rest as in names. What is no place of a plate is told by `finish`. */
  add(path: string, file: number, place: NameReading, detail?: PlaneDetail): void {
    if (!isPlace(place)) {
      this.#unplaced.add(path);
      return;
    }
    const { row, column, site, channel, z, t } = place;
    this.#survey.builder.addPlane(file, row, column, site, channel, z, t, tiffExtension(path), detail);
  }

  finish(): void {
    for (const warning of this.#unplaced.tell(
      'unplaced-image',
      'image has a name that says no place on a plate of up to 1536 wells',
      'images have names that say no place on a plate of up to 1536 wells',
      'they are reachable under source/ only',
    ))
      this.#survey.builder.addWarning(warning);
  }
}

/** Numbers texts by their order: the first is channel 1. */
export function channelsOf(texts: readonly string[]): {
  readonly numbers: ReadonlyMap<string, number>;
  readonly channels: ChannelFacts[];
} {
  const numbers = new Map(texts.map((text, i) => [text, i + 1]));
  return {
    numbers,
    channels: texts.map((text, i) => ({ number: i + 1, ...known({ name: plainText(text) }) })),
  };
}
