import { type Dtype, fromBytes, itemSizeBytes } from '../../core/nd-array.ts';

/** Part of the pixels that are shown as black and as white, each. */
const SATURATED = 0.002;

/** A plane scaled down: the mean of each box of `factor` × `factor` pixels, NaN where none is finite. */
export class BoxMeans {
  readonly width: number;
  readonly height: number;
  readonly #factor: number;
  readonly #sums: Float64Array;
  readonly #counts: Uint32Array;

  constructor(width: number, height: number, factor: number) {
    this.width = Math.ceil(width / factor);
    this.height = Math.ceil(height / factor);
    this.#factor = factor;
    this.#sums = new Float64Array(this.width * this.height);
    this.#counts = new Uint32Array(this.width * this.height);
  }

  /** Adds whole rows of the plane: pixels of `sourceWidth` columns, little-endian. */
  addRows(dtype: Dtype, firstRow: number, sourceWidth: number, bytes: Uint8Array): void {
    const { data } = fromBytes(dtype, [bytes.length / itemSizeBytes(dtype)], bytes);
    const factor = this.#factor;
    const rows = data.length / sourceWidth;
    for (let row = 0; row < rows; row += 1) {
      const line = Math.floor((firstRow + row) / factor) * this.width;
      for (let column = 0, box = line; column < sourceWidth; box += 1) {
        const end = Math.min(sourceWidth, column + factor);
        for (; column < end; column += 1) {
          const value = Number(data[row * sourceWidth + column]);
          if (!Number.isFinite(value)) continue;
          this.#sums[box] = (this.#sums[box] ?? 0) + value;
          this.#counts[box] = (this.#counts[box] ?? 0) + 1;
        }
      }
    }
  }

  means(): Float64Array {
    return this.#sums.map((sum, box) => sum / (this.#counts[box] ?? 0));
  }
}

/** Values that are shown as black and as white. */
export interface Contrast {
  readonly black: number;
  readonly white: number;
}

/**
 * Black is the 0.2nd percentile of the finite values, white the 99.8th; where these are one value, the least and the
 * greatest. Undefined where no value is finite.
 */
export function contrastOf(values: Float64Array): Contrast | undefined {
  const finite = values.filter(Number.isFinite).sort();
  const last = finite.length - 1;
  if (last < 0) return undefined;
  const black = finite[Math.floor(SATURATED * last)] ?? 0;
  const white = finite[Math.ceil((1 - SATURATED) * last)] ?? 0;
  return white > black ? { black, white } : { black: finite[0] ?? 0, white: finite[last] ?? 0 };
}

/** A value's shade: 0 to 255 in even steps from black to white; what is not finite is black, as is a plane of one value. */
export function shade(value: number, { black, white }: Contrast): number {
  // Halves, lest the range of numbers near the largest be infinite.
  const part = (value / 2 - black / 2) / (white / 2 - black / 2);
  return Number.isFinite(part) ? Math.round(255 * Math.min(1, Math.max(0, part))) : 0;
}
