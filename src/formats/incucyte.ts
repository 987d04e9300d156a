import { basename } from 'node:path';
import type { Detection, FormatHandler, IndexOptions } from '../formats.ts';
import { compareNatural } from '../model/natural-order.ts';
import type { PlateFacts } from '../model/plate.ts';
import type { PlateIndex } from '../model/plate-index.ts';
import { channelKey, nameChannels } from './shared/incucyte-channels.ts';
import {
  type IncucyteImage,
  parseIncucyte,
  parseIncucyteExport,
  parseIncucyteRaw,
} from './shared/incucyte-name.ts';
import { known, plainText } from './shared/metadata-values.ts';
import { baseName, folderOf, NamedPlanes, type NameGrammar, surveyNames } from './shared/named-planes.ts';
import { type FolderSight, firstNamed, listBelow, searchPlate } from './shared/plate-search.ts';
import type { PlateSurvey } from './shared/plate-survey.ts';
import { regularStep } from './shared/regular-step.ts';
import { WarningTally } from './shared/warning-tally.ts';

/** Folders looked into on one level. */
const MAX_FOLDERS = 8;
/** `<yymm>`, `<dd>`, `<hhmm>` and `<vessel>` below ScanData. */
const SCAN_LEVELS = [/^\d{4}$/, /^\d{2}$/, /^\d{4}$/, /./];

const GRAMMAR: NameGrammar = {
  pattern: '<experiment>_<well>_<field>_<date>.tif or <well>-<field>-<channel>.tif',
  isImage: (name, folder) => parseIncucyte(name, folder) !== undefined,
  isMetadata: (name) => /\.(?:xml|platemap|icxl?)$/i.test(name),
};

const isExported = (name: string): boolean => parseIncucyteExport(name) !== undefined;

/** A first raw image below ScanData, as a path below `path`. */
async function findRaw(path: string, below: string, level = 0): Promise<string | undefined> {
  const { files, directories } = await listBelow(`${path}/${below}`);
  const pattern = SCAN_LEVELS[level];
  if (!pattern) {
    const file = firstNamed(files, (name) => parseIncucyteRaw(name, below) !== undefined);
    return file === undefined ? undefined : `${below}/${file}`;
  }
  for (const name of directories
    .filter((one) => pattern.test(one))
    .sort(compareNatural)
    .slice(0, MAX_FOLDERS)) {
    const found = await findRaw(path, `${below}/${name}`, level + 1);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** A first image of an export that has a folder per channel: the same names lie in two of them. */
async function findChannelFolders(path: string, directories: readonly string[]): Promise<string | undefined> {
  const seen = new Map<string, string>();
  for (const [i, directory] of [...directories].sort(compareNatural).slice(0, MAX_FOLDERS).entries()) {
    // Where the first two folders hold none, these are no channels: the folders of other plates can be large.
    if (i === 2 && seen.size === 0) return undefined;
    for (const name of (await listBelow(`${path}/${directory}`)).files) {
      if (!isExported(name)) continue;
      const other = seen.get(name);
      if (other !== undefined) return `${other}/${name}, ${directory}/${name}`;
      seen.set(name, directory);
    }
  }
  return undefined;
}

async function judge({ path, files, directories }: FolderSight): Promise<Omit<Detection, 'root'>> {
  const essen = firstNamed(directories, (name) => name.toLowerCase() === 'essenfiles');
  const scans = firstNamed(directories, (name) => name.toLowerCase() === 'scandata');
  const found =
    firstNamed(files, isExported) ??
    (essen === undefined ? undefined : await findRaw(path, `${essen}/ScanData`)) ??
    (scans === undefined ? undefined : await findRaw(path, scans)) ??
    (basename(path).toLowerCase() === 'scandata' ? await findRaw(path, '.') : undefined) ??
    (await findChannelFolders(path, directories));
  return found === undefined
    ? { confidence: 'no', reason: `no image named ${GRAMMAR.pattern}` }
    : { confidence: 'certain', reason: found };
}

/** When an image was taken, on whichever clock its name has. */
const timeOf = ({ localMs, elapsedS }: IncucyteImage): number => localMs ?? (elapsedS ?? 0) * 1e3;

/** What the images have in common, gathered in a first pass over their names. */
class Overview {
  readonly channels = new Set<string>();
  readonly vessels = new Set<string>();
  dated = 0;
  elapsed = 0;

  note(path: string, image: IncucyteImage): void {
    this.channels.add(channelKey(path, image));
    this.vessels.add(image.vessel);
    if (image.localMs === undefined) this.elapsed += 1;
    else this.dated += 1;
  }

  /** Whether the images with dates are shown, not those with the time since the start. */
  get areDated(): boolean {
    return this.dated >= this.elapsed;
  }

  get vessel(): string {
    return [...this.vessels].sort(compareNatural)[0] ?? '';
  }
}

function* imagesOf(
  survey: PlateSurvey,
): Generator<readonly [path: string, file: number, image: IncucyteImage]> {
  for (const [path, file] of survey.images) {
    const image = parseIncucyte(baseName(path), folderOf(path));
    if (image) yield [path, file, image];
  }
}

/** Adds the planes of the vessel and clock that are shown; the others are warned of. */
function addPlanes(survey: PlateSurvey, overview: Overview, channels: ReadonlyMap<string, number>): number[] {
  const otherVessels = new WarningTally();
  const otherClock = new WarningTally();
  const { vessel, areDated } = overview;
  const shown = (image: IncucyteImage): boolean =>
    image.vessel === vessel && (image.localMs !== undefined) === areDated;
  const timesMs = new Set<number>();
  for (const [, , image] of imagesOf(survey)) if (shown(image)) timesMs.add(timeOf(image));
  const sorted = [...timesMs].sort((a, b) => a - b);
  const ts = new Map(sorted.map((timeMs, i) => [timeMs, i + 1]));
  const planes = new NamedPlanes(survey);
  for (const [path, file, image] of imagesOf(survey)) {
    if (image.vessel !== vessel) otherVessels.add(path);
    else if (!shown(image)) otherClock.add(path);
    else
      planes.add(
        path,
        file,
        {
          ...image.well,
          site: image.field,
          channel: channels.get(channelKey(path, image)) ?? 0,
          z: 1,
          t: ts.get(timeOf(image)) ?? 0,
        },
        known({ acquiredAtMs: image.localMs, elapsedS: image.elapsedS }),
      );
  }
  planes.finish();
  const warnings = [
    ...otherVessels.tell(
      'several-plates',
      `image is of another plate than ${vessel}`,
      `images are of other plates than ${vessel}`,
      'they are reachable under source/; to mount another plate, gather its folders below one of the same shape',
    ),
    ...otherClock.tell(
      'contradiction',
      `image says its time ${areDated ? 'since the start' : 'as a date'}, the others don't`,
      `images say their time ${areDated ? 'since the start' : 'as a date'}, the others don't`,
      'they are reachable under source/ only',
    ),
  ];
  for (const warning of warnings) survey.builder.addWarning(warning);
  return sorted;
}

async function index(root: string, options: IndexOptions, signal: AbortSignal): Promise<PlateIndex> {
  const survey = await surveyNames(root, options, signal, GRAMMAR);
  const overview = new Overview();
  let isRaw = false;
  for (const [path, , image] of imagesOf(survey)) {
    overview.note(path, image);
    isRaw ||= image.code !== '';
  }
  const channels = nameChannels(overview.channels);
  const numbers = new Map(channels.map(({ key }, i) => [key, i + 1]));
  const timesMs = addPlanes(survey, overview, numbers);
  const step = regularStep(timesMs.map((timeMs, at) => ({ at, value: timeMs / 1e3 })));
  const facts: PlateFacts = {
    name: basename(root),
    format: 'incucyte',
    formatDetail: isRaw ? 'Incucyte archive (EssenFiles)' : 'Incucyte export',
    ...(step === undefined ? {} : { timeIntervalS: step }),
    channels: channels.map(({ name }, i) => ({
      number: i + 1,
      ...known({ name: plainText(name) }),
    })),
    ...(overview.areDated && timesMs.length > 0
      ? { declared: { Times: "the instrument's local time: the time zone is not known" } }
      : {}),
  };
  return survey.builder.finish(facts);
}

const incucyte: FormatHandler = {
  id: 'incucyte',
  title: 'Incucyte',
  detect: (folder, signal) => searchPlate(folder, judge, signal),
  index,
};

export default incucyte;
