/** Tables written as text: RFC 4180 with commas, tabs or semicolons. Pure. */

/** Cells as they are written, without their quotes. */
export interface TextTable {
  readonly names: readonly string[];
  /** As many as names, each as long as there are rows. */
  readonly columns: readonly (readonly string[])[];
}

const TABLE_NAME = /\.(csv|tsv)$/i;

/** Whether a file may be a table, by its name. */
export const isTableName = (mountPath: string): boolean => TABLE_NAME.test(mountPath);

const QUOTE = '"';
const NUMBER = /^\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\s*$/;

/** Of names without a header there is no telling: programs of some countries write semicolons into `.csv`. */
function delimiterOf(text: string, mountPath: string): string {
  if (/\.tsv$/i.test(mountPath)) return '\t';
  const header = text.slice(0, text.search(/[\r\n]|$/));
  return header.includes(';') && !header.includes(',') ? ';' : ',';
}

/** The rows of a text, one after another; a quote that is not closed ends with it. */
function* rowsOf(text: string, delimiter: string): Generator<string[]> {
  let row: string[] = [];
  const ends = delimiter === '\t' ? /[\t\r\n]/g : delimiter === ';' ? /[;\r\n]/g : /[,\r\n]/g;
  for (let at = 0; at <= text.length; ) {
    let cell: string;
    if (text[at] === QUOTE) {
      const parts: string[] = [];
      let from = at + 1;
      for (;;) {
        const end = text.indexOf(QUOTE, from);
        parts.push(text.slice(from, end < 0 ? text.length : end));
        from = end < 0 ? text.length : end + 1;
        if (end < 0 || text[from] !== QUOTE) break;
        parts.push(QUOTE);
        from++;
      }
      cell = parts.join('');
      at = from;
    } else cell = '';
    ends.lastIndex = at;
    const end = ends.exec(text)?.index ?? text.length;
    row.push(cell + text.slice(at, end));
    if (text[end] === delimiter) {
      at = end + 1;
      continue;
    }
    yield row;
    row = [];
    at = end + (text[end] === '\r' && text[end + 1] === '\n' ? 2 : 1);
    // What follows the last line's end is no line.
    if (at >= text.length) return;
  }
}

/** Reads a table with a header, or says why the text is none. */
export function readTextTable(text: string, mountPath: string): TextTable | string {
  if (text.length === 0) return 'it is empty';
  if (text.includes('\0')) return 'it is no text';
  const rows = rowsOf(text, delimiterOf(text, mountPath));
  const names: string[] = rows.next().value ?? [];
  if (names.every((name) => NUMBER.test(name))) return 'its first line is no header';
  const twice = names.find((name, index) => name !== '' && names.indexOf(name) < index);
  if (twice !== undefined) return `two of its columns are named ${JSON.stringify(twice)}`;
  const columns = names.map((): string[] => []);
  let count = 0;
  for (const row of rows) {
    count++;
    if (row.length !== names.length)
      return `row ${count} has ${row.length} cells where its header has ${names.length}`;
    for (const [index, cell] of row.entries()) columns[index]?.push(cell);
  }
  return count === 0 ? 'it has a header and no row' : { names, columns };
}
