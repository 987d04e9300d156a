import { BadParameterError } from '../../core/errors.ts';
import type { ParameterSpec, ParameterValue } from '../../hooks.ts';

const quoted = (value: unknown): string => JSON.stringify(value) ?? String(value);

interface Bounds {
  readonly minimum?: number;
  readonly exclusiveMinimum?: number;
  readonly maximum?: number;
}

function rangeText(unit: string, { minimum, exclusiveMinimum, maximum }: Bounds): string {
  const low =
    minimum === undefined
      ? exclusiveMinimum === undefined
        ? ''
        : ` above ${exclusiveMinimum}`
      : ` from ${minimum}`;
  return `${unit}${low}${maximum === undefined ? '' : ` up to ${maximum}`}`;
}

function checkNumber(spec: ParameterSpec, value: unknown): number {
  const bounds = spec.schema as Bounds;
  const wanted = rangeText(spec.schema['type'] === 'integer' ? 'a whole number' : 'a number', bounds);
  const inside =
    typeof value === 'number' &&
    Number.isFinite(value) &&
    (spec.schema['type'] !== 'integer' || Number.isInteger(value)) &&
    (bounds.minimum === undefined || value >= bounds.minimum) &&
    (bounds.exclusiveMinimum === undefined || value > bounds.exclusiveMinimum) &&
    (bounds.maximum === undefined || value <= bounds.maximum);
  if (!inside) throw new BadParameterError(spec.name, `is ${quoted(value)}; write ${wanted}`);
  return value;
}

function checkChoice(spec: ParameterSpec, choices: readonly unknown[], value: unknown): ParameterValue {
  if (!choices.includes(value)) {
    throw new BadParameterError(
      spec.name,
      `is ${quoted(value)}; write one of ${choices.map(quoted).join(', ')}`,
    );
  }
  return value as ParameterValue;
}

function checkOne(spec: ParameterSpec, value: unknown): ParameterValue {
  const choices = spec.schema['enum'];
  if (Array.isArray(choices)) return checkChoice(spec, choices, value);
  return checkNumber(spec, value);
}

/**
 * The parameters with defaults filled in, checked against their schemas: `enum`, or `type` `number`/`integer`
 * with `minimum`, `exclusiveMinimum` and `maximum`.
 * @throws BadParameterError for a missing, unknown or wrong parameter, naming it and what to write instead.
 */
export function checkParameters(
  hookId: string,
  specs: readonly ParameterSpec[],
  given: Readonly<Record<string, unknown>>,
): Readonly<Record<string, ParameterValue>> {
  for (const name of Object.keys(given)) {
    if (specs.some((spec) => spec.name === name)) continue;
    const known = specs.map((spec) => spec.name).join(', ');
    throw new BadParameterError(
      name,
      `${hookId} has no such parameter; it ${known === '' ? 'takes none' : `takes ${known}`}`,
    );
  }
  const checked: Record<string, ParameterValue> = {};
  for (const spec of specs) {
    const value = given[spec.name] ?? spec.default;
    if (value === undefined)
      throw new BadParameterError(spec.name, `${hookId} needs it: ${spec.description}`);
    checked[spec.name] = checkOne(spec, value);
  }
  return checked;
}

/** A checked parameter that the schema says is a number. */
export function numberOf(params: Readonly<Record<string, ParameterValue>>, name: string): number {
  const value = params[name];
  if (typeof value !== 'number') throw new BadParameterError(name, `is ${quoted(value)}; write a number`);
  return value;
}
