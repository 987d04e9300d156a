import { checkedLayout, checkedNames } from '../../config/mount-options.ts';
import { NotAPlateError } from '../../core/errors.ts';
import { PlaneNames } from '../../model/plane-names.ts';
import { namePlanes } from '../../model/plane-naming.ts';
import type { PlateIndex } from '../../model/plate-index.ts';
import { openPlate, proposeLayout } from '../../tree/open-plate.ts';
import type { Command, CommandContext } from '../command.ts';
import { exitCode } from '../exit-codes.ts';
import { inspectReport, inspectText } from '../inspect-report.ts';
import { checkSource } from '../mount-plan.ts';
import { LAYOUT_HELP, NAMES_HELP } from '../naming-options.ts';
import { proposalText } from '../proposal-text.ts';
import { type PlateSummary, sourceReport, sourceReportText } from '../source-report.ts';

interface InspectArgs {
  readonly plate: string;
  readonly layout: string | undefined;
  readonly names: string | undefined;
}

async function run(args: InspectArgs, context: CommandContext): Promise<number> {
  const { terminal, signal } = context;
  const names = args.names === undefined ? undefined : checkedNames('--names', args.names);
  const layout = args.layout === undefined ? undefined : checkedLayout('--layout', args.layout);
  const source = checkSource(args.plate);
  terminal.progress(`looking at ${source}`);
  try {
    const { index } = await openPlate(source, {
      signal,
      ...(layout === undefined ? {} : { layout }),
      onProgress: ({ files, directories }) => terminal.progress(`${files} files in ${directories} folders`),
    });
    if (index.scope) {
      const report = sourceReport(index, await platesOf(index, signal));
      terminal.result(report, sourceReportText(report));
      return exitCode('ok');
    }
    const planeNames = new PlaneNames(index, namePlanes(index, names, '--names'));
    terminal.result(inspectReport(index, planeNames), inspectText(index, planeNames));
    return exitCode('ok');
  } catch (error) {
    if (!(error instanceof NotAPlateError) || layout !== undefined) throw error;
    const proposal = await proposeLayout(source, signal);
    if (!proposal) throw error;
    const { tag, message } = error;
    terminal.result({ error: { tag, message }, proposal }, proposalText(source, proposal));
    return exitCode('failure');
  }
}

/** What the plates are in a folder of several. */
async function platesOf({ rootPath, scope }: PlateIndex, signal: AbortSignal): Promise<PlateSummary[]> {
  const plates: PlateSummary[] = [];
  for (const name of scope?.kind === 'folder' ? scope.plates : []) {
    const { index } = await openPlate(`${rootPath}/${name}`, { signal });
    plates.push({ name, format: index.facts.formatDetail, planes: index.planes.count });
  }
  return plates;
}

export const inspect: Command<InspectArgs> = {
  usage: 'inspect <plate>',
  summary: 'Tell what would be shown and what is wrong with it, without mounting',
  examples: ['inspect /data/plate1', "inspect /data/folder --layout '{well}/field {site} {channel}.tif'"],
  options: (yargs) =>
    yargs
      .positional('plate', { type: 'string', demandOption: true, describe: 'plate folder, file or store' })
      .option('layout', { type: 'string', describe: LAYOUT_HELP })
      .option('names', { type: 'string', describe: NAMES_HELP }),
  run,
};
