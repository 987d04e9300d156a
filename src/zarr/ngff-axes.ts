import { asObject } from '../core/json-text.ts';
import { asArray, asString } from './json.ts';

/** One axis of an image. */
export interface NgffAxis {
  readonly name: string;
  readonly type?: string;
  readonly unit?: string;
}

/** Step and origin of an axis, in its own unit. */
export interface AxisMeasure {
  readonly scale: number;
  readonly translation?: number;
}

/** Axes as objects (0.4) or names (0.3); undefined where the metadata has none. */
export function parseAxes(value: unknown): readonly NgffAxis[] | undefined {
  return asArray(value)?.map((entry) => {
    const axis = asObject(entry);
    const name = asString(entry) ?? asString(axis?.['name']) ?? '';
    const type = asString(axis?.['type']);
    const unit = asString(axis?.['unit']);
    return { name, ...(type === undefined ? {} : { type }), ...(unit === undefined ? {} : { unit }) };
  });
}

interface Transformation {
  readonly scale: readonly number[] | undefined;
  readonly translation: readonly number[] | undefined;
}

const numbers = (value: unknown): readonly number[] | undefined => {
  const list = asArray(value);
  return list?.every((entry) => typeof entry === 'number' && Number.isFinite(entry))
    ? (list as number[])
    : undefined;
};

/** The scale and the translation of a list of transformations (0.4: at most one of each, the scale first). */
function parseTransformation(value: unknown): Transformation {
  const found = (type: string): readonly number[] | undefined => {
    const entry = (asArray(value) ?? []).map(asObject).find((one) => one?.['type'] === type);
    return numbers(entry?.[type]);
  };
  return { scale: found('scale'), translation: found('translation') };
}

/**
 * Per axis the step and origin that the transformations of a level, followed by those of its image, make; empty
 * where the level has no scale, or one for another number of axes.
 */
export function parseMeasures(
  axes: readonly NgffAxis[] | undefined,
  ofLevel: unknown,
  ofImage: unknown,
): readonly AxisMeasure[] {
  const rank = axes?.length ?? 5;
  const level = parseTransformation(ofLevel);
  const image = parseTransformation(ofImage);
  const fits = (values: readonly number[] | undefined): boolean =>
    values === undefined || values.length === rank;
  if (!level.scale || ![level.scale, level.translation, image.scale, image.translation].every(fits))
    return [];
  const hasOrigin = level.translation !== undefined || image.translation !== undefined;
  return level.scale.map((scale, axis) => {
    const outer = image.scale?.[axis] ?? 1;
    const origin = (level.translation?.[axis] ?? 0) * outer + (image.translation?.[axis] ?? 0);
    return { scale: scale * outer, ...(hasOrigin ? { translation: origin } : {}) };
  });
}

/** µm of a unit of length: UDUNITS-2 names, as OME-NGFF wants them, and the signs that are found in files. */
const UM_PER_UNIT: Readonly<Record<string, number>> = {
  angstrom: 1e-4,
  picometer: 1e-6,
  nanometer: 1e-3,
  nm: 1e-3,
  micrometer: 1,
  micron: 1,
  um: 1,
  µm: 1,
  μm: 1,
  millimeter: 1e3,
  mm: 1e3,
  centimeter: 1e4,
  cm: 1e4,
  meter: 1e6,
  m: 1e6,
  inch: 25_400,
};

const S_PER_UNIT: Readonly<Record<string, number>> = {
  nanosecond: 1e-9,
  microsecond: 1e-6,
  millisecond: 1e-3,
  ms: 1e-3,
  second: 1,
  s: 1,
  minute: 60,
  hour: 3600,
  day: 86_400,
};

function factor(table: Readonly<Record<string, number>>, unit: string | undefined): number | undefined {
  if (unit === undefined) return undefined;
  const singular = unit.toLowerCase().replace('metre', 'meter');
  for (const name of [singular, singular.replace(/(.{3,})s$/, '$1')])
    if (Object.hasOwn(table, name)) return table[name];
  return undefined;
}

/** `value` of an axis in µm; undefined when its unit is unknown or none of length. */
export function inUm(value: number | undefined, axis: NgffAxis | undefined): number | undefined {
  const perUnit = factor(UM_PER_UNIT, axis?.unit);
  return value === undefined || perUnit === undefined ? undefined : tidy(value * perUnit);
}

/** `value` of an axis in seconds; undefined when its unit is unknown or none of time. */
export function inSeconds(value: number | undefined, axis: NgffAxis | undefined): number | undefined {
  const perUnit = factor(S_PER_UNIT, axis?.unit);
  return value === undefined || perUnit === undefined ? undefined : tidy(value * perUnit);
}

/** Without the last digit's noise of a change of unit. */
const tidy = (value: number): number => Number(value.toPrecision(15));

/** Letter of each axis; undefined for one that is none of `t`, `c`, `z`, `y`, `x`. */
export function axisLetters(axes: readonly NgffAxis[]): readonly (string | undefined)[] {
  return axes.map(({ name, type }) => {
    const letter = name.toLowerCase();
    if ('tczyx'.includes(letter) && letter.length === 1) return letter;
    if (type === 'time') return 't';
    if (type === 'channel') return 'c';
    return undefined;
  });
}
