import { errorDocument } from '../control/protocol.ts';
import { explain } from '../core/errors.ts';

/** Where a command writes; process.stdout and process.stderr in the program. */
export interface TextSink {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

export interface TerminalOptions {
  readonly json: boolean;
  readonly out?: TextSink;
  readonly err?: TextSink;
}

/** Work shorter than this shows no progress. */
const QUIET_MS = 1000;
/** A terminal's line is rewritten at most this often; a log gets a line at most every 5 s. */
const REWRITE_MS = 100;
const LOG_MS = 5000;

/**
 * All that a command says. Human: text on stdout, progress and errors on stderr. JSON: exactly one document
 * on stdout and nothing else.
 */
export class Terminal {
  readonly json: boolean;
  readonly #out: TextSink;
  readonly #err: TextSink;
  readonly #startedMs = performance.now();
  #shownMs = Number.NEGATIVE_INFINITY;
  #hasLine = false;

  constructor({ json, out = process.stdout, err = process.stderr }: TerminalOptions) {
    this.json = json;
    this.#out = out;
    this.#err = err;
  }

  /** The command's result: `document` for programs, `text` for people. Called once. */
  result(document: unknown, text: string): void {
    this.#clearLine();
    this.#out.write(this.json ? `${JSON.stringify(document, null, 2)}\n` : text === '' ? '' : `${text}\n`);
  }

  /** A remark that is no result: on stderr, and not with --json. */
  note(text: string): void {
    if (this.json) return;
    this.#clearLine();
    this.#err.write(`platefs: ${text}\n`);
  }

  error(error: unknown): void {
    this.#clearLine();
    if (this.json) this.#out.write(`${JSON.stringify({ error: errorDocument(error) }, null, 2)}\n`);
    else this.#err.write(`platefs: ${explain(error)}\n`);
  }

  /** What is being done now; shown after a second, and not too often. */
  progress(text: string): void {
    if (this.json) return;
    const nowMs = performance.now();
    const everyMs = this.#err.isTTY ? REWRITE_MS : LOG_MS;
    if (nowMs - this.#startedMs < QUIET_MS || nowMs - this.#shownMs < everyMs) return;
    this.#shownMs = nowMs;
    if (this.#err.isTTY) {
      const width = (this.#err.columns ?? 80) - 1;
      this.#err.write(`\r\x1b[2K${text.length > width ? `${text.slice(0, width - 1)}…` : text}`);
      this.#hasLine = true;
    } else this.#err.write(`${text}\n`);
  }

  #clearLine(): void {
    if (this.#hasLine) this.#err.write('\r\x1b[2K');
    this.#hasLine = false;
  }
}
