import { basename } from 'node:path';
import type { FormatHandler, IndexOptions } from '../formats.ts';
import { compareNatural } from '../model/natural-order.ts';
import type { PlateFacts } from '../model/plate.ts';
import type { PlateIndex } from '../model/plate-index.ts';
import { isJunkName, leftOut } from './shared/left-out.ts';
import { tiffExtension } from './shared/metaxpress-name.ts';
import { detectMicroManager, INDEX_NAME, isDownsampled, METADATA_NAME } from './shared/mm-detect.ts';
import type { MmSummary } from './shared/mm-frame.ts';
import { parseMmImageName } from './shared/mm-image-name.ts';
import { NdTiffReader } from './shared/mm-ndtiff.ts';
import { MmPlanes } from './shared/mm-planes.ts';
import { MmSingleReader } from './shared/mm-single.ts';
import { MmStackReader, stackPrefix } from './shared/mm-stack.ts';
import { MmWarnings } from './shared/mm-warnings.ts';
import { type PlateSurvey, type Sorting, surveyPlate } from './shared/plate-survey.ts';

function sort(name: string, folder: string): Sorting {
  if (isJunkName(name)) return 'junk';
  if (name === INDEX_NAME || name === METADATA_NAME || name === 'display_settings.txt')
    return isDownsampled(folder) ? 'other' : 'metadata';
  // Smaller copies of what is in the full resolution.
  if (isDownsampled(folder)) return tiffExtension(name) === '' ? 'other' : 'thumbnail';
  if (tiffExtension(name) !== '') return 'image';
  return /^(?:.*_metadata\.txt|DisplaySettings\.json|comments\.txt)$/i.test(name)
    ? 'metadata'
    : leftOut(name, folder);
}

const baseName = (path: string): string => path.slice(path.lastIndexOf('/') + 1);

/** What an acquisition was saved as. */
type Kind = 'ndtiff' | 'stack' | 'single';

const DETAILS: Readonly<Record<Kind, string>> = {
  ndtiff: 'NDTiff data set',
  stack: 'image file stacks (MMStack)',
  single: 'separate image files',
};

interface Acquisition {
  readonly kind: Kind;
  readonly summary: MmSummary | undefined;
}

/** Reads the acquisition in `survey` into `planes`. */
async function readAcquisition(
  survey: PlateSurvey,
  planes: MmPlanes,
  warnings: MmWarnings,
  signal: AbortSignal,
): Promise<Acquisition> {
  const indexes = survey.metadata.filter(({ path }) => baseName(path) === INDEX_NAME);
  const paths = [...survey.images.keys()].sort(compareNatural);
  const stacks = paths.filter((path) => stackPrefix(baseName(path)) !== undefined);
  const singles = paths.filter((path) => parseMmImageName(baseName(path)) !== undefined);
  const leave = (isOurs: (name: string) => boolean): void => {
    for (const path of paths) if (!isOurs(baseName(path))) warnings.unlisted.add(path);
  };
  if (indexes.length > 0) {
    const reader = new NdTiffReader(survey, planes, warnings, signal);
    const [first, ...others] = indexes;
    if (first) await reader.read(first);
    for (const { path } of others) warnings.otherSets.add(path);
    leave((name) => /NDTiffStack/i.test(name));
    return { kind: 'ndtiff', summary: reader.summary };
  }
  if (stacks.length > 0) {
    const reader = new MmStackReader(survey, planes, warnings, signal);
    const prefixOf = (path: string): string | undefined =>
      path.slice(0, path.length - baseName(path).length) + stackPrefix(baseName(path));
    const prefix = prefixOf(stacks[0] ?? '');
    for (const path of stacks) {
      if (prefixOf(path) === prefix) await reader.read(path, survey.images.get(path) ?? 0);
      else warnings.otherSets.add(path);
    }
    leave((name) => stackPrefix(name) !== undefined);
    return { kind: 'stack', summary: reader.summary };
  }
  const reader = new MmSingleReader(survey, planes, warnings, signal);
  const metadata = survey.metadata.filter(({ path }) => baseName(path) === METADATA_NAME);
  await reader.read(metadata, singles);
  leave((name) => parseMmImageName(name) !== undefined);
  return { kind: 'single', summary: reader.summary };
}

/**
 * Acquisitions of Micro-Manager and Pycro-Manager: separate image files, image file stacks and NDTiff
 * (https://micro-manager.org/Micro-Manager_File_Formats).
 */
async function index(root: string, options: IndexOptions, signal: AbortSignal): Promise<PlateIndex> {
  const survey = await surveyPlate(root, options, signal, sort);
  const planes = new MmPlanes(survey);
  const warnings = new MmWarnings();
  const { kind, summary } = await readAcquisition(survey, planes, warnings, signal);
  const { facts, hasWells } = planes.finish(summary);
  warnings.tell(survey.builder);
  const wells = hasWells ? 'wells by the labels of positions' : 'positions are fields of well A01';
  const all: PlateFacts = {
    ...facts,
    name: basename(root),
    format: 'micro-manager',
    formatDetail: `${DETAILS[kind]}, ${wells}`,
  };
  return survey.builder.finish(all);
}

const microManager: FormatHandler = {
  id: 'micro-manager',
  title: 'Micro-Manager',
  detect: detectMicroManager,
  index,
};

export default microManager;
