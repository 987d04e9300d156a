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
  const base = `${ROOT}/ResolutionLevel 0`;
  const times = numbered(hierarchy, base, 'TimePoint');
  const firstTime = `${base}/TimePoint ${times[0]}`;
  const channels = times.length === 0 ? [] : numbered(hierarchy, firstTime, 'Channel');
  if (levels[0] !== 0 || channels.length === 0) return undefined;
  const warnings: { path: string; message: string }[] = [];
  const plans = levels.flatMap((level) => planOf(hierarchy, level, times, channels, warnings));
  const [largest, ...others] = plans;
  if (largest === undefined || largest.path !== ROOT) return undefined;
  const { kept, left } = shrinkingLevels([largest, ...others]);
  for (const path of left) warnings.push({ path, message: 'is no smaller level of its image' });
  return {
    title: 'Imaris',
    images: [kept],
    isShown: (path) => /^DataSet\/ResolutionLevel \d+\/TimePoint \d+\/Channel \d+\/Data$/.test(path),
    describe: (image) => describe(hierarchy, image, channels),
    warnings,
    files: [],
  };
}

function planOf(
  hierarchy: Hdf5Hierarchy,
  level: number,
  times: readonly number[],
  channels: readonly number[],
  warnings: { path: string; message: string }[],
): ImagePlan[] {
  const at = (t: number, c: number): string =>
    `${ROOT}/ResolutionLevel ${level}/TimePoint ${times[t]}/Channel ${channels[c]}`;
  const path = `${at(0, 0)}/Data`;
  if (hierarchy.kindOf(path) !== 'array') return [];
  const { shape, type, chunkShape, unreadable } = hierarchy.dataset(path);
  const attributes = hierarchy.attributes(at(0, 0));
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
      shape: fiveOf([times.length, channels.length, ...extents], 'tczyx'),
      chunkShape: fiveOf(
        chunkShape.map((extent, axis) => Math.min(extent, extents[axis] ?? 1)),
        'zyx',
      ),
      dtype: type.dtype,
      axes: 'zyx',
      choosesDataset: true,
      isPadded: true,
      datasetAt: (t, c) => {
        const wanted = `${at(t, c)}/Data`;
        return hierarchy.kindOf(wanted) === 'array' ? wanted : undefined;
      },
    },
  ];
}

function describe(
  hierarchy: Hdf5Hierarchy,
  [{ shape }]: ImagePlans,
  channels: readonly number[],
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
  const described = channels.map((channel) => {
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
