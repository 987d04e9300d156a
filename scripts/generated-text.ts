import { existsSync, readFileSync, writeFileSync } from 'node:fs';

/** Writes a generated file; with `--check` on the command line only compares, and fails when it differs. */
export function settle(path: string, text: string): void {
  const current = existsSync(path) ? readFileSync(path, 'utf8') : undefined;
  if (current === text) return;
  if (process.argv.includes('--check')) {
    console.error(`${path} is out of date: run 'npm run generate'`);
    process.exitCode = 1;
  } else writeFileSync(path, text);
}
