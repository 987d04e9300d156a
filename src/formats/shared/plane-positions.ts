import type { PlateFacts } from '../../model/plate.ts';
import { regularStep } from './regular-step.ts';

/** Stage positions nearer than this are the same row or column of fields. */
const SAME_PLACE_UM = 5;
/** Points kept per axis; more say nothing new. */
const MAX_POINTS = 4096;

/** A plane's place and what is measured of it. */
interface MeasuredPlane {
  readonly row: number;
  readonly column: number;
  readonly site: number;
  readonly channel: number;
  readonly z: number;
  readonly t: number;
  readonly xUm?: number;
  readonly yUm?: number;
  readonly zUm?: number;
  readonly acquiredAtMs?: number;
}

interface Series {
  readonly key: string;
  readonly points: { at: number; value: number }[];
}

function distinct(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  let count = 0;
  let last = Number.NEGATIVE_INFINITY;
  for (const value of sorted) {
    if (value - last > SAME_PLACE_UM) count += 1;
    last = value;
  }
  return count;
}

/** Derives spacing, interval and field grid from the first stack, series and well that planes tell of. */
export class PlanePositions {
  #stack: Series | undefined;
  #series: Series | undefined;
  #well: { key: string; fields: Map<number, { xUm: number; yUm: number }> } | undefined;

  note({ row, column, site, channel, z, t, xUm, yUm, zUm, acquiredAtMs }: MeasuredPlane): void {
    if (z > 0 && zUm !== undefined && (!this.#stack || this.#stack.points.length < MAX_POINTS)) {
      const key = `${row}/${column}/${site}/${channel}/${t}`;
      this.#stack ??= { key, points: [] };
      if (this.#stack.key === key) this.#stack.points.push({ at: z, value: zUm });
    }
    if (acquiredAtMs !== undefined && (!this.#series || this.#series.points.length < MAX_POINTS)) {
      const key = `${row}/${column}/${site}/${channel}/${z}`;
      this.#series ??= { key, points: [] };
      if (this.#series.key === key) this.#series.points.push({ at: t, value: acquiredAtMs / 1e3 });
    }
    if (xUm !== undefined && yUm !== undefined) {
      const key = `${row}/${column}`;
      this.#well ??= { key, fields: new Map() };
      const { fields } = this.#well;
      if (this.#well.key === key && fields.size < MAX_POINTS && !fields.has(site))
        fields.set(site, { xUm, yUm });
    }
  }

  zSpacing(): Pick<PlateFacts, 'zSpacingUm'> {
    const step = regularStep(this.#stack?.points ?? []);
    return step === undefined ? {} : { zSpacingUm: step };
  }

  timeInterval(): Pick<PlateFacts, 'timeIntervalS'> {
    const step = regularStep(this.#series?.points ?? []);
    return step === undefined ? {} : { timeIntervalS: step };
  }

  /** Rows and columns of the first well's fields, where they fill a rectangle. */
  grid(): Pick<PlateFacts, 'grid'> {
    const fields = [...(this.#well?.fields.values() ?? [])];
    const columns = distinct(fields.map(({ xUm }) => xUm));
    const rows = distinct(fields.map(({ yUm }) => yUm));
    return fields.length > 0 && rows * columns === fields.length ? { grid: { rows, columns } } : {};
  }
}
