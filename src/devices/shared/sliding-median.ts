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
const FINE_MASK = (1 << COARSE_SHIFT) - 1;

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
  const rowCount = halfWidths.length;
  const radius = (rowCount - 1) / 2;
  const reaches = Int32Array.from(halfWidths);
  const half = reaches.reduce((sum, reach) => sum + 2 * reach + 1, 0) >> 1;
  const fine = new Uint16Array(values.length);
  const coarse = new Uint16Array((values.length >> COARSE_SHIFT) + 1);
  // the window's rows, padded by reflection: pixel x of row r is band[r * pitch + radius + x]
  const pitch = width + 2 * radius;
  const band = new Uint32Array(rowCount * pitch);
  const out = pixels.slice() as NumberPixels;

  for (let y = 0; y < height; y++) {
    for (let row = 0; row < rowCount; row++) {
      const from = reflectedIndex(y + row - radius, height) * width;
      const to = row * pitch + radius;
      band.set(ranks.subarray(from, from + width), to);
      for (let x = 0; x < radius; x++) {
        band[to - 1 - x] = ranks[from + reflectedIndex(-1 - x, width)] as number;
        band[to + width + x] = ranks[from + reflectedIndex(width + x, width)] as number;
      }
    }
    fine.fill(0);
    coarse.fill(0);
    for (let row = 0; row < rowCount; row++) {
      const reach = reaches[row] as number;
      const centre = row * pitch + radius;
      for (let at = centre - reach; at <= centre + reach; at++) {
        const rank = band[at] as number;
        fine[rank] = (fine[rank] as number) + 1;
        coarse[rank >> COARSE_SHIFT] = (coarse[rank >> COARSE_SHIFT] as number) + 1;
      }
    }
    let median = 0;
    let below = 0;
    for (let x = 0; x < width; x++) {
      if (x > 0) {
        let centre = radius + x;
        for (let row = 0; row < rowCount; row++) {
          const reach = reaches[row] as number;
          const leaving = band[centre - reach - 1] as number;
          const entering = band[centre + reach] as number;
          centre += pitch;
          if (leaving === entering) continue;
          fine[leaving] = (fine[leaving] as number) - 1;
          coarse[leaving >> COARSE_SHIFT] = (coarse[leaving >> COARSE_SHIFT] as number) - 1;
          fine[entering] = (fine[entering] as number) + 1;
          coarse[entering >> COARSE_SHIFT] = (coarse[entering >> COARSE_SHIFT] as number) + 1;
          below += (entering < median ? 1 : 0) - (leaving < median ? 1 : 0);
        }
      }
      // bring the pointer to where below <= half < below + fine[median]; whole coarse bins are skipped
      while (below > half) {
        const previousBin = (median >> COARSE_SHIFT) - 1;
        if ((median & FINE_MASK) === 0 && below - (coarse[previousBin] as number) > half) {
          below -= coarse[previousBin] as number;
          median -= FINE_MASK + 1;
        } else below -= fine[--median] as number;
      }
      while (below + (fine[median] as number) <= half) {
        const bin = median >> COARSE_SHIFT;
        if ((median & FINE_MASK) === 0 && below + (coarse[bin] as number) <= half) {
          below += coarse[bin] as number;
          median += FINE_MASK + 1;
        } else below += fine[median++] as number;
      }
      out[y * width + x] = values[median] as number;
    }
  }
  return out;
}
