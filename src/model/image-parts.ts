import type { ImageInfo } from './image.ts';

/** A run of indices along an axis. */
export interface AxisRun {
  readonly first: number;
  readonly count: number;
}

/** A piece of an image that is a file of its own. */
export interface ImagePart {
  /** What its name has behind the whole's: `_t001-t050`. */
  readonly suffix: string;
  readonly t: AxisRun;
  readonly c: AxisRun;
  readonly z: AxisRun;
}

/** The number that each index of an axis has in names. A list of them will do. */
export type NumberedAxis = Pick<readonly number[], 'length' | 'at'>;

/** The numbers of an image's time points, channels and slices. */
export interface NumberedAxes {
  readonly ts: NumberedAxis;
  readonly channels: NumberedAxis;
  readonly zs: NumberedAxis;
}

/** The axes of an image that nobody numbered: each counts from 1. */
export function countedAxes([t, c, z]: ImageInfo['shape']): NumberedAxes {
  const counted = (length: number): NumberedAxis => ({ length, at: (index) => index + 1 });
  return { ts: counted(t), channels: counted(c), zs: counted(z) };
}

/** Offsets of classic TIFF are 32 bits; the header has room in what is left. */
export const PART_LIMIT_BYTES = 2 ** 32 - 2 ** 24;
/** Bounds of {@link imageParts}; those of classic TIFF, and none, unless set. */
export interface PartLimits {
  readonly limitBytes?: number;
  readonly mostParts?: number;
}

/** What a plane costs beside its pixels: its directory and its label. */
const PLANE_OVERHEAD_BYTES = 512;

const pad3 = (value: number): string => String(value).padStart(3, '0');

function* runs(extent: number, most: number): Generator<AxisRun> {
  for (let first = 0; first < extent; first += most) yield { first, count: Math.min(most, extent - first) };
}

/** `_t001-t050`, `_t001`, or nothing for the whole of an axis. */
function runName(
  letter: string,
  numbers: NumberedAxis,
  { first, count }: AxisRun,
  digits: (value: number) => string,
): string {
  if (count === numbers.length) return '';
  const from = `${letter}${digits(numbers.at(first) ?? 0)}`;
  return count === 1 ? `_${from}` : `_${from}-${letter}${digits(numbers.at(first + count - 1) ?? 0)}`;
}

/**
 * Cuts an image into parts none of which is larger than `limitBytes`: as many whole time points as fit, else of one
 * time point as many slices with all their channels, else of one slice as many channels. Undefined where all of it
 * fits into one. Parts of one image are equal but for the last of each run, so that those of an image that grows in
 * time stay what they were. A single plane over the limit is a part by itself.
 * @returns `too-many` where there would be more than `mostParts`.
 */
export function imageParts(
  { ts, channels, zs }: NumberedAxes,
  planeBytes: number,
  { limitBytes = PART_LIMIT_BYTES, mostParts = Number.POSITIVE_INFINITY }: PartLimits = {},
): readonly ImagePart[] | 'too-many' | undefined {
  const most = Math.floor(limitBytes / (planeBytes + PLANE_OVERHEAD_BYTES));
  if (ts.length * channels.length * zs.length <= Math.max(1, most)) return undefined;
  const slices = Math.floor(most / channels.length);
  const times = Math.floor(slices / zs.length);
  const runOf = {
    t: Math.max(1, times),
    z: times >= 1 ? zs.length : Math.max(1, slices),
    c: slices >= 1 ? channels.length : Math.max(1, most),
  };
  const counts = [ts.length / runOf.t, zs.length / runOf.z, channels.length / runOf.c].map(Math.ceil);
  if (counts.reduce((product, count) => product * count, 1) > mostParts) return 'too-many';
  const parts: ImagePart[] = [];
  for (const t of runs(ts.length, runOf.t))
    for (const z of runs(zs.length, runOf.z))
      for (const c of runs(channels.length, runOf.c))
        parts.push({
          suffix: runName('t', ts, t, pad3) + runName('z', zs, z, pad3) + runName('w', channels, c, String),
          t,
          c,
          z,
        });
  return parts;
}
