import { basename } from 'node:path';
import type { Detection, FormatHandler, IndexOptions } from '../formats.ts';
import { compareNatural } from '../model/natural-order.ts';
import type { PlateFacts } from '../model/plate.ts';
import type { PlateIndex } from '../model/plate-index.ts';
import { type BdExperiment, readBdExperiment } from './shared/bd-pathway-experiment.ts';
import { parseBdName, parseWellFolder } from './shared/bd-pathway-name.ts';
import {
  baseName,
  channelsOf,
  folderOf,
  NamedPlanes,
  type NameGrammar,
  surveyNames,
} from './shared/named-planes.ts';
import { type FolderSight, firstNamed, listBelow, searchPlate } from './shared/plate-search.ts';
import type { PlateSurvey } from './shared/plate-survey.ts';

/** Well folders looked into for a first image. */
const MAX_WELLS_SEEN = 4;
/** Bio-Formats' BDReader lists them; corrections (`.ffc`, `.afc`) are told apart. */
const METADATA = /\.(?:exp|dye|plt|xyz|drt|geo|ltp|mon|mac|roi|adf)$|^roisummary\.txt$/i;

const GRAMMAR: NameGrammar = {
  pattern: 'Well <well>/<dye> - n<number>.tif',
  isImage: (name, folder) => parseBdName(name) !== undefined && parseWellFolder(folder) !== undefined,
  isMetadata: (name) => METADATA.test(name),
};

async function judge({ path, files, directories }: FolderSight): Promise<Omit<Detection, 'root'>> {
  const experiment = firstNamed(files, (name) => name.toLowerCase() === 'experiment.exp');
  const wells = directories.filter((name) => parseWellFolder(name)).sort(compareNatural);
  let image: string | undefined;
  for (const well of wells.slice(0, MAX_WELLS_SEEN)) {
    const { files: inside } = await listBelow(`${path}/${well}`);
    const name = firstNamed(inside, (file) => parseBdName(file) !== undefined);
    image ??= name === undefined ? undefined : `${well}/${name}`;
  }
  const seen = [experiment, image].filter((name) => name !== undefined).join(', ');
  if (experiment !== undefined && wells.length > 0) return { confidence: 'certain', reason: seen };
  if (image !== undefined) return { confidence: 'maybe', reason: `${seen}, but no Experiment.exp` };
  return { confidence: 'no', reason: `no Experiment.exp with folders named Well A01` };
}

function addPlanes(
  survey: PlateSurvey,
  numbers: ReadonlyMap<string, number>,
  { zSlices }: BdExperiment,
): void {
  const planes = new NamedPlanes(survey);
  for (const [path, file] of survey.images) {
    const name = parseBdName(baseName(path));
    const well = parseWellFolder(folderOf(path));
    if (!name || !well) continue;
    planes.add(path, file, {
      ...well,
      site: 1,
      channel: numbers.get(name.dye) ?? 0,
      z: (name.number % zSlices) + 1,
      t: Math.floor(name.number / zSlices) + 1,
    });
  }
  planes.finish();
}

function declared({ montage, objective }: BdExperiment): Pick<PlateFacts, 'declared'> {
  const values: Record<string, string> = {};
  if (objective !== undefined) values['Objective'] = objective;
  if (montage) values['Montage'] = `${montage.columns} across × ${montage.rows} down in each image`;
  return Object.keys(values).length > 0 ? { declared: values } : {};
}

async function index(root: string, options: IndexOptions, signal: AbortSignal): Promise<PlateIndex> {
  const survey = await surveyNames(root, options, signal, GRAMMAR);
  const experiment = await readBdExperiment(survey, signal);
  const found = new Set<string>();
  for (const path of survey.images.keys()) found.add(parseBdName(baseName(path))?.dye ?? '');
  const dyes = new Set(experiment.dyes);
  for (const dye of [...found].sort(compareNatural)) dyes.add(dye);
  const { numbers, channels } = channelsOf([...dyes]);
  addPlanes(survey, numbers, experiment);
  const { montage } = experiment;
  if (montage)
    survey.builder.addWarning({
      kind: 'montage',
      message: `the instrument joined ${montage.columns * montage.rows} fields in each image (${montage.columns} across × ${montage.rows} down)`,
      files: [],
      rule: 'each image is shown as it is, as one field',
    });
  return survey.builder.finish({
    name: basename(root),
    format: 'bd-pathway',
    formatDetail: 'BD Pathway experiment',
    ...experiment.plate,
    channels: channels.map((channel, i) => ({
      ...channel,
      ...experiment.wavelengths.get([...dyes][i] ?? ''),
    })),
    ...declared(experiment),
  });
}

const bdPathway: FormatHandler = {
  id: 'bd-pathway',
  title: 'BD Pathway',
  detect: (folder, signal) => searchPlate(folder, judge, signal),
  index,
};

export default bdPathway;
