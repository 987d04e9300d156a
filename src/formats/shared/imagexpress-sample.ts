import { PlateFsError } from '../../core/errors.ts';
import type { ChannelFacts, PlateFacts, PlateWarning } from '../../model/plate.ts';
import { fieldStarts, plateAxes } from '../../model/plate-axes.ts';
import type { PlateIndex } from '../../model/plate-index.ts';
import { filePath, planeAddress, planeByAddress, planeName } from '../../model/plate-lookup.ts';
import { wellName } from '../../model/well.ts';
import { type MetaMorphFacts, parseMetaMorph } from './metamorph-xml.ts';
import { glanceAtTiff } from './tiff-description.ts';

/** z steps and time points looked at on each axis. */
const MAX_STEPS = 4;
const MAX_CHANNELS = 9;
/** Planes looked at all over the plate, for contradictions. */
const SPREAD = 8;
const CONCURRENCY = 8;
/** Steps whose spacing differs by more than this share of their mean are no regular axis. */
const SPACING_TOLERANCE = 0.2;

interface Sample {
  readonly plane: number;
  readonly path: string;
  readonly facts: MetaMorphFacts;
}

export interface SampledFacts {
  readonly facts: Pick<PlateFacts, 'pixelSizeUm' | 'zSpacingUm' | 'timeIntervalS'>;
  readonly channels: readonly ChannelFacts[];
  /** Channel → projection method, of channels shown at z ≥ 1 that are projections all the same. */
  readonly projections: ReadonlyMap<number, string>;
  readonly warnings: readonly PlateWarning[];
  /** Files that were read, whose size and mtime are filled. */
  readonly files: readonly number[];
}

/** Some of a sorted list: the first ones and the last. */
function ends(values: readonly number[]): number[] {
  return values.length <= MAX_STEPS ? [...values] : [...values.slice(0, MAX_STEPS - 1), values.at(-1) ?? 0];
}

/** Which planes to look at: the first field's channels over z, one stack over t, and a few all over. */
export function planesToSample(index: PlateIndex): number[] {
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
    files: samples.map(({ plane }) => index.planes.files[plane] ?? 0),
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
    return {
      kind: 'bad-image',
      message: `${planeName(index, plane)} can't be read: ${error.message.replace(`${index.rootPath}/`, '')}`,
      files: [path],
    };
  }
}

function pixelSize(samples: readonly Sample[], warnings: PlateWarning[]): Pick<PlateFacts, 'pixelSizeUm'> {
  const unknown = samples.find((sample) => sample.facts.unknownUnit !== undefined);
  if (unknown)
    warnings.push({
      kind: 'bad-metadata',
      message: `the pixel size is in '${unknown.facts.unknownUnit}', which is no known unit of length`,
      files: [unknown.path],
      rule: 'the pixel size is left out',
    });
  const sized = samples.filter((sample) => sample.facts.pixelSizeUm);
  const first = sized[0]?.facts.pixelSizeUm;
  if (!first) return {};
  const other = sized.find(
    ({ facts }) => facts.pixelSizeUm?.x !== first.x || facts.pixelSizeUm.y !== first.y,
  );
  if (!other) return { pixelSizeUm: first };
  warnings.push({
    kind: 'contradiction',
    message: `pixel sizes differ: ${first.x} µm in ${sized[0]?.path}, ${other.facts.pixelSizeUm?.x} µm in ${other.path}`,
    files: [sized[0]?.path ?? '', other.path],
    rule: 'the pixel size of the plate is left out',
  });
  return {};
}

/** The mean step of values over positions, where the steps are regular; rounded to 0.1 nm or 0.1 ms. */
function regularStep(points: readonly { at: number; value: number }[]): number | undefined {
  const sorted = [...points].sort((a, b) => a.at - b.at);
  const first = sorted[0];
  const last = sorted.at(-1);
  if (!first || !last || last.at === first.at) return undefined;
  const mean = (last.value - first.value) / (last.at - first.at);
  for (let i = 1; i < sorted.length; i += 1) {
    const a = sorted[i - 1];
    const b = sorted[i];
    if (!a || !b || b.at === a.at) continue;
    const step = (b.value - a.value) / (b.at - a.at);
    if (Math.abs(step - mean) > SPACING_TOLERANCE * Math.abs(mean)) return undefined;
  }
  const step = Math.round(Math.abs(mean) * 1e4) / 1e4;
  return step > 0 ? step : undefined;
}

const firstField = (samples: readonly Sample[], index: PlateIndex): Sample[] => {
  const [, end = 0] = fieldStarts(index);
  return samples.filter((sample) => sample.plane < end);
};

/** From the stage's z of one stack's steps; planes that are projections or copies don't count. */
function zSpacing(samples: readonly Sample[], index: PlateIndex): Pick<PlateFacts, 'zSpacingUm'> {
  const { channels, zs, ts } = index.planes;
  const candidates = firstField(samples, index);
  for (const channel of new Set(candidates.map((sample) => channels[sample.plane] ?? 0))) {
    const stack = candidates.filter(
      ({ plane, facts }) =>
        channels[plane] === channel &&
        ts[plane] === ts[candidates[0]?.plane ?? 0] &&
        (zs[plane] ?? 0) > 0 &&
        facts.projection === undefined &&
        (facts.zStep === undefined || facts.zStep === zs[plane]),
    );
    const points = stack.flatMap(({ plane, facts }) =>
      facts.zPositionUm === undefined ? [] : [{ at: zs[plane] ?? 0, value: facts.zPositionUm }],
    );
    const step = regularStep(points);
    if (step !== undefined) return { zSpacingUm: step };
  }
  return {};
}

/** From the times at which one plane was taken again and again. */
function timeInterval(samples: readonly Sample[], index: PlateIndex): Pick<PlateFacts, 'timeIntervalS'> {
  const { channels, zs, ts } = index.planes;
  const series = new Map<string, { at: number; value: number }[]>();
  for (const { plane, facts } of firstField(samples, index)) {
    if (facts.acquiredMs === undefined) continue;
    const key = `${channels[plane]}/${zs[plane]}`;
    const points = series.get(key) ?? [];
    points.push({ at: ts[plane] ?? 0, value: facts.acquiredMs / 1e3 });
    series.set(key, points);
  }
  const longest = [...series.values()].reduce((a, b) => (b.length > a.length ? b : a), []);
  const step = regularStep(longest);
  return step === undefined ? {} : { timeIntervalS: step };
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

/** True when a plane shown at z ≥ 1 is a projection or another step's plane by its own TIFF. */
function isForeignStep({ plane, facts }: Sample, index: PlateIndex): boolean {
  const z = index.planes.zs[plane] ?? 0;
  return (z > 0 && facts.projection !== undefined) || (facts.zStep !== undefined && facts.zStep !== z);
}

/** Steps filled by the exporter: several z of one field and channel that say the same step or projection. */
function copiedChannels(samples: readonly Sample[], index: PlateIndex): Map<number, Sample[]> {
  const copied = new Map<number, Sample[]>();
  const { channels, zs } = index.planes;
  for (const sample of firstField(samples, index)) {
    const channel = channels[sample.plane] ?? 0;
    const twins = firstField(samples, index).filter(
      (other) =>
        channels[other.plane] === channel &&
        zs[other.plane] !== zs[sample.plane] &&
        other.facts.zStep === sample.facts.zStep &&
        other.facts.projection === sample.facts.projection &&
        other.facts.acquiredMs === sample.facts.acquiredMs &&
        (other.facts.zStep !== undefined || other.facts.projection !== undefined),
    );
    if (twins.length === 0) continue;
    copied.set(channel, [...(copied.get(channel) ?? []), sample]);
  }
  return copied;
}

function exporterCopies(samples: readonly Sample[], index: PlateIndex): PlateWarning[] {
  return [...copiedChannels(samples, index)].map(([channel, copies]) => {
    const { projection, zStep } = copies[0]?.facts ?? {};
    const what = projection === undefined ? `the plane of z step ${zStep}` : `the ${projection} projection`;
    return {
      kind: 'exporter-copy',
      message: `w${channel} was not acquired at every z: the exporter filled z ${copies
        .map(({ plane }) => index.planes.zs[plane] ?? 0)
        .sort((a, b) => a - b)
        .join(', ')} with copies of ${what}`,
      files: copies.map(({ path }) => path),
      rule: 'each copy keeps the name of the folder it lies in',
    };
  });
}

/** Channels whose planes without a z folder are projections by their own TIFF. */
function projectionsInPlace(samples: readonly Sample[], index: PlateIndex): Map<number, string> {
  const projections = new Map<number, string>();
  for (const { plane, facts } of samples)
    if (facts.projection !== undefined && (index.planes.zs[plane] ?? 0) > 0)
      projections.set(index.planes.channels[plane] ?? 0, facts.projection);
  return projections;
}

function contradictions(samples: readonly Sample[], index: PlateIndex): PlateWarning[] {
  const copied = copiedChannels(samples, index);
  const stepped = plateAxes(index).zs.length > 1;
  const warnings: PlateWarning[] = [];
  for (const sample of samples) {
    const { well, site, channel, z, t } = planeAddress(index, sample.plane);
    const { facts } = sample;
    const differences: string[] = [];
    if (facts.well && (facts.well.row !== well.row || facts.well.column !== well.column))
      differences.push(`well ${wellName(facts.well)}`);
    if (facts.site !== undefined && facts.site !== site) differences.push(`site ${facts.site}`);
    if (facts.timePoint !== undefined && facts.timePoint !== t)
      differences.push(`time point ${facts.timePoint}`);
    if (stepped && !copied.has(channel) && z > 0 && isForeignStep(sample, index))
      differences.push(
        facts.projection === undefined ? `z step ${facts.zStep}` : `${facts.projection} projection`,
      );
    if (differences.length === 0) continue;
    warnings.push({
      kind: 'contradiction',
      message: `${sample.path} says ${differences.join(', ')} in its own metadata; it is shown as ${planeName(index, sample.plane)}`,
      files: [sample.path],
      rule: 'the names of file and folder decide, as only a few TIFF headers are read',
    });
  }
  return warnings;
}
