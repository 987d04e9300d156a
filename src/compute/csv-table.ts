import type { Table } from '../hooks.ts';

const quoted = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

/**
 * A table as CSV (RFC 4180): a header line, CRLF after every line, numbers in the shortest form that reads back
 * as the same float64, whole numbers without decimals; `NaN` where there is no number.
 */
export function renderCsv({ columns }: Table): string {
  const lines = [columns.map(({ name }) => quoted(name)).join(',')];
  const rowCount = columns[0]?.values.length ?? 0;
  for (let row = 0; row < rowCount; row++) {
    lines.push(columns.map(({ values }) => String(values[row])).join(','));
  }
  return `${lines.join('\r\n')}\r\n`;
}
