import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

/** Runs a script of this folder and gives what it prints last, parsed. @throws when it fails. */
export function runScript(name: string, args: readonly string[]): unknown {
  const run = spawnSync(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', join(import.meta.dirname, name), ...args],
    { encoding: 'utf8', maxBuffer: 1 << 26 },
  );
  if (run.status !== 0) throw new Error(`${name} ${args.slice(0, 3).join(' ')} failed: ${run.stderr}`);
  return JSON.parse(run.stdout.trim().split('\n').at(-1) ?? '');
}

/** Seconds of each pass of the client ({@link file://./file-client.ts}). */
export function timeClient(...args: readonly (string | number)[]): number[] {
  return runScript('file-client.ts', args.map(String)) as number[];
}

/** Wall time of a program that runs to its end. @throws when it fails. */
export function timeProgram(program: string, args: readonly string[]): number {
  const startMs = performance.now();
  const run = spawnSync(program, args, { stdio: ['ignore', 'ignore', 'pipe'], encoding: 'utf8' });
  const seconds = (performance.now() - startMs) / 1000;
  if (run.status !== 0) throw new Error(`${program} ${args.join(' ')} failed: ${run.stderr}`);
  return seconds;
}

export interface IndexRun {
  readonly seconds: number;
  readonly cpuSeconds: number;
}

/** Indexes a plate in a process of its own. @throws when it fails, or finds another number of planes. */
export function timeIndexing(root: string, planes: number): IndexRun {
  const run = runScript('index-once.ts', [root]) as IndexRun & { readonly planes: number };
  if (run.planes !== planes) throw new Error(`${root} has ${planes} planes, and ${run.planes} were found`);
  return run;
}
