import { basename } from 'node:path';
import { BadMetadataError } from '../core/errors.ts';
import type { FormatHandler, IndexOptions } from '../formats.ts';
import type { PlateFacts } from '../model/plate.ts';
import type { PlateIndex } from '../model/plate-index.ts';
import { compareWithMapping } from './shared/openhcs-compare.ts';
import { detectOpenHcs } from './shared/openhcs-detect.ts';
import { OpenHcsFile } from './shared/openhcs-file.ts';
import { OpenHcsFiles } from './shared/openhcs-files.ts';
import { openHcsParser } from './shared/openhcs-name.ts';
import { folderOfKey } from './shared/openhcs-path.ts';
import { OpenHcsPlanes } from './shared/openhcs-planes.ts';
import {
  mainSubdirectory,
  type OpenHcsStore,
  type OpenHcsSubdirectory,
  type OpenHcsSurvey,
  storesOf,
} from './shared/openhcs-survey.ts';
import { flatStoreFolders, OpenHcsZarr } from './shared/openhcs-zarr.ts';
import { WarningTally } from './shared/warning-tally.ts';

const titleOf = (key: string): string => (key === '' || key === '.' ? 'the plate folder' : `${key}/`);

function describe(main: OpenHcsSubdirectory, isFlat: boolean, store: OpenHcsStore, mapName?: string): string {
  const place = isFlat ? 'flat layout' : titleOf(main.key);
  if (store === 'zarr') return `OpenHCS, ${place}, Zarr (${mapName})`;
  if (store === 'mapping')
    return `OpenHCS, ${place}, virtual workspace (mapping version ${main.mappingVersion})`;
  return `OpenHCS, ${place}, files on disk`;
}

function factsOf(
  root: string,
  survey: OpenHcsSurvey,
  main: OpenHcsSubdirectory,
  formatDetail: string,
): PlateFacts {
  const { grid, pixelSizeUm, channels, handler } = main;
  const others = survey.subdirectories.filter((one) => one !== main);
  const declared: Record<string, string> = {
    ...(survey.isFlat ? {} : { Subdirectory: main.key }),
    ...(others.length === 0 ? {} : { OtherSubdirectories: others.map(({ key }) => key).join(', ') }),
    ...(handler === undefined ? {} : { MicroscopeHandler: handler }),
  };
  return {
    name: main.plateName ?? basename(root),
    format: 'openhcs',
    formatDetail,
    channels: [...channels]
      .filter(([number]) => number > 0)
      .sort(([a], [b]) => a - b)
      .map(([number, name]) => ({ number, name })),
    ...(grid ? { grid } : {}),
    ...(pixelSizeUm === undefined ? {} : { pixelSizeUm: { x: pixelSizeUm, y: pixelSizeUm } }),
    ...(Object.keys(declared).length === 0 ? {} : { declared }),
  };
}

/** Tells which subdirectories are not shown as planes, and where the file contradicts itself. */
function warnSubdirectories(planes: OpenHcsPlanes, survey: OpenHcsSurvey, main: OpenHcsSubdirectory): void {
  const mains = survey.subdirectories.filter(({ isMain }) => isMain);
  if (mains.length > 1)
    planes.warn(
      'contradiction',
      `${mains.length} subdirectories are called the main one: ${mains
        .map(({ key }) => key)
        .slice(0, 20)
        .join(', ')}`,
      [],
      `the first is: ${main.key}`,
    );
  for (const other of survey.subdirectories) {
    const images = other.mapped > 0 ? other.mapped : other.listed;
    if (other !== main && images > 0)
      planes.warn(
        'other-subdirectory',
        `the ${images} images of ${titleOf(other.key)} are no planes of the plate, which are those of ${titleOf(main.key)}`,
        [other.key],
        'they are reachable under source/ only',
      );
  }
}

/** Folders whose images are no planes and told of as such: other subdirectories, and every one's results. */
function foldersApart(survey: OpenHcsSurvey, main: OpenHcsSubdirectory, root: string): readonly string[] {
  const keys = survey.subdirectories.flatMap((one) => [
    ...(one === main ? [] : [one.key]),
    one.resultsFolder ?? `${one.key}_results`,
  ]);
  return keys.flatMap((key) => {
    const folder = folderOfKey(key, root);
    return folder === undefined || folder === '' ? [] : [folder];
  });
}

/** What an index of OpenHCS's plate is made from. */
interface Plate {
  readonly root: string;
  readonly document: OpenHcsFile;
  readonly survey: OpenHcsSurvey;
  readonly main: OpenHcsSubdirectory;
  readonly files: OpenHcsFiles;
  readonly planes: OpenHcsPlanes;
  /** Folders of other subdirectories and of results. */
  readonly apart: readonly string[];
}

/** Adds the planes of the main subdirectory from the first place that has them. @returns the plate's shape in a line. */
async function addPlanes(plate: Plate, signal: AbortSignal): Promise<string> {
  const { root, document, survey, main, files, planes, apart } = plate;
  const folder = folderOfKey(main.key, root);
  if (folder === undefined) {
    const message = `the main subdirectory ${main.key} is no folder of the plate`;
    planes.warn('unsafe-path', message, [main.key], 'it is not shown');
    return describe(main, survey.isFlat, 'list');
  }
  for (const store of storesOf(survey, main)) {
    if (store === 'mapping') await planes.addMapping(document, main, signal);
    else if (store === 'list') await planes.addList(document, main, folder, signal);
    else {
      const zarr = new OpenHcsZarr(files, planes, root);
      let isFound = false;
      for (const one of survey.isFlat ? flatStoreFolders(main, root) : [folder])
        isFound ||= await zarr.find(one, apart, signal);
      if (!isFound) {
        const message = `${titleOf(main.key)} is said to be a Zarr store, and no array there names its images`;
        planes.warn('contradiction', message, [main.key], 'what else the metadata names is shown');
        continue;
      }
      await zarr.addPlanes(signal);
      await zarr.checkList(document, main, signal);
      return describe(main, survey.isFlat, store, zarr.mapName);
    }
    return describe(main, survey.isFlat, store);
  }
  return describe(main, survey.isFlat, 'list');
}

async function index(root: string, options: IndexOptions, signal: AbortSignal): Promise<PlateIndex> {
  const files = await OpenHcsFiles.walk(root, options, signal);
  const name = files.documentName;
  if (name === undefined)
    throw new BadMetadataError(
      root,
      'the openhcs_metadata.json that was seen is gone, or is a link out of the plate that is not followed',
      { advice: 'mount it again, or with -o follow_links' },
    );
  using document = new OpenHcsFile(`${root}/${name}`);
  files.addEvidence(name, document);
  const survey = document.survey();
  const main = mainSubdirectory(survey);
  if (!main)
    throw new BadMetadataError(document.path, 'names no subdirectory', { advice: 'restore the file' });
  const planes = new OpenHcsPlanes(files, root, openHcsParser(main.parser));
  const apart = foldersApart(survey, main, root);
  const shape = await addPlanes({ root, document, survey, main, files, planes, apart }, signal);
  warnSubdirectories(planes, survey, main);
  const left = new WarningTally();
  // What another subdirectory names in the plate folder itself is told of with that one.
  const isShared = survey.subdirectories.some((one) => one !== main && folderOfKey(one.key, root) === '');
  if (!isShared) for (const path of files.leftImages(apart)) left.add(path);
  const aside = 'they are reachable under source/ only';
  for (const warning of [
    ...planes.warnings(),
    ...left.tell(
      'unlisted-image',
      'image on disk and not named by the metadata',
      'images on disk and not named by the metadata',
      aside,
    ),
    ...files.warnings(),
  ])
    files.builder.addWarning(warning);
  return files.builder.finish(factsOf(root, survey, main, shape));
}

/**
 * What OpenHCS wrote: plates of its results (Zarr or files on disk), and raw plates that its
 * `openhcs_metadata.json` gives names to. Where an instrument's own metadata names the same raw plate, that wins.
 */
const openhcs: FormatHandler = {
  id: 'openhcs',
  title: 'OpenHCS',
  detect: detectOpenHcs,
  index,
  compare: compareWithMapping,
};

export default openhcs;
