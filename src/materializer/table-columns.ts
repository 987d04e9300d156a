import type { TextTable } from './table-text.ts';

/** A column whose numbers are all exactly known, or what is written in it. */
export type TableColumn =
  | { readonly kind: 'number'; readonly name: string; readonly values: Float64Array }
  | { readonly kind: 'text'; readonly name: string; readonly values: readonly string[] };

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;
const INFINITY = /^([+-]?)inf(?:inity)?$/i;
/** As pandas, numpy and R write that there is no number. */
const MISSING = /^(?:|nan|NA)$/i;
/** Any decimal of so many digits is a float64 of its own. */
const SAFE_DIGITS = 15;
const MAX_DIGITS = 100;

/** Digits of a decimal text without leading and trailing zeros. */
const significant = (mantissa: string): string =>
  mantissa.replace('.', '').replace(/^0+/, '').replace(/0+$/, '');

/**
 * The number that a text stands for, undefined where it stands for none or a float64 can't tell it from its neighbours:
 * whole numbers that it lacks above 2^53, and more digits than it has. `007` is a name, not 7.
 */
export function exactNumber(text: string): number | undefined {
  const infinite = INFINITY.exec(text);
  if (infinite) return infinite[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  const mantissa = NUMBER.exec(text)?.[1];
  if (mantissa === undefined || /^0\d/.test(mantissa)) return undefined;
  const number = Number(text);
  if (!Number.isFinite(number)) return undefined;
  const digits = significant(mantissa);
  if (digits === '') return number;
  if (number === 0 || digits.length > MAX_DIGITS) return undefined;
  if (digits.length <= SAFE_DIGITS) return number;
  const back = significant(
    Math.abs(number)
      .toExponential(digits.length - 1)
      .replace(/e.*$/, ''),
  );
  return back === digits ? number : undefined;
}

/** Pure: a column is of numbers when all that is written in it are; an empty cell, `NaN` and `NA` are NaN then. */
export function typedColumn(name: string, cells: readonly string[]): TableColumn {
  const values = new Float64Array(cells.length);
  let numbers = 0;
  for (const [row, cell] of cells.entries()) {
    const text = cell.trim();
    if (MISSING.test(text)) {
      values[row] = Number.NaN;
      continue;
    }
    const number = exactNumber(text);
    if (number === undefined) return { kind: 'text', name, values: cells };
    values[row] = number;
    numbers++;
  }
  return numbers > 0 ? { kind: 'number', name, values } : { kind: 'text', name, values: cells };
}

/** Pure: the columns of a table; one without a name, as pandas writes its index, is named by its number. */
export function typedColumns({ names, columns }: TextTable): TableColumn[] {
  const free = (name: string): string => (names.includes(name) ? free(`${name}_`) : name);
  return columns.map((cells, index) => {
    const name = names[index] ?? '';
    return typedColumn(name === '' ? free(`column_${index + 1}`) : name, cells);
  });
}
