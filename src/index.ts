import { readFileSync } from 'node:fs';
import { abandonEarly, startEarly } from './cli/early-supervisor.ts';

startEarly(process.argv.slice(2));
const { runCommandLine } = await import('./cli/command-line.ts');
const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};
const interrupt = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => interrupt.abort());
// A reader such as `head` that has seen enough is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});
process.exitCode = await runCommandLine(process.argv.slice(2), { version, signal: interrupt.signal });
abandonEarly();
