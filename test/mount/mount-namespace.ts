import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from './harness.ts';

/**
 * A mount namespace of its own, in which a shell script has run, kept by a process that sleeps in it and that the caller
 * ends. `$T` is the folder. @throws when it can't be made.
 */
export async function makeNamespace(folder: string, script: string): Promise<ChildProcess> {
  const marker = join(folder, 'namespace-ready');
  const child = spawn(
    'unshare',
    ['-m', 'sh', '-ec', `${script}\n: > "$T/namespace-ready"; exec sleep 3600`],
    { stdio: ['ignore', 'inherit', 'inherit'], env: { ...process.env, T: folder } },
  );
  await eventually('the namespace is there', () => {
    if (child.exitCode !== null) throw new Error('the namespace could not be made');
    return existsSync(marker);
  });
  return child;
}
