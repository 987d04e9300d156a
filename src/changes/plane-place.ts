import { parsePlaneName } from '../model/plane-name.ts';
import { wellName } from '../model/well.ts';

/** Where on a plate a file belongs; `field` and what follows count from 1, z 0 is a projection. */
export interface PlanePlace {
  readonly well: string;
  readonly field: number;
  readonly channel?: number;
  readonly z?: number;
  readonly t?: number;
}

const AXES = ['channel', 'z', 't'] as const;

/** What a plate says of one of its files, as its `user.platefs.*` facts have it; undefined for what is no plane. */
export function placeOfFacts(facts: ReadonlyMap<string, string>): PlanePlace | undefined {
  const well = facts.get('well');
  const field = Number(facts.get('field'));
  if (well === undefined || !Number.isSafeInteger(field)) return undefined;
  const axes = AXES.flatMap((axis) => {
    const value = facts.get(axis);
    return value === undefined ? [] : [[axis, Number(value)] as const];
  });
  return { well, field, ...Object.fromEntries(axes) };
}

/** The place that a canonical name gives a file; undefined for other names. */
export function placeOfName(path: string): PlanePlace | undefined {
  const parsed = parsePlaneName(path.slice(path.lastIndexOf('/') + 1));
  if (!parsed) return undefined;
  const { well, site, channel, z, t } = parsed.address;
  return { well: wellName(well), field: site, channel, z, t };
}

/** `A01 field 1 channel 2 z 1 t 1` */
export function placeText({ well, field, ...axes }: PlanePlace): string {
  const told = AXES.flatMap((axis) => (axes[axis] === undefined ? [] : [`${axis} ${axes[axis]}`]));
  return [`${well} field ${field}`, ...told].join(' ');
}
