import { logEvent } from './log.ts';

const MAX_RUNTIME_WARNINGS = 1000;

/** What goes wrong while a mount is served: written to the log, counted, and the latest kept for documents. */
export class RuntimeWarnings {
  readonly #kept: { atMs: number; kind: string; message: string }[] = [];
  #failures = 0;

  /** Warnings kept. */
  get count(): number {
    return this.#kept.length;
  }

  /** Requests that failed, kept or not. */
  get failures(): number {
    return this.#failures;
  }

  /** `kind` says what was at work: `landing`, `hook`, `lost`, `failed`. */
  warn(kind: string, message: string): void {
    logEvent(message);
    this.#kept.push({ atMs: Date.now(), kind, message });
    if (this.#kept.length > MAX_RUNTIME_WARNINGS) this.#kept.shift();
  }

  /** A request failed. */
  fail(message: string): void {
    this.#failures++;
    this.warn('failed', message);
  }

  /** The warnings kept, oldest first, as the warnings document shows them. */
  list(): { kind: string; message: string; files: readonly string[]; at: string }[] {
    return this.#kept.map(({ atMs, kind, message }) => ({
      kind,
      message,
      files: [],
      at: new Date(atMs).toISOString(),
    }));
  }
}
