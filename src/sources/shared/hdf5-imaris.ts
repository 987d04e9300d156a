import type { ImageInfo } from '../../model/image.ts';
import { inMicrometres } from '../../ome/ome-units.ts';
import { type Hdf5Family, type ImagePlans, shrinkingLevels } from './hdf5-family.ts';
import type { Hdf5Hierarchy } from './hdf5-hierarchy.ts';
import { fiveOf, type ImagePlan } from './hdf5-image.ts';
import type { AttributeValue } from './hierarchy.ts';

const ROOT = 'DataSet';
const INFO = 'DataSetInfo';
/** Levels, times and channels of one file. */
const MAX_NAMES = 1_000_000;
/** Names of missing parts that are told one by one. */
const TOLD = 5;

type Warning = Hdf5Family['warnings'][number];

/** Numbers of time points and channels that an image's axes stand for, and which of them are recorded at all. */
interface Extents {
  readonly times: number;
  readonly channels: number;
  /** Channels of each time point at full resolution. */
  readonly recorded: readonly ReadonlySet<number>[];
}

/** An attribute's text: Imaris writes texts as lists of single characters. */
function textOf(value: AttributeValue | undefined): string | undefined {
  if (typeof value === 'string') return value;
  return Array.isArray(value) ? value.join('') : undefined;
}

const numberOf = (value: AttributeValue | undefined): number | undefined => {
  const text = textOf(value);
  const number = text === undefined || text.trim() === '' ? Number.NaN : Number(text);
  return Number.isFinite(number) ? number : undefined;
};

/** Numbers behind a name, in their order: `TimePoint 0`, `TimePoint 1` … */
function numbered(hierarchy: Hdf5Hierarchy, path: string, name: string): number[] {
  if (hierarchy.kindOf(path) !== 'group') return [];
  const form = new RegExp(`^${name} (\\d+)$`);
  return hierarchy
    .children(path, MAX_NAMES)
    .children.flatMap((child) => {
      const match = form.exec(child.name);
      return match === null ? [] : [Number(match[1])];
    })
    .sort((a, b) => a - b);
}

/**
 * Imaris 5.5 (imaris.oxinst.com, "Imaris 5.5 File Format Description"): `DataSet/ResolutionLevel r/TimePoint t/
 * Channel c/Data`, z y x, padded to whole chunks; the true size of each level stands in its channels' attributes
 * ImageSizeX, Y and Z. Undefined for other files.
 */
export function imarisFamily(hierarchy: Hdf5Hierarchy): Hdf5Family | undefined {
  const levels = numbered(hierarchy, ROOT, 'ResolutionLevel');
  if (levels[0] !== 0) return undefined;
  const extents = extentsOf(hierarchy);
  if (extents === undefined) return undefined;
  const warnings: Warning[] = [...missingOf(extents)];
  const plans = levels.flatMap((level) => planOf(hierarchy, level, extents, warnings));
  const [largest, ...others] = plans;
  if (largest === undefined || largest.path !== ROOT) return undefined;
  const { kept, left } = shrinkingLevels([largest, ...others]);
  for (const path of left) warnings.push({ path, message: 'is no smaller level of its image' });
  return {
    title: 'Imaris',
    images: [kept],
    isShown: (path) => /^DataSet\/ResolutionLevel \d+\/TimePoint \d+\/Channel \d+\/Data$/.test(path),
    describe: (image) => describe(hierarchy, image, extents.channels),
    warnings,
    files: [],
  };
}

const groupAt = (level: number, t: number, c: number): string =>
  `${ROOT}/ResolutionLevel ${level}/TimePoint ${t}/Channel ${c}`;

/**
 * Time points and channels count from 0, and each has its number whatever others are missing. Undefined where there is
 * no image, or where numbers are too large to be numbers of anything.
 */
function extentsOf(hierarchy: Hdf5Hierarchy): Extents | undefined {
  const base = `${ROOT}/ResolutionLevel 0`;
  const found = new Map(
    numbered(hierarchy, base, 'TimePoint').map((time) => [
      time,
      new Set(
        numbered(hierarchy, `${base}/TimePoint ${time}`, 'Channel').filter(
          (channel) => hierarchy.kindOf(`${groupAt(0, time, channel)}/Data`) === 'array',
        ),
      ),
    ]),
  );
  const sets = [...found.values()].map((set) => [...set]);
  if (sets.every(({ length }) => length === 0)) return undefined;
  const described = numbered(hierarchy, INFO, 'Channel').at(-1) ?? -1;
  // All of them are in ascending order.
  const times = 1 + ([...found.keys()].at(-1) ?? -1);
  const channels = 1 + sets.reduce((most, set) => Math.max(most, set.at(-1) ?? -1), described);
  if (times * channels > MAX_NAMES) return undefined;
  const none = new Set<number>();
  const recorded = Array.from({ length: times }, (_, time) => found.get(time) ?? none);
  return { times, channels, recorded };
}

/** Time points and channels without pixels. */
function missingOf({ channels, recorded }: Extents): Warning[] {
  const told: string[] = [];
  let count = 0;
  const note = (name: string): void => {
    count += 1;
    if (told.length < TOLD) told.push(name);
  };
  for (const [time, set] of recorded.entries()) {
    if (set.size === 0) note(`TimePoint ${time}`);
    else
      for (let channel = 0; channel < channels; channel += 1)
        if (!set.has(channel)) note(`TimePoint ${time}/Channel ${channel}`);
  }
  if (count === 0) return [];
  const more = count > told.length ? ` and ${count - told.length} more` : '';
  return [{ path: ROOT, message: `not recorded and shown as zeros: ${told.join(', ')}${more}` }];
}

function planOf(
  hierarchy: Hdf5Hierarchy,
  level: number,
  { times, channels, recorded }: Extents,
  warnings: Warning[],
): ImagePlan[] {
  const firstTime = recorded.findIndex(({ size }) => size > 0);
  const firstGroup = groupAt(level, firstTime, Math.min(...(recorded[firstTime] ?? [])));
  const path = `${firstGroup}/Data`;
  if (hierarchy.kindOf(path) !== 'array') return [];
  const { shape, type, chunkShape, unreadable } = hierarchy.dataset(path);
  const attributes = hierarchy.attributes(firstGroup);
  const size = ['Z', 'Y', 'X'].map((axis) => numberOf(attributes[`ImageSize${axis}`]));
  const isGood =
    shape.length === 3 &&
    type.kind === 'number' &&
    unreadable === undefined &&
    size.every(
      (extent, axis) =>
        extent !== undefined && Number.isInteger(extent) && extent > 0 && extent <= (shape[axis] ?? 0),
    );
  if (!isGood || type.kind !== 'number') {
    warnings.push({ path, message: unreadable ?? `its size [${size.join()}] does not fit [${shape}]` });
    return [];
  }
  const extents = size.map((extent) => extent ?? 1);
  return [
    {
      path: level === 0 ? ROOT : `${ROOT}/ResolutionLevel ${level}`,
      shape: fiveOf([times, channels, ...extents], 'tczyx'),
      chunkShape: fiveOf(
        chunkShape.map((extent, axis) => Math.min(extent, extents[axis] ?? 1)),
        'zyx',
      ),
      dtype: type.dtype,
      axes: 'zyx',
      choosesDataset: true,
      isPadded: true,
      // What is recorded at full resolution and lacks at this one is an error, not zeros.
      datasetAt: (t, c) => (recorded[t]?.has(c) ? `${groupAt(level, t, c)}/Data` : undefined),
    },
  ];
}

function describe(
  hierarchy: Hdf5Hierarchy,
  [{ shape }]: ImagePlans,
  channels: number,
): Omit<ImageInfo, 'shape' | 'dtype'> {
  const attributesOf = (path: string) =>
    hierarchy.kindOf(path) === 'group' ? hierarchy.attributes(path) : {};
  const image = attributesOf(`${INFO}/Image`);
  const unit = textOf(image.Unit) ?? '';
  /** Extent of axis 0 (x), 1 (y) or 2 (z), divided by its pixels. */
  const spacing = (axis: number, pixels: number): number | undefined => {
    const from = numberOf(image[`ExtMin${axis}`]);
    const to = numberOf(image[`ExtMax${axis}`]);
    if (from === undefined || to === undefined || !(to > from)) return undefined;
    return inMicrometres((to - from) / pixels, unit);
  };
  const [, , depth, height, width] = shape;
  const [x, y, z] = [spacing(0, width), spacing(1, height), spacing(2, depth)];
  const described = Array.from({ length: channels }, (_, channel) => {
    const { Name: name, LSMEmissionWavelength: wavelength } = attributesOf(`${INFO}/Channel ${channel}`);
    const text = textOf(name)?.trim();
    const emissionNm = numberOf(wavelength);
    return {
      ...(text ? { name: text } : {}),
      ...(emissionNm !== undefined && emissionNm > 0 ? { emissionNm } : {}),
    };
  });
  const timeIntervalS = intervalOf(attributesOf(`${INFO}/TimeInfo`), shape[0]);
  return {
    name: textOf(image.Name)?.trim() || 'image',
    ...(x === undefined || y === undefined ? {} : { pixelSizeUm: { x, y } }),
    ...(z === undefined ? {} : { zSpacingUm: z }),
    ...(timeIntervalS === undefined ? {} : { timeIntervalS }),
    channels: described,
  };
}

/** Seconds from one time point to the next where they are all the same: `TimePoint1` = `2009-01-01 12:00:00.000`. */
function intervalOf(attributes: Readonly<Record<string, AttributeValue>>, count: number): number | undefined {
  const times = Array.from({ length: count }, (_, index) => {
    const text = textOf(attributes[`TimePoint${index + 1}`])?.trim();
    const match = /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d(?:\.\d+)?)$/.exec(text ?? '');
    return match === null ? Number.NaN : Date.parse(`${match[1]}T${match[2]}Z`) / 1000;
  });
  const steps = times.slice(1).map((time, index) => time - (times[index] ?? Number.NaN));
  const [first] = steps;
  if (first === undefined || !(first > 0)) return undefined;
  return steps.every((step) => Math.abs(step - first) < 0.0015) ? first : undefined;
}
