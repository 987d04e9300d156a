import { basename } from 'node:path';
import { PlateFsError } from '../core/errors.ts';
import type { Detection, FormatHandler, IndexOptions } from '../formats.ts';
import type { ChannelFacts, PlateFacts } from '../model/plate.ts';
import type { PlateIndex } from '../model/plate-index.ts';
import {
  type MeasurementDetail,
  type PlateSetting,
  readMeasurementDetail,
  readPlateSetting,
} from './shared/cellvoyager-detail.ts';
import {
  followsCellVoyagerGrammar,
  isCellVoyagerCorrection,
  isCellVoyagerImage,
  readCellVoyagerName,
} from './shared/cellvoyager-name.ts';
import { readMeasurementRecords } from './shared/cellvoyager-records.ts';
import {
  isCellVoyagerResult,
  type MeasurementResult,
  readMeasurementResult,
} from './shared/cellvoyager-result.ts';
import { isJunkName, leftOut } from './shared/left-out.ts';
import { ListedPlanes } from './shared/listed-planes.ts';
import { type FolderSight, firstNamed, searchPlate } from './shared/plate-search.ts';
import { type PlateSurvey, type Sorting, surveyPlate } from './shared/plate-survey.ts';
import { WarningTally } from './shared/warning-tally.ts';
import { readXmlRoot } from './shared/xml-file.ts';

const METADATA =
  /\.(?:mlf|mrf|mes|wpi|wpp)$|^(?:crosstalk|geometry)_parameter\.xml$|^MeasurementResult\w*(?:\.ome)?\.(?:xml|tif)$/i;
const ROOTS = new Map([
  ['.mlf', 'MeasurementData'],
  ['.mrf', 'MeasurementDetail'],
  ['.wpi', 'WellPlate'],
]);

function sort(name: string, folder: string): Sorting {
  if (isJunkName(name)) return 'junk';
  if (followsCellVoyagerGrammar(name)) return 'image';
  if (METADATA.test(name)) return 'metadata';
  if (isCellVoyagerCorrection(name)) return 'correction';
  return isCellVoyagerImage(name) ? 'image' : leftOut(name, folder);
}

/** Whether a file is what its name says by its root element. */
async function hasRoot(path: string, rootName: string, namespace: RegExp): Promise<boolean> {
  try {
    const root = await readXmlRoot(path);
    return root?.name === rootName && namespace.test(root.namespace);
  } catch (error) {
    // A file that can't be read only doesn't count; indexing warns of it.
    if (error instanceof PlateFsError) return false;
    throw error;
  }
}

async function judge({ path, files, directories }: FolderSight): Promise<Omit<Detection, 'root'>> {
  const image = files.find(followsCellVoyagerGrammar);
  const beside = directories.find((name) => /^(?:Image|Projection)$/i.test(name));
  for (const [ending, rootName] of ROOTS) {
    const name = firstNamed(files, (file) => file.toLowerCase().endsWith(ending));
    if (name === undefined || !(await hasRoot(`${path}/${name}`, rootName, /yokogawa/i))) continue;
    const shown = image ?? (beside === undefined ? undefined : `${beside}/`);
    // A plate definition is also kept apart from measurements.
    if (ending === '.wpi' && shown === undefined)
      return { confidence: 'maybe', reason: `${name}, but no image of a measurement` };
    return { confidence: 'certain', reason: shown === undefined ? name : `${name}, ${shown}` };
  }
  const result = beside === undefined ? undefined : firstNamed(files, isCellVoyagerResult);
  if (result !== undefined && (await hasRoot(`${path}/${result}`, 'OME', /openmicroscopy/i)))
    return { confidence: 'certain', reason: `${result}, ${beside}/` };
  return image === undefined
    ? { confidence: 'no', reason: 'no MeasurementData.mlf' }
    : { confidence: 'maybe', reason: `${image}; no metadata of CellVoyager` };
}

interface Setup {
  readonly detail: MeasurementDetail | undefined;
  readonly protocol: PlateSetting | undefined;
  readonly result: MeasurementResult | undefined;
  readonly plateRows?: number;
  readonly plateColumns?: number;
  readonly name?: string;
}

async function readSetup(survey: PlateSurvey, signal: AbortSignal): Promise<Setup> {
  const [mrf] = survey.metadataNamed('.mrf');
  const detail =
    mrf &&
    (await survey.consult(
      mrf,
      (path) => readMeasurementDetail(path, signal),
      'what only it knows (pixel sizes, the title) is absent',
    ));
  const protocols = survey.metadataNamed('.mes');
  const mes =
    protocols.find(({ path }) => path === detail?.settingFile) ??
    (protocols.length === 1 ? protocols[0] : undefined);
  const read = (file: typeof mes) =>
    file && survey.consult(file, (path) => readPlateSetting(path, signal), 'what only it knows is absent');
  const protocol = await read(mes);
  const plate = await read(survey.metadataNamed('.wpi')[0]);
  const [ome] = survey.metadata.filter(({ path }) => isCellVoyagerResult(path));
  const result =
    ome &&
    (await survey.consult(
      ome,
      (path) => readMeasurementResult(path, signal),
      'what only it knows is absent',
    ));
  const sources = [detail, plate, protocol, result];
  const plateRows = sources.find((one) => one?.plateRows !== undefined)?.plateRows;
  const plateColumns = sources.find((one) => one?.plateColumns !== undefined)?.plateColumns;
  const name = detail?.title ?? plate?.name;
  return {
    detail,
    protocol,
    result,
    ...(plateRows === undefined ? {} : { plateRows }),
    ...(plateColumns === undefined ? {} : { plateColumns }),
    ...(name === undefined ? {} : { name }),
  };
}

/** Reads the records into `planes`; returns each channel's way of projection. */
async function readRecords(
  survey: PlateSurvey,
  planes: ListedPlanes,
  signal: AbortSignal,
): Promise<Map<number, string>> {
  const projections = new Map<number, string>();
  const [mlf] = survey.metadataNamed('.mlf');
  if (!mlf) return projections;
  const errors = new WarningTally();
  await survey.consult(
    mlf,
    (path) =>
      readMeasurementRecords(
        path,
        {
          image(plane, processing) {
            planes.add(plane);
            if (processing !== undefined && plane.channel !== undefined && projections.size < 0xffff)
              projections.set(plane.channel, processing);
          },
          error: (text) => errors.add(mlf.path, text),
        },
        signal,
      ),
    'images behind the fault are told by their names',
  );
  for (const warning of errors.tell(
    'error-record',
    `record of ${mlf.path} tells of an error and has no image`,
    `records of ${mlf.path} tell of errors and have no image`,
    'nothing is shown for it',
  ))
    survey.builder.addWarning(warning);
  return projections;
}

/** The pixel size where all the channels that have planes share it; what else the channels say of theirs. */
function pixelSize(
  survey: PlateSurvey,
  detail: MeasurementDetail | undefined,
  channels: readonly number[],
): Pick<PlateFacts, 'pixelSizeUm'> & { declared: Record<string, number> } {
  const sizes = channels.flatMap((channel) => {
    const size = detail?.pixelsUm.get(channel);
    return size ? [{ channel, size }] : [];
  });
  const first = sizes[0]?.size;
  if (!first) return { declared: {} };
  const other = sizes.find(({ size }) => size.x !== first.x || size.y !== first.y);
  if (!other) return { pixelSizeUm: first, declared: {} };
  survey.builder.addWarning({
    kind: 'contradiction',
    message: `channels differ in pixel size: ${first.x} µm in w${sizes[0]?.channel}, ${other.size.x} µm in w${other.channel}`,
    files: survey.metadataNamed('.mrf').map(({ path }) => path),
    rule: 'the pixel size of the plate is left out; inspect lists those of the channels',
  });
  return {
    declared: Object.fromEntries(sizes.map(({ channel, size }) => [`w${channel} pixel size (µm)`, size.x])),
  };
}

function channelFacts(numbers: readonly number[], setup: Setup): ChannelFacts[] {
  const told = new Map((setup.protocol?.channels ?? []).map((facts) => [facts.number, facts]));
  const all = new Set([...numbers, ...told.keys(), ...(setup.detail?.pixelsUm.keys() ?? [])]);
  return [...all].sort((a, b) => a - b).map((number) => told.get(number) ?? { number });
}

async function index(root: string, options: IndexOptions, signal: AbortSignal): Promise<PlateIndex> {
  const survey = await surveyPlate(root, options, signal, sort);
  const setup = await readSetup(survey, signal);
  const mlf = survey.metadataNamed('.mlf')[0]?.path;
  const planes = new ListedPlanes(survey, {
    list: mlf ?? 'MeasurementData.mlf',
    readName: (path) => readCellVoyagerName(path, setup.plateColumns),
  });
  const projections = await readRecords(survey, planes, signal);
  planes.finish();
  const system = /^C[VQ]\w+/.exec(setup.detail?.system ?? '')?.[0];
  const pixels = pixelSize(survey, setup.detail, planes.channels);
  // The mrf knows the size per channel; the OME-XML is asked only where there is none.
  const pixelSizeUm = setup.detail ? pixels.pixelSizeUm : setup.result?.pixelSizeUm;
  const declared: Record<string, string | number> = { ...setup.detail?.declared, ...pixels.declared };
  for (const [channel, processing] of projections) declared[`w${channel} projection`] = processing;
  return survey.builder.finish({
    name: setup.name ?? basename(root),
    format: 'cellvoyager',
    formatDetail: `Yokogawa ${system ?? 'CellVoyager'} measurement${mlf === undefined ? ' without MeasurementData.mlf' : ''}`,
    ...(pixelSizeUm ? { pixelSizeUm } : {}),
    ...planes.positions.zSpacing(),
    ...planes.positions.timeInterval(),
    ...planes.positions.grid(),
    ...(setup.plateRows === undefined ? {} : { plateRows: setup.plateRows }),
    ...(setup.plateColumns === undefined ? {} : { plateColumns: setup.plateColumns }),
    channels: channelFacts(planes.channels, setup),
    ...(Object.keys(declared).length > 0 ? { declared } : {}),
  });
}

const cellvoyager: FormatHandler = {
  id: 'cellvoyager',
  title: 'Yokogawa CellVoyager',
  detect: (folder, signal) => searchPlate(folder, judge, signal),
  index,
};

export default cellvoyager;
