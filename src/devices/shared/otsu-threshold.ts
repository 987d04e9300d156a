import { HookFailedError } from '../../core/errors.ts';
import type { NdArray } from '../../core/nd-array.ts';
import { type NumberPlane, planeOf } from './pixel-types.ts';

/** scikit-image's `nbins` for float images. */
const FLOAT_BINS = 256;
/** Integer images whose values span at most this many get a dense histogram. */
const MAX_DENSE_BINS = 1 << 20;

interface Histogram {
  readonly counts: Float64Array;
  readonly centres: Float64Array;
}

interface Range {
  readonly least: number;
  readonly greatest: number;
}

function rangeOf({ pixels, width }: NumberPlane): Range {
  let least = pixels[0] as number;
  let greatest = least;
  // stays 0 unless a value is infinite or no number
  let residue = 0;
  for (let i = 0; i < pixels.length; i++) {
    const value = pixels[i] as number;
    if (value < least) least = value;
    if (value > greatest) greatest = value;
    residue += value - value;
  }
  if (residue !== 0) {
    const at = pixels.findIndex((value: number) => !Number.isFinite(value));
    throw new HookFailedError(
      `otsu: the image holds ${pixels[at]}, first at y ${Math.floor(at / width)}, x ${at % width}`,
    );
  }
  return { least, greatest };
}

function denseHistogram({ pixels }: NumberPlane, { least, greatest }: Range): Histogram {
  const bins = new Uint32Array(greatest - least + 1);
  for (let i = 0; i < pixels.length; i++) {
    const bin = (pixels[i] as number) - least;
    bins[bin] = (bins[bin] as number) + 1;
  }
  return {
    counts: Float64Array.from(bins),
    centres: Float64Array.from(bins, (_, bin) => least + bin),
  };
}

/** One pass over small unsigned integers: a bin for every value of the type, cut to those between the extremes. */
function smallHistogram(pixels: Uint8Array | Uint16Array): Histogram {
  const bins = new Uint32Array(pixels instanceof Uint8Array ? 256 : 65_536);
  for (let i = 0; i < pixels.length; i++) {
    const bin = pixels[i] as number;
    bins[bin] = (bins[bin] as number) + 1;
  }
  let least = 0;
  while (bins[least] === 0) least++;
  let greatest = bins.length - 1;
  while (bins[greatest] === 0) greatest--;
  const counts = Float64Array.from(bins.subarray(least, greatest + 1));
  return { counts, centres: Float64Array.from(counts, (_, bin) => least + bin) };
}

/** Only the values that occur; empty bins between them would change no sum and never hold the first maximum. */
function sparseHistogram({ pixels }: NumberPlane): Histogram {
  const sorted = pixels.slice().sort();
  const counts: number[] = [];
  const centres: number[] = [];
  for (const value of sorted) {
    if (value !== centres.at(-1)) {
      centres.push(value);
      counts.push(0);
    }
    counts[counts.length - 1] = (counts.at(-1) ?? 0) + 1;
  }
  return { counts: Float64Array.from(counts), centres: Float64Array.from(centres) };
}

/**
 * `numpy.histogram(image, 256)` as numpy 1.24 does it: edges evenly spaced in float64 from minimum to maximum,
 * rounded to the image's type; a bin holds `edge[i] <= value < edge[i + 1]`, the last one its upper edge too.
 */
function floatHistogram({ pixels, dtype }: NumberPlane, { least, greatest }: Range): Histogram {
  const round = dtype === 'float64' ? (value: number): number => value : Math.fround;
  const step = (greatest - least) / FLOAT_BINS;
  const edges = Float64Array.from({ length: FLOAT_BINS + 1 }, (_, i) => round(i * step + least));
  edges[FLOAT_BINS] = greatest;
  const bins = new Uint32Array(FLOAT_BINS);
  const perUnit = FLOAT_BINS / (greatest - least);
  for (let i = 0; i < pixels.length; i++) {
    const value = pixels[i] as number;
    let bin = ((value - least) * perUnit) | 0;
    if (bin > FLOAT_BINS - 1) bin = FLOAT_BINS - 1;
    // the rounded edges decide, the quotient only guesses
    while (value < (edges[bin] as number)) bin--;
    while (bin < FLOAT_BINS - 1 && value >= (edges[bin + 1] as number)) bin++;
    bins[bin] = (bins[bin] as number) + 1;
  }
  const counts = Float64Array.from(bins);
  const centres = Float64Array.from(counts, (_, bin) =>
    round(round((edges[bin] as number) + (edges[bin + 1] as number)) / 2),
  );
  return { counts, centres };
}

/** The centre of the first bin after which splitting gives the greatest variance between the two classes. */
function bestSplit({ counts, centres }: Histogram): number {
  const bins = counts.length;
  const upperWeight = new Float64Array(bins);
  const upperSum = new Float64Array(bins);
  let weight = 0;
  let sum = 0;
  for (let bin = bins - 1; bin >= 0; bin--) {
    weight += counts[bin] as number;
    sum += (counts[bin] as number) * (centres[bin] as number);
    upperWeight[bin] = weight;
    upperSum[bin] = sum;
  }
  weight = 0;
  sum = 0;
  let greatest = -1;
  let best = 0;
  for (let bin = 0; bin < bins - 1; bin++) {
    weight += counts[bin] as number;
    sum += (counts[bin] as number) * (centres[bin] as number);
    const otherWeight = upperWeight[bin + 1] as number;
    const difference = sum / weight - (upperSum[bin + 1] as number) / otherWeight;
    const variance = weight * otherWeight * (difference * difference);
    if (variance > greatest) {
      greatest = variance;
      best = bin;
    }
  }
  return centres[best] as number;
}

/**
 * `skimage.filters.threshold_otsu` of scikit-image 0.19, to the last bit; but float values so close together that
 * bin edges coincide are split properly, where scikit-image takes 0 / 0 for the maximum and answers the minimum.
 * @throws HookFailedError for NaN and infinity.
 */
export function otsuThreshold(array: NdArray): number {
  const plane = planeOf(array);
  const { pixels } = plane;
  // with one value there is one bin, and its value is the threshold
  if (pixels instanceof Uint8Array || pixels instanceof Uint16Array) return bestSplit(smallHistogram(pixels));
  const range = rangeOf(plane);
  if (range.least === range.greatest) return range.least;
  if (plane.dtype.startsWith('float')) return bestSplit(floatHistogram(plane, range));
  const dense = range.greatest - range.least < MAX_DENSE_BINS;
  return bestSplit(dense ? denseHistogram(plane, range) : sparseHistogram(plane));
}

/** `image > value` as 0 and 1. */
export function maskAbove(array: NdArray, value: number): NdArray<'uint8'> {
  const { height, width, pixels } = planeOf(array);
  const mask = new Uint8Array(height * width);
  for (let i = 0; i < mask.length; i++) mask[i] = (pixels[i] as number) > value ? 1 : 0;
  return { dtype: 'uint8', shape: [height, width], data: mask };
}
