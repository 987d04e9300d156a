import type { PlateIndex } from './plate-index.ts';

/** What a plate has along its axes, each sorted. */
export interface PlateAxes {
  /** Every channel number. */
  readonly channels: readonly number[];
  /** z positions without projections (z ≥ 1). */
  readonly zs: readonly number[];
  readonly ts: readonly number[];
  /** Channels that have a plane at z ≥ 1. */
  readonly stackChannels: readonly number[];
  /** Channels that have a projection (z 0). */
  readonly projectionChannels: readonly number[];
}

const ascending = (values: Set<number>): number[] => [...values].sort((a, b) => a - b);

/** The plate-level axes: one pass over the planes. */
export function plateAxes(index: PlateIndex): PlateAxes {
  const { count, channels, zs, ts } = index.planes;
  const sets = {
    zs: new Set<number>(),
    ts: new Set<number>(),
    stack: new Set<number>(),
    projection: new Set<number>(),
  };
  let previousZ = -1;
  let previousT = -1;
  let previousChannel = -1;
  for (let i = 0; i < count; i += 1) {
    const channel = channels[i] ?? 0;
    const z = zs[i] ?? 0;
    const t = ts[i] ?? 0;
    if (z !== previousZ || channel !== previousChannel) {
      (z === 0 ? sets.projection : sets.stack).add(channel);
      if (z > 0) sets.zs.add(z);
    }
    if (t !== previousT) sets.ts.add(t);
    previousZ = z;
    previousT = t;
    previousChannel = channel;
  }
  return {
    channels: ascending(new Set([...sets.stack, ...sets.projection])),
    zs: ascending(sets.zs),
    ts: ascending(sets.ts),
    stackChannels: ascending(sets.stack),
    projectionChannels: ascending(sets.projection),
  };
}

/** True where plane `i` is the first of its field. */
function startsField(planes: PlateIndex['planes'], i: number): boolean {
  return (
    i === 0 ||
    planes.sites[i] !== planes.sites[i - 1] ||
    planes.columns[i] !== planes.columns[i - 1] ||
    planes.rows[i] !== planes.rows[i - 1]
  );
}

/**
 * Where each field (well + site) begins among the planes, in natural order, and behind the last the number of
 * planes: field `f` is the planes `starts[f] … starts[f + 1]`.
 */
export function fieldStarts(index: PlateIndex): Uint32Array {
  const { planes } = index;
  let fields = 0;
  for (let i = 0; i < planes.count; i += 1) if (startsField(planes, i)) fields += 1;
  const starts = new Uint32Array(fields + 1);
  let field = 0;
  for (let i = 0; i < planes.count; i += 1) {
    if (!startsField(planes, i)) continue;
    starts[field] = i;
    field += 1;
  }
  starts[fields] = planes.count;
  return starts;
}

/** A field of view: a well's site and the range of its planes. */
export interface Field {
  readonly row: number;
  readonly column: number;
  readonly site: number;
  readonly firstPlane: number;
  readonly endPlane: number;
}

/** Every field in natural order. */
export function* fields(index: PlateIndex): Generator<Field> {
  const { planes } = index;
  const starts = fieldStarts(index);
  for (let i = 0; i + 1 < starts.length; i += 1) {
    const firstPlane = starts[i] ?? 0;
    yield {
      row: planes.rows[firstPlane] ?? 0,
      column: planes.columns[firstPlane] ?? 0,
      site: planes.sites[firstPlane] ?? 0,
      firstPlane,
      endPlane: starts[i + 1] ?? 0,
    };
  }
}
