import { callControl } from '../control/control-client.ts';
import type { KeepParams, KeepResult } from '../control/documents.ts';
import { formatByteSize } from '../core/byte-size.ts';
import type { Command, CommandContext } from './command.ts';
import { exitCode } from './exit-codes.ts';
import { keepText, mountPaths } from './mount-paths.ts';

interface KeepArgs {
  readonly path: readonly string[];
}

/** What tells `pin` and `warm` apart. */
export interface KeepWords {
  readonly method: 'pin' | 'warm';
  readonly summary: string;
  readonly examples: readonly string[];
  /** `pinned`, `brought to the cold cache` */
  readonly done: string;
}

/** One large file may be decoded for this long without a word. */
const SILENCE_MS = 120_000;

function resultText({ done }: KeepWords, results: readonly KeepResult[]): string {
  const sum = (of: (result: KeepResult) => number): number =>
    results.reduce((total, result) => total + of(result), 0);
  const files = sum((result) => result.files);
  const present = sum((result) => result.present);
  const plain = sum((result) => result.plain);
  const failed = results.flatMap((result) => result.failed);
  return [
    `${files} files (${formatByteSize(sum((result) => result.sizeBytes))}) ${done}`,
    ...(present === 0 ? [] : [`${present} were there already`]),
    ...(plain === 0 ? [] : [`${plain} need it not: they are read from the source as they lie`]),
    ...failed.map(({ path, reason }) => `not done: ${path}: ${reason}`),
  ].join('\n');
}

/** A command that has mounts make files and keep them. */
export function keepCommand(words: KeepWords): Command<KeepArgs> {
  const { method, summary, examples } = words;
  return {
    usage: `${method} <path..>`,
    summary,
    examples,
    options: (yargs) =>
      yargs.positional('path', {
        type: 'string',
        array: true,
        demandOption: true,
        describe: 'files or folders of a mount',
      }),
    async run({ path }: KeepArgs, { terminal, signal }: CommandContext): Promise<number> {
      const results: KeepResult[] = [];
      for (const { mount, paths } of mountPaths(path)) {
        const params: KeepParams = { paths };
        const result = await callControl(mount.socket, method, params, {
          onProgress: (value) => terminal.progress(`${method}: ${keepText(value)}`),
          silenceMs: SILENCE_MS,
          signal,
        });
        results.push(result as KeepResult);
      }
      const failed = results.flatMap((result) => result.failed);
      terminal.result({ mounts: results }, resultText(words, results));
      return failed.length === 0 ? exitCode('ok') : exitCode('failure');
    },
  };
}
