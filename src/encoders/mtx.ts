import type { Dtype } from '../core/nd-array.ts';
import type { SparseEncoder, SparseMatrix } from '../encoders.ts';
import type { SparseEntries } from '../sources.ts';
import { NUMBER_WIDTHS, numberText } from './shared/number-text.ts';

const BLANK = 0x20;
const LINE_FEED = 0x0a;
const ZERO = 0x30;

/** What readers call the values; `unsigned-integer` is scipy's word, for what overflows its `integer`. */
function fieldOf(dtype: Dtype): string {
  if (dtype === 'uint64') return 'unsigned-integer';
  return dtype.startsWith('float') ? 'real' : 'integer';
}

function widthsOf({ shape, dtype }: SparseMatrix): { row: number; column: number; value: number } {
  const [rows, columns] = shape;
  return { row: String(rows).length, column: String(columns).length, value: NUMBER_WIDTHS[dtype] };
}

/** Writes a whole number that ends before `end`. @returns where it begins. */
function writeWhole(target: Uint8Array, value: number, end: number): number {
  let at = end;
  let rest = value;
  do {
    at -= 1;
    target[at] = ZERO + (rest % 10);
    rest = Math.floor(rest / 10);
  } while (rest > 0);
  return at;
}

/**
 * Matrix Market coordinate format (R. Boisvert, R. Pozo, K. Remington, "The Matrix Market Exchange Formats: Initial
 * Design", NISTIR 5935, 1996): row, column and value of every stored entry, counted from 1. Blanks stand before columns and
 * values, so that every line is of one length; a row number has its blanks behind it, for the sake of readers that
 * want a line to begin with a digit. An entry that is stored twice is listed twice: readers add them up, as those of
 * the source do.
 */
const mtx: SparseEncoder = {
  id: 'mtx',
  extension: '.mtx',

  header(matrix: SparseMatrix): Uint8Array {
    const [rows, columns] = matrix.shape;
    const banner = `%%MatrixMarket matrix coordinate ${fieldOf(matrix.dtype)} general`;
    return Buffer.from(`${banner}\n${rows} ${columns} ${matrix.entryCount}\n`);
  },

  entryBytes(matrix: SparseMatrix): number {
    const { row, column, value } = widthsOf(matrix);
    return row + 1 + column + 1 + value + 1;
  },

  lines(matrix: SparseMatrix, { rows, columns, values }: SparseEntries): Uint8Array {
    const { row: rowWidth, column: columnWidth } = widthsOf(matrix);
    const lineBytes = mtx.entryBytes(matrix);
    const [rowCount, columnCount] = matrix.shape;
    const text = Buffer.alloc(rows.length * lineBytes, BLANK);
    for (let entry = 0; entry < rows.length; entry += 1) {
      const row = rows[entry] ?? -1;
      const column = columns[entry] ?? -1;
      const value = values[entry];
      const isInside = row >= 0 && row < rowCount && column >= 0 && column < columnCount;
      if (!isInside || value === undefined)
        throw new RangeError(`entry (${row}, ${column}) is not inside a matrix of [${matrix.shape}]`);
      const start = entry * lineBytes;
      const end = start + lineBytes - 1;
      writeWhole(text, row + 1, start + String(row + 1).length);
      writeWhole(text, column + 1, start + rowWidth + 1 + columnWidth);
      const number = numberText(value, matrix.dtype);
      text.write(number, end - number.length, 'latin1');
      text[end] = LINE_FEED;
    }
    return text;
  },
};

export default mtx;
