import { fieldName, type PlaneAddress, planeStem } from './plane-name.ts';
import type { PlateWarning } from './plate.ts';
import { fieldStarts, fields, type PlateAxes, plateAxes } from './plate-axes.ts';
import type { PlateIndex } from './plate-index.ts';
import { wellName } from './well.ts';

/** Groups told one by one; the rest are told as a number. */
const MAX_GROUPS = 50;
/** Places of the hull looked at for the warnings; sparser plates are told as a number. */
const MAX_PLACES = 10_000_000;
/** Names listed per group. */
const MAX_NAMES = 20;

/** Number of planes a field has when nothing is missing. */
function hullSize(axes: PlateAxes): number {
  return (
    axes.stackChannels.length * axes.zs.length * axes.ts.length +
    axes.projectionChannels.length * axes.ts.length
  );
}

/** A place of the hull that a field lacks; `slot` numbers the places from 0. */
interface Absence {
  readonly channel: number;
  readonly z: number;
  readonly t: number;
  readonly slot: number;
}

/** What the field of the planes `first … end` lacks, in name order: channel, z, t. */
function* absencesOf(index: PlateIndex, axes: PlateAxes, first: number, end: number): Generator<Absence> {
  const { channels, zs, ts } = index.planes;
  let at = first;
  let slot = 0;
  for (const channel of axes.channels) {
    const stack = axes.stackChannels.includes(channel);
    const projection = axes.projectionChannels.includes(channel);
    for (let k = projection ? -1 : 0; k < (stack ? axes.zs.length : 0); k += 1) {
      const z = k < 0 ? 0 : (axes.zs[k] ?? 0);
      for (const t of axes.ts) {
        if (at < end && channels[at] === channel && zs[at] === z && ts[at] === t) at += 1;
        else yield { channel, z, t, slot };
        slot += 1;
      }
    }
  }
}

/**
 * Planes of the rectangular hull that the plate lacks: every field × every channel that has planes at z ≥ 1 ×
 * every z ≥ 1 × every t, and every field × every channel that has projections × every t. In name order, made
 * one by one as they are asked for.
 */
export function* missingPlanes(index: PlateIndex): Generator<PlaneAddress> {
  const axes = plateAxes(index);
  const starts = fieldStarts(index);
  const size = hullSize(axes);
  for (let field = 0; field + 1 < starts.length; field += 1) {
    const first = starts[field] ?? 0;
    const end = starts[field + 1] ?? 0;
    if (end - first === size) continue;
    const well = { row: index.planes.rows[first] ?? 0, column: index.planes.columns[first] ?? 0 };
    const site = index.planes.sites[first] ?? 0;
    for (const { channel, z, t } of absencesOf(index, axes, first, end)) yield { well, site, channel, z, t };
  }
}

/** How many planes of the hull the plate lacks; counts without walking them. */
export function missingPlaneCount(index: PlateIndex): number {
  const fields = fieldStarts(index).length - 1;
  return fields * hullSize(plateAxes(index)) - index.planes.count;
}

interface Group {
  readonly fields: string[];
  fieldCount: number;
  readonly planesPerField: number;
  readonly names: string[];
}

/** `1–3, 5` */
export function ranges(sorted: readonly number[]): string {
  const parts: string[] = [];
  for (let i = 0; i < sorted.length; ) {
    let j = i;
    while (sorted[j + 1] === (sorted[j] ?? 0) + 1) j += 1;
    parts.push(i === j ? `${sorted[i]}` : `${sorted[i]}–${sorted[j]}`);
    i = j + 1;
  }
  return parts.join(', ');
}

/** Per slot of the hull, in how many fields it is missing. */
function countAbsences(index: PlateIndex, axes: PlateAxes, starts: Uint32Array): Uint32Array {
  const size = hullSize(axes);
  const absences = new Uint32Array(size);
  for (let field = 0; field + 1 < starts.length; field += 1) {
    const first = starts[field] ?? 0;
    const end = starts[field + 1] ?? 0;
    if (end - first === size) continue;
    for (const { slot } of absencesOf(index, axes, first, end)) absences[slot] = (absences[slot] ?? 0) + 1;
  }
  return absences;
}

/**
 * The missing planes for people: one warning per channel for what no field has (not acquired), one per set of
 * fields that lack the same planes, at most {@link MAX_GROUPS} of these and one more for the rest. The exact
 * list is {@link missingPlanes}.
 */
export function missingPlaneWarnings(index: PlateIndex): PlateWarning[] {
  const axes = plateAxes(index);
  const starts = fieldStarts(index);
  const fieldCount = starts.length - 1;
  const places = fieldCount * hullSize(axes);
  if (places === index.planes.count) return [];
  if (places > MAX_PLACES)
    return [
      {
        kind: 'missing-plane',
        message: `${places - index.planes.count} planes of ${fieldCount} fields × ${axes.channels.length} channels × ${axes.zs.length} z × ${axes.ts.length} t are missing: the plate is sparse`,
        files: [],
      },
    ];
  const absences = countAbsences(index, axes, starts);
  const nowhere = new Map<number, { zs: Set<number>; ts: Set<number>; planes: number }>();
  const groups = new Map<string, Group>();
  for (let field = 0; field < fieldCount; field += 1) {
    const first = starts[field] ?? 0;
    const end = starts[field + 1] ?? 0;
    if (end - first === absences.length) continue;
    const well = { row: index.planes.rows[first] ?? 0, column: index.planes.columns[first] ?? 0 };
    const site = index.planes.sites[first] ?? 0;
    const names: string[] = [];
    let missing = 0;
    let hash = 0;
    let otherHash = 0;
    for (const { channel, z, t, slot } of absencesOf(index, axes, first, end)) {
      if (absences[slot] === fieldCount) {
        if (field > 0) continue;
        const entry = nowhere.get(channel) ?? { zs: new Set<number>(), ts: new Set<number>(), planes: 0 };
        entry.zs.add(z);
        entry.ts.add(t);
        entry.planes += 1;
        nowhere.set(channel, entry);
        continue;
      }
      missing += 1;
      hash = (Math.imul(hash, 31) + slot + 1) | 0;
      otherHash = (Math.imul(otherHash, 0x01000193) ^ slot) | 0;
      if (names.length < MAX_NAMES) names.push(planeStem({ well, site, channel, z, t }));
    }
    if (missing === 0) continue;
    const key = `${missing}:${hash}:${otherHash}`;
    const group = groups.get(key) ?? { fields: [], fieldCount: 0, planesPerField: missing, names };
    group.fieldCount += 1;
    if (group.fields.length < MAX_NAMES) group.fields.push(fieldName(well, site));
    groups.set(key, group);
  }
  return [...notAcquired(nowhere, fieldCount), ...groupWarnings([...groups.values()])];
}

function notAcquired(
  nowhere: ReadonlyMap<number, { zs: Set<number>; ts: Set<number>; planes: number }>,
  fieldCount: number,
): PlateWarning[] {
  return [...nowhere].map(([channel, { zs, ts, planes }]) => {
    const sortedZs = [...zs].sort((a, b) => a - b);
    const sortedTs = [...ts].sort((a, b) => a - b);
    const where = planes === zs.size * ts.size ? '' : `${planes} combinations of `;
    return {
      kind: 'missing-plane',
      message: `w${channel} was not acquired at ${where}z ${ranges(sortedZs)}, t ${ranges(sortedTs)} in any of the ${fieldCount} fields (${planes * fieldCount} planes)`,
      files: [],
    };
  });
}

function groupWarnings(groups: readonly Group[]): PlateWarning[] {
  const told = groups.slice(0, MAX_GROUPS).map((group): PlateWarning => {
    const total = group.planesPerField * group.fieldCount;
    const shown = group.names.slice(0, 3).join(', ');
    const more = group.planesPerField > 3 ? ', …' : '';
    const where =
      group.fieldCount === 1
        ? `in ${group.fields[0]}`
        : `in each of ${group.fieldCount} fields (${group.fields.slice(0, 4).join(', ')}${group.fieldCount > 4 ? ', …' : ''})`;
    return {
      kind: 'missing-plane',
      message:
        group.fieldCount === 1
          ? `${total} ${total === 1 ? 'plane is' : 'planes are'} missing ${where}: ${shown}${more}`
          : `${total} planes are missing, the same ${group.planesPerField} ${where}: ${shown}${more}`,
      files: group.names,
    };
  });
  const rest = groups.slice(MAX_GROUPS);
  if (rest.length > 0) {
    const planes = rest.reduce((sum, group) => sum + group.planesPerField * group.fieldCount, 0);
    const fieldCount = rest.reduce((sum, group) => sum + group.fieldCount, 0);
    told.push({
      kind: 'missing-plane',
      message: `${planes} more planes are missing in ${fieldCount} more fields`,
      files: [],
    });
  }
  return told;
}

/** Wells told by name. */
const MAX_WELLS = 4;

/** One warning when wells lack fields that other wells have, told by the sites they lack. */
export function missingFieldWarnings(index: PlateIndex): PlateWarning[] {
  const sitesOfWell = new Map<string, Set<number>>();
  const allSites = new Set<number>();
  for (const { row, column, site } of fields(index)) {
    const well = wellName({ row, column });
    const sites = sitesOfWell.get(well) ?? new Set<number>();
    sitesOfWell.set(well, sites.add(site));
    allSites.add(site);
  }
  const lacking: string[] = [];
  for (const [well, sites] of sitesOfWell) {
    if (sites.size === allSites.size) continue;
    const lacked = [...allSites.difference(sites)].sort((a, b) => a - b);
    lacking.push(`${well} lacks site ${ranges(lacked)}`);
  }
  if (lacking.length === 0) return [];
  const more = lacking.length > MAX_WELLS ? `; … ${lacking.length - MAX_WELLS} more wells` : '';
  return [
    {
      kind: 'missing-field',
      message: `${lacking.length} of ${sitesOfWell.size} wells have fewer fields than others: ${lacking.slice(0, MAX_WELLS).join('; ')}${more}`,
      files: [],
    },
  ];
}
