/** Symbols of the units of OME-XML, schema 2016-06, types UnitsLength and UnitsTime; those of distant scales left out. */
const MICROMETRES: ReadonlyMap<string, number> = new Map([
  ['m', 1e6],
  ['dm', 1e5],
  ['cm', 1e4],
  ['mm', 1e3],
  ['µm', 1],
  ['μm', 1],
  ['um', 1],
  ['nm', 1e-3],
  ['Å', 1e-4],
  ['Å', 1e-4],
  ['pm', 1e-6],
  ['in', 25_400],
  ['li', 25_400 / 12],
]);

const SECONDS: ReadonlyMap<string, number> = new Map([
  ['s', 1],
  ['ms', 1e-3],
  ['µs', 1e-6],
  ['μs', 1e-6],
  ['us', 1e-6],
  ['ns', 1e-9],
  ['min', 60],
  ['h', 3600],
  ['d', 86_400],
]);

/** Rounds off what the conversion adds: 0.1 nm as mm is 0.00010000000000000002 µm. */
const rounded = (value: number): number => Number(value.toPrecision(12));

function converted(
  value: number | undefined,
  unit: string,
  factors: ReadonlyMap<string, number>,
): number | undefined {
  const factor = factors.get(unit);
  return value === undefined || factor === undefined ? undefined : rounded(value * factor);
}

/** A length in µm; undefined in `pixel`, `reference frame` and other units that are none of length. */
export const inMicrometres = (value: number | undefined, unit: string): number | undefined =>
  converted(value, unit, MICROMETRES);

/** A length in nm. */
export const inNanometres = (value: number | undefined, unit: string): number | undefined =>
  converted(value === undefined ? undefined : value * 1e3, unit, MICROMETRES);

/** A time in seconds. */
export const inSeconds = (value: number | undefined, unit: string): number | undefined =>
  converted(value, unit, SECONDS);
