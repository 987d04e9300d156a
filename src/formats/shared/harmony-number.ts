/** A whole number from 0 to 999999999, or -1. */
export function wholeNumber(text: string): number {
  const { length } = text;
  if (length === 0 || length > 9) return text.trim() === text ? -1 : wholeNumber(text.trim());
  let value = 0;
  for (let i = 0; i < length; i += 1) {
    const digit = text.charCodeAt(i) - 48;
    if (digit < 0 || digit > 9) return text.trim() === text ? -1 : wholeNumber(text.trim());
    value = value * 10 + digit;
  }
  return value;
}

const DECIMAL = /^\s*([+-]?(?:\d+\.?\d*|\.\d+))(?:[eE]([+-]?\d{1,4}))?\s*$/;

/**
 * A decimal number times ten to the power of `shift`, rounded once (`5.98E-07` with 6 is 0.598); NaN for
 * anything else, `INF` and `NaN` as Harmony writes them included.
 */
export function shiftedNumber(text: string, shift: number): number {
  const match = DECIMAL.exec(text);
  if (!match) return Number.NaN;
  const value = Number(`${match[1]}e${Number(match[2] ?? 0) + shift}`);
  return Number.isFinite(value) ? value : Number.NaN;
}

/** Powers of ten by which a length in this unit is that in µm; Harmony writes `Unit="m"`. */
const MICROMETRE_SHIFT: ReadonlyMap<string, number> = new Map([
  ['m', 6],
  ['mm', 3],
  ['um', 0],
  ['µm', 0],
  ['μm', 0],
  ['nm', -3],
]);

/** Undefined for what is no unit of length. */
export const micrometreShift = (unit: string): number | undefined => MICROMETRE_SHIFT.get(unit.trim());

/** A time with its zone (`2022-12-19T10:19:26.58+01:00`) as Unix ms; NaN for one without. */
export function unixMs(text: string): number {
  return /(?:Z|[+-]\d\d:\d\d)$/.test(text) ? Date.parse(text) : Number.NaN;
}
