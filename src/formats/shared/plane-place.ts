import { planeStem } from '../../model/plane-name.ts';
import { MAX_WELL_COLUMNS, MAX_WELL_ROWS } from '../../model/well.ts';

/** Largest number that a name takes, and the largest channel. */
const MAX_NUMBER = 999_999_999;
const MAX_CHANNEL = 0xffff;

/** Where a plane lies: row and column from 0, the rest as in names. */
export interface PlaceOfPlane {
  readonly row: number;
  readonly column: number;
  readonly site: number;
  readonly channel: number;
  readonly z: number;
  readonly t: number;
}

/** What a file's name says; what it doesn't say is absent. */
export type NameReading = { readonly [axis in keyof PlaceOfPlane]?: number };

const AXES = ['site', 'channel', 'z', 't'] as const;
const AXIS_NAMES = { site: 'field', channel: 'channel', z: 'z', t: 'time point' } as const;

/** A place as one exact number where it is small, else as text. */
export function placeKey({ row, column, site, channel, z, t }: PlaceOfPlane): number | string {
  if (site > 0x3fff || channel > 0xff || z > 0x3ff || t > 0x3ff)
    return `${row}/${column}/${site}/${channel}/${z}/${t}`;
  return ((((row * 64 + column) * 0x4000 + site) * 0x100 + channel) * 0x400 + z) * 0x400 + t;
}

/** Whether every number of a place can stand in a plane's name. */
export function isPlace<T extends NameReading>(place: T): place is T & PlaceOfPlane {
  const within = (value: number | undefined, from: number, to: number): boolean =>
    value !== undefined && Number.isInteger(value) && value >= from && value <= to;
  return (
    within(place.row, 0, MAX_WELL_ROWS - 1) &&
    within(place.column, 0, MAX_WELL_COLUMNS - 1) &&
    within(place.site, 1, MAX_NUMBER) &&
    within(place.channel, 1, MAX_CHANNEL) &&
    within(place.z, 0, MAX_NUMBER) &&
    within(place.t, 1, MAX_NUMBER)
  );
}

/** The plane's canonical name without extension. */
export const stemOf = ({ row, column, site, channel, z, t }: PlaceOfPlane): string =>
  planeStem({ well: { row, column }, site, channel, z, t });

/** The parts of a place in which a name says another one: `well`, `field` … */
export function differences(place: PlaceOfPlane, name: NameReading): string[] {
  const told: string[] = [];
  const wellDiffers =
    (name.row !== undefined && name.row !== place.row) ||
    (name.column !== undefined && name.column !== place.column);
  if (wellDiffers) told.push('well');
  // The z that stands in the name of a projection is a filler.
  for (const axis of AXES)
    if (!(axis === 'z' && place.z === 0) && name[axis] !== undefined && name[axis] !== place[axis])
      told.push(AXIS_NAMES[axis]);
  return told;
}
