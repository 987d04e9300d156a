import { basename } from 'node:path';
import { plainText } from '../core/metadata-values.ts';
import type { Detection, FormatHandler, IndexOptions } from '../formats.ts';
import { compareNatural } from '../model/natural-order.ts';
import type { PlateFacts } from '../model/plate.ts';
import { plateAxes } from '../model/plate-axes.ts';
import type { PlateIndex } from '../model/plate-index.ts';
import { wellName } from '../model/well.ts';
import { baseName, channelsOf, NamedPlanes, type NameGrammar, surveyNames } from './shared/named-planes.ts';
import { type FolderSight, firstNamed, listBelow, searchPlate } from './shared/plate-search.ts';
import type { PlateSurvey } from './shared/plate-survey.ts';
import { readScanRDescriptor, type ScanRDescriptor } from './shared/scanr-descriptor.ts';
import { columnsBetween, parseScanRName, type ScanRName } from './shared/scanr-name.ts';
import { readScanROme, type ScanROme } from './shared/scanr-ome.ts';
import { WarningTally } from './shared/warning-tally.ts';

const DESCRIPTOR = 'experiment_descriptor.xml';
const OME = 'metadata.ome.xml';
const isScanR = (name: string): boolean => parseScanRName(name) !== undefined;

const GRAMMAR: NameGrammar = {
  pattern: '<well>--W<number>--P<position>--Z<z>--T<t>--<channel>.tif',
  isImage: isScanR,
  isMetadata: (name) => [DESCRIPTOR, OME].includes(name.toLowerCase()) || /\.(?:dat|ome\.xml)$/i.test(name),
};

async function judge({ path, files, directories }: FolderSight): Promise<Omit<Detection, 'root'>> {
  const descriptor = firstNamed(files, (name) => name.toLowerCase() === DESCRIPTOR);
  const seen = descriptor === undefined ? '' : `${descriptor}, `;
  const image = firstNamed(files, isScanR);
  if (image !== undefined) return { confidence: 'certain', reason: `${seen}${image}` };
  const data = firstNamed(directories, (name) => name.toLowerCase() === 'data');
  const below =
    data === undefined ? undefined : firstNamed((await listBelow(`${path}/${data}`)).files, isScanR);
  if (below !== undefined) return { confidence: 'certain', reason: `${seen}${data}/${below}` };
  return descriptor === undefined
    ? { confidence: 'no', reason: `no image named ${GRAMMAR.pattern}` }
    : { confidence: 'maybe', reason: `${descriptor}, but no image named ${GRAMMAR.pattern}` };
}

interface Metadata {
  readonly descriptor?: ScanRDescriptor | undefined;
  readonly ome?: ScanROme | undefined;
}

async function readMetadataOf(survey: PlateSurvey, signal: AbortSignal): Promise<Metadata> {
  const named = (name: string) => survey.metadata.find(({ path }) => baseName(path).toLowerCase() === name);
  const descriptor = named(DESCRIPTOR);
  const ome = named(OME);
  const rule = 'the names of the images decide; what only this file knows is absent';
  return {
    descriptor:
      descriptor && (await survey.consult(descriptor, (path) => readScanRDescriptor(path, signal), rule)),
    ome: ome && (await survey.consult(ome, (path) => readScanROme(path, signal), rule)),
  };
}

/** The columns that most labels and W numbers agree on. */
function columnsByLabels(names: Iterable<ScanRName>): number | undefined {
  const votes = new Map<number, number>();
  for (const name of names) {
    const columns = columnsBetween(name);
    if (columns !== undefined) votes.set(columns, (votes.get(columns) ?? 0) + 1);
  }
  return [...votes].sort((a, b) => b[1] - a[1] || a[0] - b[0])[0]?.[0];
}

/** Adds the planes; wells by label, else by W number where the plate's columns are known. */
function addPlanes(survey: PlateSurvey, channels: ReadonlyMap<string, number>, meta: Metadata): void {
  const planes = new NamedPlanes(survey);
  const wells = new Map<string, ScanRName>();
  for (const path of survey.images.keys()) {
    const name = parseScanRName(baseName(path));
    if (name) wells.set(`${name.wellNumber}/${name.label}`, name);
  }
  const columns = meta.descriptor?.plateColumns ?? columnsByLabels(wells.values());
  const disagreeing = new WarningTally();
  for (const [path, file] of survey.images) {
    const base = baseName(path);
    const name = parseScanRName(base);
    if (!name) continue;
    const numbered =
      columns === undefined || name.wellNumber < 1
        ? undefined
        : { row: Math.floor((name.wellNumber - 1) / columns), column: (name.wellNumber - 1) % columns };
    const well = name.well ?? numbered;
    if (name.well && numbered && (name.well.row !== numbered.row || name.well.column !== numbered.column))
      disagreeing.add(path, `${path}, where W${name.wellNumber} would be ${wellName(numbered)}`);
    planes.add(
      path,
      file,
      {
        ...well,
        site: name.position,
        channel: channels.get(name.channel) ?? 0,
        z: name.z + 1,
        t: name.t + 1,
      },
      meta.ome?.details.get(base),
    );
  }
  planes.finish();
  for (const warning of disagreeing.tell(
    'contradiction',
    'image has a label that names another well than its W number',
    'images have labels that name other wells than their W numbers',
    'the label decides',
  ))
    survey.builder.addWarning(warning);
}

function facts({
  descriptor,
  ome,
}: Metadata): Pick<PlateFacts, 'pixelSizeUm' | 'plateRows' | 'plateColumns'> {
  const size = descriptor?.pixelSizeUm;
  const pixelSizeUm = ome?.pixelSizeUm ?? (size === undefined ? undefined : { x: size, y: size });
  return {
    ...(pixelSizeUm ? { pixelSizeUm } : {}),
    ...(descriptor?.plateRows === undefined ? {} : { plateRows: descriptor.plateRows }),
    ...(descriptor?.plateColumns === undefined ? {} : { plateColumns: descriptor.plateColumns }),
  };
}

async function index(root: string, options: IndexOptions, signal: AbortSignal): Promise<PlateIndex> {
  const survey = await surveyNames(root, options, signal, GRAMMAR);
  const meta = await readMetadataOf(survey, signal);
  const found = new Set<string>();
  for (const path of survey.images.keys()) found.add(parseScanRName(baseName(path))?.channel ?? '');
  const listed = [...(meta.descriptor?.channels ?? []), ...(meta.ome?.channels ?? [])];
  const ordered = new Set(listed.filter((name) => found.has(name)));
  for (const name of [...found].sort(compareNatural)) ordered.add(name);
  const { numbers, channels } = channelsOf([...ordered]);
  addPlanes(survey, numbers, meta);
  const plateName = plainText(meta.descriptor?.plateName);
  const named = survey.builder.finish({
    name: plateName ?? basename(root),
    format: 'scanr',
    formatDetail: `ScanR acquisition${meta.descriptor || meta.ome ? '' : ' without metadata'}`,
    ...facts(meta),
    channels,
  });
  const axes = plateAxes(named);
  const { zSpacingUm, timeIntervalS } = meta.descriptor ?? {};
  // The settings of a loop stand in the descriptor also where it was not used.
  return {
    ...named,
    facts: {
      ...named.facts,
      ...(axes.zs.length > 1 && zSpacingUm !== undefined ? { zSpacingUm } : {}),
      ...(axes.ts.length > 1 && timeIntervalS !== undefined ? { timeIntervalS } : {}),
    },
  };
}

const scanr: FormatHandler = {
  id: 'scanr',
  title: 'Olympus ScanR',
  detect: (folder, signal) => searchPlate(folder, judge, signal),
  index,
};

export default scanr;
