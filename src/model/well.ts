/** Rows of the largest plate (1536 wells): A … AF. */
export const MAX_WELL_ROWS = 32;
/** Columns of the largest plate (1536 wells). */
export const MAX_WELL_COLUMNS = 48;

/** A well's place, counting from 0. */
export interface WellPosition {
  readonly row: number;
  readonly column: number;
}

/** Row letters: 0 → A, 25 → Z, 26 → AA, 31 → AF. */
export function rowLetters(row: number): string {
  let letters = '';
  for (let rest = row + 1; rest > 0; rest = Math.floor((rest - 1) / 26)) {
    letters = String.fromCharCode(65 + ((rest - 1) % 26)) + letters;
  }
  return letters;
}

/** The well's name as PlateFS writes it: `A01`, `AF48`. */
export function wellName({ row, column }: WellPosition): string {
  return `${rowLetters(row)}${String(column + 1).padStart(2, '0')}`;
}

/**
 * Reads `A1`, `A01`, `a01`, `AF48`, `R01C01`, `C - 3`, `B/2`; undefined when it is no well of a plate up to
 * 1536 wells.
 */
export function parseWellName(text: string): WellPosition | undefined {
  const numeric = /^r(\d{1,2})c(\d{1,2})$/i.exec(text);
  const lettered = /^([a-z]{1,2})(?:\s*[-/]\s*)?0*(\d{1,2})$/i.exec(text);
  let row = -1;
  let column = -1;
  if (numeric) {
    row = Number(numeric[1]) - 1;
    column = Number(numeric[2]) - 1;
  } else if (lettered) {
    row = 0;
    for (const letter of (lettered[1] ?? '').toUpperCase()) row = row * 26 + letter.charCodeAt(0) - 64;
    row -= 1;
    column = Number(lettered[2]) - 1;
  }
  return row >= 0 && row < MAX_WELL_ROWS && column >= 0 && column < MAX_WELL_COLUMNS
    ? { row, column }
    : undefined;
}
