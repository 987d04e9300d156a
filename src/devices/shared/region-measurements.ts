import { HookFailedError } from '../../core/errors.ts';
import type { NdArray } from '../../core/nd-array.ts';
import type { Table } from '../../hooks.ts';
import { type NumberPixels, planeOf } from './pixel-types.ts';

/** Label values up to this many times the pixel count are counted in an array, greater ones through a map. */
const MAX_EMPTY_LABELS_PER_PIXEL = 4;

/** The labels above 0 that occur, ascending, and the row of each in the table. */
interface LabelRows {
  readonly labels: readonly number[];
  rowOf(label: number): number;
}

function labelRows(pixels: NumberPixels): LabelRows {
  let greatest = 0;
  for (let i = 0; i < pixels.length; i++) greatest = Math.max(greatest, pixels[i] as number);
  if (greatest > pixels.length * MAX_EMPTY_LABELS_PER_PIXEL) {
    const labels = [...new Set<number>(pixels)].filter((label) => label > 0).sort((a, b) => a - b);
    const rows = new Map(labels.map((label, row) => [label, row]));
    return { labels, rowOf: (label) => rows.get(label) ?? -1 };
  }
  const rows = new Int32Array(greatest + 1);
  for (let i = 0; i < pixels.length; i++) {
    const label = pixels[i] as number;
    if (label > 0) rows[label] = 1;
  }
  const labels: number[] = [];
  for (let label = 1; label <= greatest; label++) {
    if (rows[label] === 0) continue;
    rows[label] = labels.length;
    labels.push(label);
  }
  return { labels, rowOf: (label) => rows[label] as number };
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
  const { labels, rowOf } = labelRows(pixels);
  const count = labels.length;
  const column = (initial = 0): Float64Array => new Float64Array(count).fill(initial);
  const area = column();
  const sumY = column();
  const sumX = column();
  const minY = column(height);
  const minX = column(width);
  const maxY = column();
  const maxX = column();
  const sum = column();
  const least = column(Number.POSITIVE_INFINITY);
  const greatest = column(Number.NEGATIVE_INFINITY);
  const add = (values: Float64Array, row: number, amount: number): void => {
    values[row] = (values[row] as number) + amount;
  };
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      const label = pixels[i] as number;
      if (label <= 0) continue;
      const row = rowOf(label);
      const value = intensity.pixels[i] as number;
      add(area, row, 1);
      add(sumY, row, y);
      add(sumX, row, x);
      add(sum, row, value);
      if (y < (minY[row] as number)) minY[row] = y;
      if (x < (minX[row] as number)) minX[row] = x;
      if (x >= (maxX[row] as number)) maxX[row] = x + 1;
      maxY[row] = y + 1;
      // Math.min and Math.max keep a NaN, as numpy does
      least[row] = Math.min(least[row] as number, value);
      greatest[row] = Math.max(greatest[row] as number, value);
    }
  }
  const perPixel = (values: Float64Array): Float64Array =>
    values.map((value, row) => value / (area[row] as number));
  return {
    columns: [
      { name: 'label', values: Float64Array.from(labels) },
      { name: 'area', values: area },
      { name: 'centroid_y', values: perPixel(sumY) },
      { name: 'centroid_x', values: perPixel(sumX) },
      { name: 'bbox_min_y', values: minY },
      { name: 'bbox_min_x', values: minX },
      { name: 'bbox_max_y', values: maxY },
      { name: 'bbox_max_x', values: maxX },
      { name: 'intensity_mean', values: perPixel(sum) },
      { name: 'intensity_min', values: least },
      { name: 'intensity_max', values: greatest },
      { name: 'intensity_sum', values: sum },
    ],
  };
}
