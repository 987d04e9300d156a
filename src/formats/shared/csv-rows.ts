import { BadMetadataError } from '../../core/errors.ts';
import { metadataChunks } from './metadata-file.ts';

const MAX_BYTES = 4 * 1024 ** 3;
const MAX_FIELD_CHARACTERS = 64 << 10;
const MAX_COLUMNS = 1024;
const QUOTE = 0x22;
const COMMA = 0x2c;
const CR = 0x0d;
const LF = 0x0a;

/**
 * Splits CSV text as RFC 4180 has it, chunk by chunk: fields may be quoted, a quoted field may hold commas, line
 * ends and doubled quotes. Text behind a closing quote is kept as written. Empty lines are no rows.
 */
export class CsvScanner {
  /** Line the scanner is in, from 1. */
  line = 1;
  readonly #row: (fields: readonly string[], line: number) => void;
  readonly #path: string;
  #fields: string[] = [];
  #field = '';
  #state: 'plain' | 'quoted' | 'quote-in-quoted' = 'plain';
  #rowLine = 1;
  #afterReturn = false;

  /** `path` is for messages; `row` is told each row and the line it begins in. */
  constructor(path: string, row: (fields: readonly string[], line: number) => void) {
    this.#path = path;
    this.#row = row;
  }

  /** @throws BadMetadataError for a field or row of absurd length. */
  write(text: string): void {
    let from = 0;
    for (let i = 0; i < text.length; i += 1) {
      const code = text.charCodeAt(i);
      if (code !== QUOTE && code !== COMMA && code !== CR && code !== LF) {
        if (this.#state === 'quote-in-quoted') this.#state = 'plain';
        this.#afterReturn = false;
        continue;
      }
      if (i > from) this.#append(text.slice(from, i));
      from = i + 1;
      this.#mark(code);
    }
    if (from < text.length) this.#append(text.slice(from));
  }

  /** Says that the file is complete. @throws BadMetadataError when it ends inside quotes. */
  end(): void {
    if (this.#state === 'quoted')
      throw new BadMetadataError(this.#path, `line ${this.#rowLine}: ends inside quotes, it is cut short`, {
        advice: 'export or copy the plate again',
      });
    this.#endRow();
  }

  #mark(code: number): void {
    const afterReturn = this.#afterReturn;
    this.#afterReturn = false;
    if (code === QUOTE) {
      if (this.#state === 'quoted') this.#state = 'quote-in-quoted';
      else if (this.#state === 'quote-in-quoted') {
        this.#append('"');
        this.#state = 'quoted';
      } else if (this.#field === '') this.#state = 'quoted';
      else this.#append('"');
      return;
    }
    const lineEnds = code === CR || (code === LF && !afterReturn);
    if (lineEnds) this.line += 1;
    if (this.#state === 'quoted') {
      this.#afterReturn = code === CR;
      this.#append(String.fromCharCode(code));
      return;
    }
    this.#state = 'plain';
    if (code === COMMA) this.#endField();
    else {
      this.#afterReturn = code === CR;
      if (lineEnds) this.#endRow();
      this.#rowLine = this.line;
    }
  }

  #append(text: string): void {
    if (this.#field.length + text.length > MAX_FIELD_CHARACTERS)
      throw new BadMetadataError(
        this.#path,
        `line ${this.#rowLine}: has a field of more than ${MAX_FIELD_CHARACTERS} characters`,
      );
    this.#field = this.#field === '' ? text : this.#field + text;
  }

  #endField(): void {
    if (this.#fields.length >= MAX_COLUMNS)
      throw new BadMetadataError(this.#path, `line ${this.#rowLine}: has more than ${MAX_COLUMNS} fields`);
    this.#fields.push(this.#field);
    this.#field = '';
  }

  #endRow(): void {
    if (this.#fields.length === 0 && this.#field === '') return;
    this.#endField();
    const fields = this.#fields;
    this.#fields = [];
    this.#row(fields, this.#rowLine);
  }
}

/** A row by its columns' names; '' for what it lacks. */
export type CsvRow = (column: string) => string;

/**
 * Reads a CSV file with a heading, row by row; memory doesn't grow with the file. Values are trimmed.
 * @throws BadMetadataError that names the line, UnreadableSourceError, CancelledError
 */
export async function scanCsvFile(
  path: string,
  row: (row: CsvRow, line: number) => void,
  signal: AbortSignal,
): Promise<void> {
  let columns: Map<string, number> | undefined;
  let current: readonly string[] = [];
  const value: CsvRow = (column) => (current[columns?.get(column) ?? -1] ?? '').trim();
  const scanner = new CsvScanner(path, (fields, line) => {
    if (!columns) {
      columns = new Map();
      for (const [i, name] of fields.entries()) if (!columns.has(name.trim())) columns.set(name.trim(), i);
      return;
    }
    current = fields;
    row(value, line);
  });
  const decoder = new TextDecoder();
  for await (const chunk of metadataChunks(path, MAX_BYTES, signal))
    scanner.write(decoder.decode(chunk, { stream: true }));
  scanner.write(decoder.decode());
  scanner.end();
}
