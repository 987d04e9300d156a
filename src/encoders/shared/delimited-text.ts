import type { NumberWidth, TableEncoder } from '../../encoders.ts';
import type { TableColumn, TableRows } from '../../sources.ts';
import { NUMBER_WIDTHS, numberText } from './number-text.ts';

const BOOLEAN_WIDTH = 'False'.length;

type Cell = TableRows['columns'][number][number];

const widthOf = ({ type }: TableColumn): number => {
  if (type === 'text') return 0;
  return type === 'boolean' ? BOOLEAN_WIDTH : NUMBER_WIDTHS[type];
};

/** A cell that is no text. A missing one is empty. */
function plainCell(value: Cell, { type }: TableColumn): string {
  if (value === undefined) return '';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'string') return value;
  return type === 'text' || type === 'boolean' ? String(value) : numberText(value, type);
}

/**
 * Lines of cells with one character between them, quoted as RFC 4180 (section 2) says; also cells that begin or end
 * with a blank, which some readers would cut. Lines end with a line feed.
 *
 * In padded lines blanks stand before finite numbers: pandas, numpy, R and Python take those. They don't take blanks
 * around `NaN`, `inf`, `True` and nothing, so such a cell has none, and as many empty lines follow its row, which
 * readers skip.
 */
export function delimitedText(id: string, extension: string, delimiter: ',' | '\t'): TableEncoder {
  const special = new RegExp(`["\r\n${delimiter}]|^ | $`);
  const quoted = (text: string): string =>
    text === '' || special.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  const textCell = (value: Cell): string => (value === undefined ? '' : quoted(String(value)));

  const line = (
    columns: readonly TableColumn[],
    rows: TableRows,
    row: number,
    width: NumberWidth,
  ): string => {
    let text = '';
    let left = 0;
    for (const [at, column] of columns.entries()) {
      if (at > 0) text += delimiter;
      const value = rows.columns[at]?.[row];
      if (column.type === 'text') {
        text += textCell(value);
        continue;
      }
      const cell = plainCell(value, column);
      if (width === 'exact') text += cell;
      else if (typeof value === 'bigint' || Number.isFinite(value)) text += cell.padStart(widthOf(column));
      else {
        text += cell;
        left += widthOf(column) - cell.length;
      }
    }
    // A line of one empty cell would be no row.
    if (text === '') text = width === 'exact' || left === 0 ? '""' : text;
    return `${text}\n${'\n'.repeat(left)}`;
  };

  return {
    id,
    extension,

    header(columns: readonly TableColumn[]): Uint8Array {
      return Buffer.from(`${columns.map(({ name }) => quoted(name)).join(delimiter)}\n`);
    },

    lines(columns: readonly TableColumn[], rows: TableRows, width: NumberWidth): Uint8Array {
      if (rows.columns.length !== columns.length)
        throw new RangeError(`${columns.length} columns are wanted, ${rows.columns.length} are there`);
      const count = rows.columns[0]?.length ?? 0;
      if (rows.columns.some(({ length }) => length !== count))
        throw new RangeError('the columns are not of the same length');
      let text = '';
      for (let row = 0; row < count; row += 1) text += line(columns, rows, row, width);
      return Buffer.from(text);
    },

    paddedBytes(columns: readonly TableColumn[]): number {
      const delimiters = Math.max(0, columns.length - 1);
      return columns.reduce((sum, column) => sum + widthOf(column), delimiters + '\n'.length);
    },

    textBytes(text: string | undefined): number {
      return Buffer.byteLength(textCell(text));
    },
  };
}
