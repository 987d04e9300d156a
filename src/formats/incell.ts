import { basename } from 'node:path';
import { PlateFsError } from '../core/errors.ts';
import type { Detection, FormatHandler, IndexOptions } from '../formats.ts';
import type { ChannelFacts, PlateFacts } from '../model/plate.ts';
import { plateAxes } from '../model/plate-axes.ts';
import type { PlateIndex } from '../model/plate-index.ts';
import { parseInCellName } from './shared/incell-name.ts';
import { readXdce, type XdceFacts } from './shared/incell-xdce.ts';
import { isJunkName, leftOut } from './shared/left-out.ts';
import { ListedPlanes } from './shared/listed-planes.ts';
import { tiffExtension } from './shared/metaxpress-name.ts';
import type { NameReading } from './shared/plane-place.ts';
import { type FolderSight, firstNamed, searchPlate } from './shared/plate-search.ts';
import { type PlateSurvey, type Sorting, surveyPlate } from './shared/plate-survey.ts';
import { readXmlRoot } from './shared/xml-file.ts';

const isXdce = (name: string): boolean => name.toLowerCase().endsWith('.xdce');

function sort(name: string, folder: string): Sorting {
  if (isJunkName(name)) return 'junk';
  if (tiffExtension(name) !== '') return 'image';
  return isXdce(name) || /\.(?:xaqp|xlog)$/i.test(name) ? 'metadata' : leftOut(name, folder);
}

async function isImageStack(path: string): Promise<boolean> {
  try {
    return (await readXmlRoot(path))?.name === 'ImageStack';
  } catch (error) {
    // A file that can't be read only doesn't count; indexing warns of it.
    if (error instanceof PlateFsError) return false;
    throw error;
  }
}

async function judge({ path, files }: FolderSight): Promise<Omit<Detection, 'root'>> {
  const image = files.find((name) => parseInCellName(name) !== undefined);
  const xdce = firstNamed(files, isXdce);
  const seen = [xdce, image].filter((name) => name !== undefined).join(', ');
  if (xdce !== undefined && (await isImageStack(`${path}/${xdce}`)))
    return { confidence: 'certain', reason: seen };
  if (image !== undefined) return { confidence: 'maybe', reason: `${seen}; no readable .xdce` };
  return { confidence: 'no', reason: xdce === undefined ? 'no .xdce file' : `${xdce} is no IN Cell file` };
}

/** What a path says; its channel only where the protocol has the wave. */
function readName(path: string, facts: XdceFacts | undefined): NameReading | undefined {
  const name = parseInCellName(path.slice(path.lastIndexOf('/') + 1));
  if (!name) return undefined;
  const channel = facts?.protocol.channelOf(name.wave);
  return {
    ...name.well,
    site: name.field,
    ...(channel === undefined ? {} : { channel }),
    ...(name.z === undefined ? {} : { z: name.z }),
    ...(name.t === undefined ? {} : { t: name.t }),
  };
}

/** Reads the plate's xdces into `planes`, the facts of the first into `told`. */
async function readXdces(
  survey: PlateSurvey,
  planes: ListedPlanes,
  told: (facts: XdceFacts) => void,
  signal: AbortSignal,
): Promise<void> {
  for (const [i, xdce] of survey.metadataNamed('.xdce').entries())
    await survey.consult(
      xdce,
      (path) =>
        readXdce(
          path,
          (facts) => {
            if (i === 0) told(facts);
          },
          (image) => planes.add(image),
          signal,
        ),
      'images behind the fault are told by their names, as far as these say it',
    );
}

function channelFacts(numbers: readonly number[], facts: XdceFacts | undefined): ChannelFacts[] {
  const told = new Map((facts?.protocol.channels() ?? []).map((channel) => [channel.number, channel]));
  return [...new Set([...numbers, ...told.keys()])]
    .sort((a, b) => a - b)
    .map((number) => told.get(number) ?? { number });
}

function declaredValues(facts: XdceFacts | undefined): Pick<PlateFacts, 'declared'> {
  const declared: Record<string, string> = {};
  if (facts?.application !== undefined) declared['Application'] = facts.application;
  if (facts?.protocol.plateType !== undefined) declared['Plate'] = facts.protocol.plateType;
  for (const [channel, mode] of facts?.protocol.modes() ?? []) declared[`w${channel} imaging mode`] = mode;
  return Object.keys(declared).length > 0 ? { declared } : {};
}

async function index(root: string, options: IndexOptions, signal: AbortSignal): Promise<PlateIndex> {
  const survey = await surveyPlate(root, options, signal, sort);
  const xdces = survey.metadataNamed('.xdce');
  let facts: XdceFacts | undefined;
  const planes = new ListedPlanes(survey, {
    list: xdces.length > 1 ? '*.xdce' : (xdces[0]?.path ?? 'the .xdce'),
    readName: (path) => readName(path, facts),
    // With subfolders in use, the list gives the file's name only.
    anyFolder: true,
  });
  await readXdces(survey, planes, (told) => (facts = told), signal);
  planes.finish();
  const read: XdceFacts | undefined = facts;
  if (read?.protocol.unknownUnit !== undefined)
    survey.builder.addWarning({
      kind: 'bad-metadata',
      message: `the pixel size is in ${JSON.stringify(read.protocol.unknownUnit)}, which is no known unit of length`,
      files: xdces.map(({ path }) => path),
      rule: 'the pixel size is left out',
    });
  const ownGrid = read?.protocol.grid() ?? {};
  const named = survey.builder.finish({
    name: read?.name ?? basename(root),
    format: 'incell',
    formatDetail: `${read?.application ?? 'IN Cell'} acquisition${xdces.length === 0 ? ' without .xdce' : ''}`,
    ...read?.protocol.plate,
    ...planes.positions.timeInterval(),
    ...('grid' in ownGrid ? ownGrid : planes.positions.grid()),
    channels: channelFacts(planes.channels, read),
    ...declaredValues(read),
  });
  const zStepUm = read?.protocol.zStepUm();
  // The protocol has a step also where each stack became one projection.
  if (plateAxes(named).zs.length < 2) return named;
  const spacing = zStepUm === undefined ? planes.positions.zSpacing() : { zSpacingUm: zStepUm };
  return { ...named, facts: { ...named.facts, ...spacing } };
}

const incell: FormatHandler = {
  id: 'incell',
  title: 'IN Cell Analyzer',
  detect: (folder, signal) => searchPlate(folder, judge, signal),
  index,
};

export default incell;
