import { join } from 'node:path';
import { BadMetadataError, UnreadableSourceError } from '../../core/errors.ts';
import type { Detection } from '../../formats.ts';
import { OpenHcsFile, openHcsFileName } from './openhcs-file.ts';
import { openHcsParser, parseOpenHcsName } from './openhcs-name.ts';
import { lastName } from './openhcs-path.ts';
import { mainSubdirectory, storesOf } from './openhcs-survey.ts';
import { type FolderSight, searchPlate } from './plate-search.ts';

/** What the metadata file in a folder says. */
async function judge({ path: folder, files }: FolderSight): Promise<Omit<Detection, 'root'>> {
  const name = openHcsFileName((one) => files.includes(one));
  if (name === undefined) return { confidence: 'no', reason: 'no openhcs_metadata.json' };
  try {
    using file = new OpenHcsFile(join(folder, name));
    const survey = file.survey();
    const main = mainSubdirectory(survey);
    const [store] = main ? storesOf(survey, main) : [];
    if (!main || !store) return { confidence: 'no', reason: `${name} names no images` };
    const key = survey.isFlat || main.key === '.' ? '' : ` of ${main.key}/`;
    const reason = `${name}: ${store === 'zarr' ? `Zarr${key}` : `${main.mapped > 0 ? main.mapped : main.listed} images${key}`}`;
    const parser = openHcsParser(main.parser);
    const isOwnOutput =
      store === 'zarr' ||
      (store === 'list' &&
        main.examples.every((path) => parseOpenHcsName(lastName(path), parser)?.isConstructed === true));
    return {
      confidence: 'certain',
      reason,
      standing: isOwnOutput ? 'prevails' : 'gives-way',
    };
  } catch (error) {
    if (!(error instanceof BadMetadataError || error instanceof UnreadableSourceError)) throw error;
    // It is OpenHCS's plate all the same: what the names of its files seem to say is not to be guessed from.
    return { confidence: 'certain', reason: error.message, standing: 'gives-way' };
  }
}

/**
 * Finds `openhcs_metadata.json` in a folder or up to two levels below. Several below one folder are not guessed
 * between: the reason lists them.
 * @throws UnreadableSourceError, CancelledError
 */
export async function detectOpenHcs(folder: string, signal: AbortSignal): Promise<Detection> {
  return await searchPlate(folder, judge, signal);
}
