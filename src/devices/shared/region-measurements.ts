import { HookFailedError } from '../../core/errors.ts';
import type { NdArray } from '../../core/nd-array.ts';
import type { Table } from '../../hooks.ts';
import { type NumberPixels, planeOf } from './pixel-types.ts';

/** Label values up to this many times the pixel count are counted in arrays, greater ones are renumbered first. */
const MAX_EMPTY_LABELS_PER_PIXEL = 4;

/** Label numbers to count by: the labels themselves, or their ranks where they are few but large. */
interface LabelNumbers {
  readonly numbers: NumberPixels;
  readonly greatest: number;
  labelOf(number: number): number;
}

function labelNumbers(pixels: NumberPixels): LabelNumbers {
  let greatest = 0;
  for (let i = 0; i < pixels.length; i++) {
    const label = pixels[i] as number;
    if (label > greatest) greatest = label;
  }
  if (greatest <= pixels.length * MAX_EMPTY_LABELS_PER_PIXEL) {
    return { numbers: pixels, greatest, labelOf: (number) => number };
  }
  const labels = [...new Set<number>(pixels)].filter((label) => label > 0).sort((a, b) => a - b);
  const ranks = new Map(labels.map((label, row) => [label, row + 1]));
  return {
    numbers: Int32Array.from(pixels as Int32Array, (label) => ranks.get(label) ?? 0),
    greatest: labels.length,
    labelOf: (number) => labels[number - 1] ?? 0,
  };
}

/**
 * Area, centroid, bounding box and intensities of every label, in pixels and in the intensity image's numbers;
 * columns as the hook `measure` documents them. Sums of integers are exact.
 * @throws HookFailedError when the two arrays differ in shape.
 */
export function measureRegions(labelArray: NdArray, intensityArray: NdArray): Table {
  const { height, width, pixels } = planeOf(labelArray);
  const intensity = planeOf(intensityArray);
  if (intensity.height !== height || intensity.width !== width) {
    throw new HookFailedError(
      `measure: labels of ${height} × ${width} pixels do not fit an image of ${intensity.height} × ${intensity.width}`,
    );
  }
  const { numbers, greatest, labelOf } = labelNumbers(pixels);
  const column = (initial = 0): Float64Array<ArrayBuffer> => new Float64Array(greatest + 1).fill(initial);
  const area = column();
  const sumY = column();
  const sumX = column();
  const minY = column(height);
  const minX = column(width);
  const maxY = column();
  const maxX = column();
  const sum = column();
  const least = column(Number.POSITIVE_INFINITY);
  const most = column(Number.NEGATIVE_INFINITY);
  for (let y = 0, i = 0; y < height; y++) {
    const rowStart = y * width;
    const rowEnd = rowStart + width;
    while (i < rowEnd) {
      const number = numbers[i] as number;
      const start = i;
      if (number <= 0) {
        do i++;
        while (i < rowEnd && (numbers[i] as number) <= 0);
        continue;
      }
      let runSum = sum[number] as number;
      let runLeast = least[number] as number;
      let runMost = most[number] as number;
      do {
        const value = intensity.pixels[i] as number;
        runSum += value;
        // a NaN stays, as in numpy
        if (value < runLeast || Number.isNaN(value)) runLeast = value;
        if (value > runMost || Number.isNaN(value)) runMost = value;
        i++;
      } while (i < rowEnd && numbers[i] === number);
      const length = i - start;
      const firstX = start - rowStart;
      area[number] = (area[number] as number) + length;
      sumY[number] = (sumY[number] as number) + y * length;
      sumX[number] = (sumX[number] as number) + ((firstX + firstX + length - 1) * length) / 2;
      sum[number] = runSum;
      least[number] = runLeast;
      most[number] = runMost;
      if (y < (minY[number] as number)) minY[number] = y;
      maxY[number] = y + 1;
      if (firstX < (minX[number] as number)) minX[number] = firstX;
      if (firstX + length > (maxX[number] as number)) maxX[number] = firstX + length;
    }
  }
  const present = Int32Array.from(area.keys()).filter((number) => (area[number] as number) > 0);
  const rows = (columnAt: (number: number) => number): Float64Array<ArrayBuffer> =>
    Float64Array.from(present, columnAt);
  const plain = (values: Float64Array): Float64Array<ArrayBuffer> =>
    rows((number) => values[number] as number);
  const perPixel = (values: Float64Array): Float64Array<ArrayBuffer> =>
    rows((number) => (values[number] as number) / (area[number] as number));
  return {
    columns: [
      { name: 'label', values: rows(labelOf) },
      { name: 'area', values: plain(area) },
      { name: 'centroid_y', values: perPixel(sumY) },
      { name: 'centroid_x', values: perPixel(sumX) },
      { name: 'bbox_min_y', values: plain(minY) },
      { name: 'bbox_min_x', values: plain(minX) },
      { name: 'bbox_max_y', values: plain(maxY) },
      { name: 'bbox_max_x', values: plain(maxX) },
      { name: 'intensity_mean', values: perPixel(sum) },
      { name: 'intensity_min', values: plain(least) },
      { name: 'intensity_max', values: plain(most) },
      { name: 'intensity_sum', values: plain(sum) },
    ],
  };
}
