import { writeSync } from 'node:fs';

const STDERR = 2;

/** Writes a line to the log. A log that can't be written, its disk being full, is no reason to stop serving. */
export function logLine(text: string): void {
  try {
    writeSync(STDERR, `${text}\n`);
  } catch {
    // There is nowhere left to say it.
  }
}

/** Writes a line to the log, with the time before it. */
export function logEvent(message: string): void {
  logLine(`${new Date().toISOString()} ${message}`);
}

/** Keeps what threads and libraries print from ending the process when it can't be written. */
export function tolerateFullLog(): void {
  process.stdout.on('error', () => undefined);
  process.stderr.on('error', () => undefined);
}
