/** A table that is written row by row when it is read; it never exists as a whole. */
export interface PlateTable {
  readonly fileName: string;
  /** The first line, with its end. */
  readonly header: string;
  readonly rowCount: number;
  /** A row as a line, with its end. */
  row(position: number): string;
}

const QUOTED = /[",\r\n]/;

/** A cell of a CSV file (RFC 4180, section 2); what is not known is empty. */
export function cell(value: string | number | undefined): string {
  if (value === undefined || Number.isNaN(value)) return '';
  if (typeof value === 'number') return String(value);
  return QUOTED.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
}

/** A line of a CSV file. Lines end as on Unix: shell scripts read them too. */
export const line = (cells: readonly (string | number | undefined)[]): string =>
  `${cells.map(cell).join(',')}\n`;
