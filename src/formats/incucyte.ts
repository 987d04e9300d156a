import { basename } from 'node:path';
import { known, plainText } from '../core/metadata-values.ts';
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
import { baseName, folderOf, NamedPlanes, type NameGrammar, surveyNames } from './shared/named-planes.ts';
import { type FolderSight, firstNamed, listBelow, searchPlate } from './shared/plate-search.ts';
import type { PlateSurvey } from './shared/plate-survey.ts';
import { regularStep } from './shared/regular-step.ts';
import { WarningTally } from './shared/warning-tally.ts';

/** Folders looked into on one level. */
const MAX_FOLDERS = 4;
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

function* imagesOf(
  survey: PlateSurvey,
): Generator<readonly [path: string, file: number, image: IncucyteImage]> {
  for (const [path, file] of survey.images) {
    const image = parseIncucyte(baseName(path), folderOf(path));
    if (image) yield [path, file, image];
  }
}

/** Which images are shown: those of one plate, whose names have one kind of time. */
interface Choice {
  readonly vessel: string;
  /** Dates, not times since the start. */
  readonly areDated: boolean;
}

/** The first plate in natural order, and its dates where it has any: what comes later doesn't change the choice. */
function choose(survey: PlateSurvey): Choice {
  const vessels = new Set<string>();
  const dated = new Set<string>();
  for (const [, , image] of imagesOf(survey)) {
    vessels.add(image.vessel);
    if (image.localMs !== undefined) dated.add(image.vessel);
  }
  const [vessel = ''] = [...vessels].filter((one) => one !== '').sort(compareNatural);
  return { vessel, areDated: dated.has(vessel) };
}

const isShown = ({ vessel, areDated }: Choice, image: IncucyteImage): boolean =>
  image.vessel === vessel && (image.localMs !== undefined) === areDated;

/** Adds the planes that are shown; the others are warned of. Times are those of `timeOf`, in order. */
function addPlanes(
  survey: PlateSurvey,
  choice: Choice,
  channels: ReadonlyMap<string, number>,
  timesMs: readonly number[],
): void {
  const otherVessels = new WarningTally();
  const otherClock = new WarningTally();
  const ts = new Map(timesMs.map((timeMs, i) => [timeMs, i + 1]));
  const planes = new NamedPlanes(survey);
  for (const [path, file, image] of imagesOf(survey)) {
    if (image.vessel !== choice.vessel) otherVessels.add(path);
    else if (!isShown(choice, image)) otherClock.add(path);
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
  const clock = choice.areDated ? 'since the start' : 'as a date';
  const warnings = [
    ...otherVessels.tell(
      'several-plates',
      `image is of another plate than ${choice.vessel}`,
      `images are of other plates than ${choice.vessel}`,
      'they are reachable under source/; to mount another plate, gather its images in a folder of the same shape',
    ),
    ...otherClock.tell(
      'contradiction',
      `image says its time ${clock}, the others don't`,
      `images say their time ${clock}, the others don't`,
      'they are reachable under source/ only',
    ),
  ];
  for (const warning of warnings) survey.builder.addWarning(warning);
}

async function index(root: string, options: IndexOptions, signal: AbortSignal): Promise<PlateIndex> {
  const survey = await surveyNames(root, options, signal, GRAMMAR);
  const choice = choose(survey);
  const keys = new Set<string>();
  const times = new Set<number>();
  let isRaw = false;
  for (const [path, , image] of imagesOf(survey)) {
    if (!isShown(choice, image)) continue;
    keys.add(channelKey(path, image));
    times.add(timeOf(image));
    isRaw ||= image.code !== '';
  }
  const channels = nameChannels(keys);
  const timesMs = [...times].sort((a, b) => a - b);
  addPlanes(survey, choice, new Map(channels.map(({ key }, i) => [key, i + 1])), timesMs);
  const step = regularStep(timesMs.map((timeMs, at) => ({ at, value: timeMs / 1e3 })));
  const facts: PlateFacts = {
    name: basename(root),
    format: 'incucyte',
    formatDetail: isRaw ? 'Incucyte archive (EssenFiles)' : 'Incucyte export',
    ...(step === undefined ? {} : { timeIntervalS: step }),
    channels: channels.map(({ name }, i) => ({ number: i + 1, ...known({ name: plainText(name) }) })),
    ...(choice.areDated
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
