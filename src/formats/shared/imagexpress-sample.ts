import { stat } from 'node:fs/promises';
import { PlateFsError } from '../../core/errors.ts';
import type { ChannelFacts, PlateFacts, PlateWarning } from '../../model/plate.ts';
import { fieldStarts, plateAxes } from '../../model/plate-axes.ts';
import type { PlateIndex } from '../../model/plate-index.ts';
import { filePath, planeByAddress, planeName } from '../../model/plate-lookup.ts';
import { contradictions, exporterCopies, projectionsInPlace } from './imagexpress-disagreements.ts';
import { pixelSize, type Sample, timeInterval, zSpacing } from './imagexpress-measures.ts';
import { parseMetaMorph } from './metamorph-xml.ts';
import { glanceAtTiff } from './tiff-description.ts';

/** z steps and time points looked at on each axis. */
const MAX_STEPS = 4;
const MAX_CHANNELS = 9;
/** Planes looked at all over the plate, for contradictions. */
const SPREAD = 8;
const CONCURRENCY = 8;

export interface SampledFacts {
  readonly facts: Pick<PlateFacts, 'pixelSizeUm' | 'zSpacingUm' | 'timeIntervalS'>;
  readonly channels: readonly ChannelFacts[];
  /** Channel → projection method, of channels shown at z ≥ 1 that are projections all the same. */
  readonly projections: ReadonlyMap<number, string>;
  readonly warnings: readonly PlateWarning[];
  /** Files that were looked at, whose size and mtime are filled. */
  readonly files: readonly number[];
}

/** Some of a sorted list: the first ones and the last. */
function ends(values: readonly number[]): number[] {
  return values.length <= MAX_STEPS ? [...values] : [...values.slice(0, MAX_STEPS - 1), values.at(-1) ?? 0];
}

/** Which planes to look at: the first field's channels over z, one stack over t, and a few all over. */
function planesToSample(index: PlateIndex): number[] {
  const { planes } = index;
  const chosen = new Set<number>();
  const axes = plateAxes(index);
  const [first = 0, end = 0] = fieldStarts(index);
  if (planes.count === 0) return [];
  const row = planes.rows[first] ?? 0;
  const column = planes.columns[first] ?? 0;
  const site = planes.sites[first] ?? 0;
  const add = (plane: number | undefined): void => {
    if (plane !== undefined) chosen.add(plane);
  };
  for (const channel of axes.channels.slice(0, MAX_CHANNELS)) {
    for (let i = first; i < end; i += 1)
      if (planes.channels[i] === channel) {
        add(i);
        break;
      }
    const t = axes.ts[0] ?? 1;
    for (const z of [0, ...ends(axes.zs)]) add(planeByAddress(index, row, column, site, channel, z, t));
  }
  const channel = axes.channels[0] ?? 1;
  const z = axes.zs[0] ?? 0;
  for (const t of ends(axes.ts)) add(planeByAddress(index, row, column, site, channel, z, t));
  for (let k = 0; k < SPREAD; k += 1) add(Math.floor((k * (planes.count - 1)) / (SPREAD - 1)));
  return [...chosen].sort((a, b) => a - b);
}

/** Looks at a few TIFF headers of an index and says what they tell. Fills the files' size and mtime. */
export async function sampleTiffs(
  index: PlateIndex,
  htdNames: ReadonlyMap<number, string>,
): Promise<SampledFacts> {
  const warnings: PlateWarning[] = [];
  const samples: Sample[] = [];
  const chosen = planesToSample(index);
  for (let start = 0; start < chosen.length; start += CONCURRENCY) {
    const batch = chosen.slice(start, start + CONCURRENCY);
    for (const look of await Promise.all(batch.map((plane) => sampleOne(index, plane)))) {
      if ('facts' in look) samples.push(look);
      else warnings.push(look);
    }
  }
  const { channels, warnings: nameWarnings } = channelFacts(samples, index, htdNames);
  const copies = exporterCopies(samples, index);
  return {
    facts: { ...pixelSize(samples, warnings), ...zSpacing(samples, index), ...timeInterval(samples, index) },
    channels,
    projections: projectionsInPlace(samples, index),
    files: chosen
      .map((plane) => index.planes.files[plane] ?? 0)
      .filter((file) => index.files.sizeBytes[file] !== -1),
    warnings: [...warnings, ...nameWarnings, ...copies, ...contradictions(samples, index)],
  };
}

/** What a plane's TIFF says of itself, or the warning that it can't be read. */
async function sampleOne(index: PlateIndex, plane: number): Promise<Sample | PlateWarning> {
  const file = index.planes.files[plane] ?? 0;
  const path = filePath(index, file);
  try {
    const { description, sizeBytes, mtimeMs } = await glanceAtTiff(`${index.rootPath}/${path}`);
    index.files.mtimeMs[file] = mtimeMs;
    index.files.sizeBytes[file] = sizeBytes;
    return { plane, path, facts: parseMetaMorph(description) };
  } catch (error) {
    if (!(error instanceof PlateFsError)) throw error;
    await noteSize(index, file, path);
    return {
      kind: 'bad-image',
      message: `${planeName(index, plane)} can't be read: ${error.message.replace(`${index.rootPath}/`, '')}`,
      files: [path],
    };
  }
}

/** Keeps the size and mtime of a file that can't be read, so that its repair is noticed. */
async function noteSize(index: PlateIndex, file: number, path: string): Promise<void> {
  try {
    const { size, mtimeNs } = await stat(`${index.rootPath}/${path}`, { bigint: true });
    index.files.mtimeMs[file] = Number(mtimeNs) / 1e6;
    index.files.sizeBytes[file] = Number(size);
  } catch (error) {
    // Gone or a dangling link: then there is nothing to compare with later.
    if (!(error instanceof Error && 'code' in error)) throw error;
  }
}

function channelFacts(
  samples: readonly Sample[],
  index: PlateIndex,
  htdNames: ReadonlyMap<number, string>,
): { channels: ChannelFacts[]; warnings: PlateWarning[] } {
  const warnings: PlateWarning[] = [];
  const numbers = new Set([...plateAxes(index).channels, ...htdNames.keys()]);
  const channels = [...numbers]
    .sort((a, b) => a - b)
    .map((number): ChannelFacts => {
      const own = samples.filter(({ plane }) => index.planes.channels[plane] === number);
      const named = own.find(({ facts }) => facts.channelName !== undefined);
      const htdName = htdNames.get(number);
      const tiffName = named?.facts.channelName;
      if (named && htdName !== undefined && tiffName !== htdName)
        warnings.push({
          kind: 'contradiction',
          message: `w${number} is '${htdName}' in the HTD and '${tiffName}' in ${named.path}`,
          files: [named.path],
          rule: "the HTD's name is used",
        });
      const name = htdName ?? tiffName;
      const emissionNm = own.find(({ facts }) => facts.emissionNm !== undefined)?.facts.emissionNm;
      return {
        number,
        ...(name === undefined ? {} : { name }),
        ...(emissionNm === undefined ? {} : { emissionNm }),
      };
    });
  return { channels, warnings };
}
