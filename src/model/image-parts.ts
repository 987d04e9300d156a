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

/** The numbers that an image's time points, channels and slices have in names; none where an axis is of extent 1. */
export interface NumberedAxes {
  readonly ts: readonly number[];
  readonly channels: readonly number[];
  readonly zs: readonly number[];
}

/** Offsets of classic TIFF are 32 bits; the header has room in what is left. */
export const PART_LIMIT_BYTES = 2 ** 32 - 2 ** 24;
/** What a plane costs beside its pixels: its directory and its label. */
const PLANE_OVERHEAD_BYTES = 512;

const pad3 = (value: number): string => String(value).padStart(3, '0');

function* runs(extent: number, most: number): Generator<AxisRun> {
  for (let first = 0; first < extent; first += most) yield { first, count: Math.min(most, extent - first) };
}

/** `_t001-t050`, `_t001`, or nothing for the whole of an axis. */
function runName(
  letter: string,
  numbers: readonly number[],
  { first, count }: AxisRun,
  digits: (value: number) => string,
): string {
  if (count === numbers.length) return '';
  const from = `${letter}${digits(numbers[first] ?? 0)}`;
  return count === 1 ? `_${from}` : `_${from}-${letter}${digits(numbers[first + count - 1] ?? 0)}`;
}

/**
 * Cuts an image into parts none of which is larger than `limitBytes`: as many whole time points as fit, else of one
 * time point as many slices with all their channels, else of one slice as many channels. Undefined where all of it
 * fits into one. Parts of one image are equal but for the last of each run, so that those of an image that grows in
 * time stay what they were. A single plane over the limit is a part by itself.
 */
export function imageParts(
  { ts, channels, zs }: NumberedAxes,
  planeBytes: number,
  limitBytes = PART_LIMIT_BYTES,
): readonly ImagePart[] | undefined {
  const most = Math.floor(limitBytes / (planeBytes + PLANE_OVERHEAD_BYTES));
  if (ts.length * channels.length * zs.length <= Math.max(1, most)) return undefined;
  const slices = Math.floor(most / channels.length);
  const times = Math.floor(slices / zs.length);
  const parts: ImagePart[] = [];
  for (const t of runs(ts.length, Math.max(1, times)))
    for (const z of runs(zs.length, times >= 1 ? zs.length : Math.max(1, slices)))
      for (const c of runs(channels.length, slices >= 1 ? channels.length : Math.max(1, most)))
        parts.push({
          suffix: runName('t', ts, t, pad3) + runName('z', zs, z, pad3) + runName('w', channels, c, String),
          t,
          c,
          z,
        });
  return parts;
}
