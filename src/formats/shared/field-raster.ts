/** A field's place, y upwards. */
export interface FieldPosition {
  /** The instrument's own number of the field. */
  readonly field: number;
  readonly xUm: number;
  readonly yUm: number;
}

/** Fields in the order in which they lie. */
export interface FieldRaster {
  /** Top row first (largest y), each row from left to right; without orphans. */
  readonly inOrder: readonly number[];
  /** Fields far from all others, by their own number. */
  readonly orphans: readonly number[];
  /** Rows and columns that the fields in order lie in. */
  readonly grid?: { readonly rows: number; readonly columns: number };
  /** How far apart two positions may be and still be the same row or column. */
  readonly toleranceUm: number;
}

/** A field farther than this many times the median distance to the nearest neighbour is an orphan. */
const ORPHAN_FACTOR = 3;
/** Orphans are told apart only among this many fields or more. */
const MIN_FIELDS = 3;
/** Share of the median distance within which coordinates are one row or one column: stages don't return exactly. */
const SAME_LINE = 0.1;
/** Fields whose neighbours are looked for; the search grows with their square. */
export const MAX_RASTER_FIELDS = 8192;

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2;
}

/** Distance of each position to the nearest other one; fields at the very same place are one. */
function nearestDistances(positions: readonly FieldPosition[]): number[] {
  return positions.map((a) => {
    let nearest = Number.POSITIVE_INFINITY;
    for (const b of positions) {
      const dx = a.xUm - b.xUm;
      const dy = a.yUm - b.yUm;
      const square = dx * dx + dy * dy;
      if (square > 0 && square < nearest) nearest = square;
    }
    return Math.sqrt(nearest);
  });
}

/** Line number of each value: lines begin with the first value and hold what lies within the tolerance behind it. */
function lines(sorted: readonly number[], tolerance: number): { numbers: number[]; count: number } {
  const numbers: number[] = [];
  let count = 0;
  let begin = Number.NaN;
  for (const value of sorted) {
    if (!(Math.abs(value - begin) <= tolerance)) {
      begin = value;
      count += 1;
    }
    numbers.push(count - 1);
  }
  return { numbers, count };
}

/**
 * Orders fields as they lie and tells orphans: fields whose nearest neighbour is more than three times as far as
 * the median, among three or more (a test field beside the plate, as OpenHCS leaves it out). `positions` holds
 * finite coordinates, each field once, at most {@link MAX_RASTER_FIELDS}.
 */
export function rasterOrder(positions: readonly FieldPosition[]): FieldRaster {
  const distances = nearestDistances(positions);
  const finite = distances.filter(Number.isFinite);
  const typical = finite.length === 0 ? 0 : median(finite);
  const isOrphan = (i: number): boolean =>
    positions.length >= MIN_FIELDS && (distances[i] ?? 0) > ORPHAN_FACTOR * typical && finite.length > 0;
  const regular = positions.filter((_, i) => !isOrphan(i));
  const orphans = positions.filter((_, i) => isOrphan(i)).map(({ field }) => field);
  const toleranceUm = typical * SAME_LINE;
  const byY = [...regular].sort((a, b) => b.yUm - a.yUm);
  const rows = lines(
    byY.map(({ yUm }) => yUm),
    toleranceUm,
  );
  const columns = lines(
    regular.map(({ xUm }) => xUm).sort((a, b) => a - b),
    toleranceUm,
  );
  const placed = byY.map((position, i) => ({ ...position, row: rows.numbers[i] ?? 0 }));
  placed.sort((a, b) => a.row - b.row || a.xUm - b.xUm || a.field - b.field);
  return {
    inOrder: placed.map(({ field }) => field),
    orphans: orphans.sort((a, b) => a - b),
    ...(regular.length > 0 ? { grid: { rows: rows.count, columns: columns.count } } : {}),
    toleranceUm,
  };
}
