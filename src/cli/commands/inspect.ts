import { loadById } from '../../core/plugin.ts';
import { FORMATS } from '../../registry.generated.ts';
import type { Command, CommandContext } from '../command.ts';
import { exitCode } from '../exit-codes.ts';
import { checkSource } from '../mount-plan.ts';
import { detectPlate } from '../plate-detection.ts';

interface InspectArgs {
  readonly plate: string;
}

async function run({ plate }: InspectArgs, { terminal, signal }: CommandContext): Promise<number> {
  const source = checkSource(plate);
  const { handler, detection } = await detectPlate(source, signal);
  await loadById(FORMATS, handler.id);
  terminal.result(
    { source, format: handler.id, detection },
    `${source}: ${handler.title} (${detection.reason})`,
  );
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
