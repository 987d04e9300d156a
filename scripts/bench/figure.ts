/** One row of the table: what was measured, against what in the same run, and what it should be. */
export interface Figure {
  readonly measure: string;
  readonly unit: string;
  /** Median of the rounds. */
  readonly figure: number;
  readonly best: number;
  readonly reference?: { readonly name: string; readonly figure: number; readonly best: number };
  /** Median by median; of paired rounds the median of their own ratios. */
  readonly ratio?: number;
  readonly rounds: number;
  readonly bar: string;
  /** Absent where the row has no bar of its own. */
  readonly met?: boolean;
  readonly note?: string;
}

/** A measure that could not be taken here, and why. */
export interface Skipped {
  readonly measure: string;
  readonly skipped: string;
}

export type Row = Figure | Skipped;

/** Whether more or less is better. */
export type Sense = 'more' | 'less';

const byValue = (a: number, b: number): number => a - b;

export function median(values: readonly number[]): number {
  const sorted = [...values].sort(byValue);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? upper)) / 2;
}

function best(values: readonly number[], sense: Sense): number {
  return sense === 'more' ? Math.max(...values) : Math.min(...values);
}

const round = (value: number): number => Number(value.toPrecision(4));

export interface Comparison {
  readonly measure: string;
  readonly unit: string;
  readonly sense: Sense;
  readonly ours: readonly number[];
  readonly reference?: { readonly name: string; readonly values: readonly number[] };
  /**
   * Round `i` of both was taken one right after the other: then what drifts from round to round, as a shared
   * disk does, is in neither's favour.
   */
  readonly paired?: boolean;
  readonly bar: string;
  readonly isMet?: (figure: number, ratio: number) => boolean;
  readonly note?: string;
}

/** Sums up rounds that were taken in turn. */
export function compare(comparison: Comparison): Figure {
  const { measure, unit, sense, ours, reference, bar, isMet, note } = comparison;
  const figure = median(ours);
  const ratio =
    reference &&
    (comparison.paired
      ? median(ours.map((value, round) => value / (reference.values[round] ?? Number.NaN)))
      : figure / median(reference.values));
  return {
    measure,
    unit,
    figure: round(figure),
    best: round(best(ours, sense)),
    ...(reference && {
      reference: {
        name: reference.name,
        figure: round(median(reference.values)),
        best: round(best(reference.values, sense)),
      },
    }),
    ...(ratio === undefined ? {} : { ratio: round(ratio) }),
    rounds: ours.length,
    bar,
    ...(isMet && { met: isMet(figure, ratio ?? Number.NaN) }),
    ...(note === undefined ? {} : { note }),
  };
}

/** The rows as a table to read. */
export function table(rows: readonly Row[]): string {
  const lines = [['measure', 'figure', 'best', 'reference in this run', 'ratio', 'bar', 'met']];
  for (const row of rows) {
    if ('skipped' in row) {
      lines.push([row.measure, '-', '-', '-', '-', '-', `not measured: ${row.skipped}`]);
      continue;
    }
    const { reference, unit, ratio, met } = row;
    lines.push([
      row.measure,
      `${row.figure} ${unit}`,
      String(row.best),
      reference ? `${reference.figure} ${unit} (${reference.name})` : '',
      ratio === undefined ? '' : String(ratio),
      row.bar,
      met === undefined ? '' : met ? 'yes' : 'NO',
    ]);
  }
  const widths = (lines[0] ?? []).map((_, column) =>
    Math.max(...lines.map((line) => (column === line.length - 1 ? 0 : (line[column]?.length ?? 0)))),
  );
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
