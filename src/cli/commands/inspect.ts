import { openPlate } from '../../tree/open-plate.ts';
import type { Command, CommandContext } from '../command.ts';
import { exitCode } from '../exit-codes.ts';
import { inspectReport, inspectText } from '../inspect-report.ts';
import { checkSource } from '../mount-plan.ts';

interface InspectArgs {
  readonly plate: string;
}

async function run({ plate }: InspectArgs, { terminal, signal }: CommandContext): Promise<number> {
  const source = checkSource(plate);
  terminal.progress(`looking at ${source}`);
  const { index } = await openPlate(source, {
    signal,
    onProgress: ({ files, directories }) => terminal.progress(`${files} files in ${directories} folders`),
  });
  terminal.result(inspectReport(index), inspectText(index));
  return exitCode('ok');
}

export const inspect: Command<InspectArgs> = {
  usage: 'inspect <plate>',
  summary: 'Tell what would be shown and what is wrong with it, without mounting',
  examples: ['inspect /data/plate1'],
  options: (yargs) =>
    yargs.positional('plate', { type: 'string', demandOption: true, describe: 'plate folder' }),
  run,
};
