import { callControl } from '../../control/control-client.ts';
import type { LandingResult } from '../../control/documents.ts';
import { formatByteSize } from '../../core/byte-size.ts';
import type { Command, CommandContext } from '../command.ts';
import { exitCode } from '../exit-codes.ts';
import { landingText, runningMount } from '../running-mount.ts';

interface FlushArgs {
  readonly mountpoint: string;
}

/** A daemon that lands a large file may say nothing for this long. */
const FLUSH_SILENCE_MS = 120_000;

async function run({ mountpoint }: FlushArgs, { terminal, signal }: CommandContext): Promise<number> {
  const entry = runningMount(mountpoint);
  const result = (await callControl(
    entry.socket,
    'flush',
    {},
    {
      onProgress: (value) => terminal.progress(`landing: ${landingText(value)}`),
      silenceMs: FLUSH_SILENCE_MS,
      signal,
    },
  )) as LandingResult;
  const { files, sizeBytes, kept } = result;
  const landed =
    files === 0
      ? 'Nothing had to land'
      : `${files} files (${formatByteSize(sizeBytes)}) landed in ${entry.output}`;
  const left = kept.map((file) => `\n  not landed: ${file.path}: ${file.reason}`).join('');
  terminal.result({ mountpoint: entry.mountpoint, output: entry.output, ...result }, landed + left);
  return kept.length === 0 ? exitCode('ok') : exitCode('kept');
}

export const flush: Command<FlushArgs> = {
  usage: 'flush <mountpoint>',
  summary: 'Write every closed file to the output folder now',
  examples: ['flush /mnt/plate1'],
  options: (yargs) =>
    yargs.positional('mountpoint', {
      type: 'string',
      demandOption: true,
      describe: 'where the plate is mounted',
    }),
  run,
};
