import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** What a command printed and how it ended. */
export interface Outcome {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Lines of a command's output that the demo shows before it cuts. */
const SHOWN_LINES = 12;

export function hasProgram(name: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Runs a program to its end, in a process group of its own, so that Ctrl-C reaches only the demo. */
export function run(program: string, args: readonly string[], limitMs = 60_000): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk) => (stdout += chunk));
    child.stderr.on('data', (chunk) => (stderr += chunk));
    const timer = setTimeout(() => child.kill('SIGKILL'), limitMs);
    child.once('error', reject);
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      if (signal !== null) stderr += `\nended by ${signal} after ${limitMs / 1000} s at most`;
      resolve({ status: code ?? 1, stdout, stderr });
    });
  });
}

export function heading(text: string): void {
  console.log(`\n\x1b[1m${text}\x1b[0m`);
}

export function show(text: string, lines = SHOWN_LINES): void {
  const all = text.trimEnd().split('\n');
  for (const line of all.slice(0, lines)) console.log(`  ${line}`);
  if (all.length > lines) console.log(`  … ${all.length - lines} more`);
}

const quoted = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;

/** Shows a command and what it prints. @throws Error when it fails. */
export async function demonstrate(
  program: string,
  args: readonly string[],
  lines = SHOWN_LINES,
): Promise<string> {
  console.log(`  $ ${[program, ...args].map(quoted).join(' ')}`);
  const { status, stdout, stderr } = await run(program, args);
  if (status !== 0)
    throw new Error(`${program} failed (status ${status}): ${stderr.trim() || stdout.trim()}`);
  if (stdout !== '') show(stdout, lines);
  return stdout;
}

/** Rewrites one line while something goes on; on a pipe, prints it once. */
export class ProgressLine {
  #shown = '';

  update(text: string): void {
    if (text === this.#shown) return;
    if (process.stdout.isTTY) process.stdout.write(`\r\x1b[2K  ${text}`);
    else if (this.#shown === '') console.log(`  ${text}`);
    this.#shown = text;
  }

  end(): void {
    if (process.stdout.isTTY && this.#shown !== '') process.stdout.write('\r\x1b[2K');
    this.#shown = '';
  }
}
