import type { NumberPixels } from './pixel-types.ts';
import { reflectedIndex } from './reflection.ts';

/** Values in ascending order and each pixel's place among them. */
interface Ranking {
  readonly values: NumberPixels;
  readonly ranks: Uint32Array;
}

/** Place of `value` in the ascending `values`, which hold it. */
function rankOf(values: NumberPixels, count: number, value: number): number {
  let low = 0;
  let high = count - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((values[middle] as number) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Types with so few values that every one can have its bin. */
function valuesOfType(pixels: NumberPixels): NumberPixels | undefined {
  if (pixels instanceof Uint8Array) return Uint8Array.from({ length: 256 }, (_, rank) => rank);
  if (pixels instanceof Uint16Array) return Uint16Array.from({ length: 65_536 }, (_, rank) => rank);
  return undefined;
}

function rankPixels(pixels: NumberPixels): Ranking {
  const all = valuesOfType(pixels);
  if (all !== undefined) return { values: all, ranks: Uint32Array.from(pixels) };
  const values = pixels.slice().sort() as NumberPixels;
  let count = 1;
  for (let i = 1; i < values.length; i++) {
    const value = values[i] as number;
    if (value !== values[count - 1]) values[count++] = value;
  }
  const ranks = new Uint32Array(pixels.length);
  for (let i = 0; i < pixels.length; i++) ranks[i] = rankOf(values, count, pixels[i] as number);
  return { values: values.subarray(0, count) as NumberPixels, ranks };
}

/** Ranks per bin of the coarse histogram, as a power of two. */
const COARSE_SHIFT = 8;

/**
 * Median of a large footprint, exact for every type: pixels are replaced by their ranks, and one histogram in
 * two levels slides along each row while a pointer follows the median (Huang, Yang and Tang 1979). Cost grows
 * with the footprint's height, not its area. `halfWidths` are the footprint's rows, top to bottom.
 */
export function slidingMedian(
  pixels: NumberPixels,
  width: number,
  height: number,
  halfWidths: readonly number[],
): NumberPixels {
  const { values, ranks } = rankPixels(pixels);
  const radius = (halfWidths.length - 1) / 2;
  const half = halfWidths.reduce((sum, reach) => sum + 2 * reach + 1, 0) >> 1;
  const fine = new Uint16Array(values.length);
  const coarse = new Uint16Array((values.length >> COARSE_SHIFT) + 1);
  const columns = Int32Array.from({ length: width + 2 * radius + 1 }, (_, i) =>
    reflectedIndex(i - radius, width),
  );
  const rowStarts = new Int32Array(halfWidths.length);
  const out = pixels.slice() as NumberPixels;

  for (let y = 0; y < height; y++) {
    for (let row = 0; row < halfWidths.length; row++) {
      rowStarts[row] = reflectedIndex(y + row - radius, height) * width;
    }
    const change = (x: number, amount: number, side: number): void => {
      for (let row = 0; row < halfWidths.length; row++) {
        const column = x + side * (halfWidths[row] as number) + (side < 0 ? -1 : 0) + radius;
        const rank = ranks[(rowStarts[row] as number) + (columns[column] as number)] as number;
        fine[rank] = (fine[rank] as number) + amount;
        coarse[rank >> COARSE_SHIFT] = (coarse[rank >> COARSE_SHIFT] as number) + amount;
        if (rank < median) below += amount;
      }
    };
    fine.fill(0);
    coarse.fill(0);
    let median = 0;
    let below = 0;
    for (let row = 0; row < halfWidths.length; row++) {
      const reach = halfWidths[row] as number;
      for (let dx = -reach; dx <= reach; dx++) {
        const rank = ranks[(rowStarts[row] as number) + (columns[dx + radius] as number)] as number;
        fine[rank] = (fine[rank] as number) + 1;
        coarse[rank >> COARSE_SHIFT] = (coarse[rank >> COARSE_SHIFT] as number) + 1;
      }
    }
    for (let x = 0; x < width; x++) {
      if (x > 0) {
        change(x, -1, -1);
        change(x, 1, 1);
      }
      // bring the pointer back so that `below` <= half < below + fine[median]
      while (below > half) {
        if ((median & ((1 << COARSE_SHIFT) - 1)) === 0) {
          const bin = (median >> COARSE_SHIFT) - 1;
          if (below - (coarse[bin] as number) > half) {
            below -= coarse[bin] as number;
            median -= 1 << COARSE_SHIFT;
            continue;
          }
        }
        below -= fine[--median] as number;
      }
      while (below + (fine[median] as number) <= half) {
        if ((median & ((1 << COARSE_SHIFT) - 1)) === 0) {
          const inBin = coarse[median >> COARSE_SHIFT] as number;
          if (below + inBin <= half) {
            below += inBin;
            median += 1 << COARSE_SHIFT;
            continue;
          }
        }
        below += fine[median++] as number;
      }
      out[y * width + x] = values[median] as number;
    }
  }
  return out;
}
