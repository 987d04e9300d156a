import type { Dtype } from '../../core/nd-array.ts';

/** Longest text of a number of each type as `numberText` writes it, in characters. */
export const NUMBER_WIDTHS: Readonly<Record<Dtype, number>> = {
  uint8: 3,
  int8: 4,
  uint16: 5,
  int16: 6,
  uint32: 10,
  int32: 11,
  uint64: 20,
  int64: 20,
  // -0.00012345
  float16: 11,
  // -1.23456789e-38
  float32: 15,
  // -1.2345678901234567e-308
  float64: 24,
};

/** From here on numbers are written with an exponent, whole ones below it digit by digit. */
const FIRST_EXPONENT: Readonly<Record<FloatType, number>> = { float16: 1e12, float32: 1e12, float64: 1e16 };
/** Significant digits that are always enough (IEEE 754-2019, 5.12.2), and those that always survive. */
const DIGITS = { float16: { fewest: 3, enough: 5 }, float32: { fewest: 6, enough: 9 } } as const;
/** Below these a number has fewer bits than its type, and may need fewer digits. */
const SMALLEST_NORMAL = { float16: 2 ** -14, float32: 2 ** -126 } as const;

type FloatType = 'float16' | 'float32' | 'float64';

const ROUNDED = {
  float16: (value: number): number => Math.f16round(value),
  float32: (value: number): number => Math.fround(value),
} as const;

/** Powers of ten that are exact float64: a whole number below 2^53 divided by one is the float64 nearest to it. */
const TENS: readonly number[] = Array.from({ length: 23 }, (_, exponent) => Number(`1e${exponent}`));

/** A number rounded to so many significant digits, as the nearest float64; a tie may go either way. */
function rounded(value: number, digits: number, exponent: number): number {
  const scale = TENS[digits - 1 - exponent];
  return scale === undefined ? Number(value.toPrecision(digits)) : Math.round(value * scale) / scale;
}

/** A number of few bits, in the fewest digits that round to it. */
function narrowText(value: number, dtype: 'float16' | 'float32'): string {
  const { fewest, enough } = DIGITS[dtype];
  const round = ROUNDED[dtype];
  const size = Math.abs(value);
  const exponent = Math.floor(Math.log10(size));
  // Most numbers need all digits or one less: try those first. One that is right stays right with more digits.
  const least = size < SMALLEST_NORMAL[dtype] ? 1 : fewest;
  let shortest: number | undefined;
  for (let digits = enough; digits >= least; digits -= 1) {
    const shorter = rounded(value, digits, exponent);
    if (round(shorter) !== value) break;
    shortest = shorter;
  }
  return plainOrExponent(shortest ?? Number(value.toPrecision(enough)), dtype);
}

/** The fewest digits that JavaScript knows for the number; below 0.0001 with an exponent, as Python does. */
function plainOrExponent(value: number, dtype: FloatType): string {
  const size = Math.abs(value);
  return size >= 1e-4 && size < FIRST_EXPONENT[dtype] ? String(value) : value.toExponential();
}

function floatText(value: number, dtype: FloatType): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  if (Number.isInteger(value) && Math.abs(value) < FIRST_EXPONENT[dtype])
    return Object.is(value, -0) ? '-0.0' : `${value}.0`;
  return dtype === 'float64' ? plainOrExponent(value, dtype) : narrowText(value, dtype);
}

/**
 * A number so that it reads back as the same number of its type, in few characters: a whole float has `.0`, so that
 * readers take it for one; NaN is `NaN`, infinities `inf` and `-inf`, as pandas, numpy and C's strtod read them.
 */
export function numberText(value: number | bigint, dtype: Dtype): string {
  if (typeof value === 'number' && (dtype === 'float32' || dtype === 'float64' || dtype === 'float16'))
    return floatText(value, dtype);
  return String(value);
}
