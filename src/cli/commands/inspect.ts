import { statSync } from 'node:fs';
import { join } from 'node:path';
import { checkedLayout, checkedNames } from '../../config/mount-options.ts';
import { BadParameterError, NotAPlateError } from '../../core/errors.ts';
import { type SourceOptions, shownFor } from '../../model/indexed-source.ts';
import { SHOWN_AS, type ShownAs } from '../../model/mount-definition.ts';
import { PlaneNames } from '../../model/plane-names.ts';
import { namePlanes } from '../../model/plane-naming.ts';
import type { RecognisedPlate } from '../../model/plate.ts';
import type { PlateIndex } from '../../model/plate-index.ts';
import { isUrl } from '../../model/source-url.ts';
import { openPlate, proposeLayout } from '../../tree/open-plate.ts';
import { openWithPlates } from '../../tree/open-with-plates.ts';
import type { Command, CommandContext } from '../command.ts';
import { exitCode } from '../exit-codes.ts';
import { inspectReport, inspectText } from '../inspect-report.ts';
import { checkSources, definitionOf, refuseForSeveral } from '../mount-plan.ts';
import { proposalText } from '../proposal-text.ts';
import { AS_HELP, LAYOUT_HELP, NAMES_HELP, SOURCE_HELP } from '../source-options.ts';
import { type PlateSummary, sourceReport, sourceReportText } from '../source-report.ts';

interface InspectArgs {
  readonly plate: string;
  readonly layout: string | undefined;
  readonly names: string | undefined;
  readonly as: ShownAs | undefined;
}

/** What is said of a source that is looked at. */
interface Asked {
  readonly path: string;
  readonly layout?: string | undefined;
  readonly names?: string | undefined;
  readonly as?: ShownAs | undefined;
  readonly sourceOptions?: SourceOptions;
}

/** What is told of a source, as `--json` prints it and for people. */
interface Told {
  readonly report: object;
  readonly text: string;
}

async function run(args: InspectArgs, { terminal, signal }: CommandContext): Promise<number> {
  const names = args.names === undefined ? undefined : checkedNames('--names', args.names);
  const layout = args.layout === undefined ? undefined : checkedLayout('--layout', args.layout);
  const written = checkSources(await definitionOf(args.plate));
  const sourceOptions = shownFor(written.options);
  const tell = async (asked: Asked): Promise<Told> => {
    terminal.progress(`looking at ${asked.path}`);
    return await look(asked, signal, (text) => terminal.progress(text));
  };
  if (written.sources) {
    refuseForSeveral(written.source, { layout, as: args.as });
    const all: { name: string; told: Told }[] = [];
    for (const one of written.sources)
      all.push({
        name: one.name,
        told: await tell({ ...one, sourceOptions, names: names ?? one.names ?? written.names }),
      });
    terminal.result(
      { definition: written.source, sources: all.map(({ name, told }) => ({ name, ...told.report })) },
      all.map(({ name, told }) => `${name}/\n${told.text.replaceAll(/^(?=.)/gm, '  ')}`).join('\n'),
    );
    return exitCode('ok');
  }
  const asked = {
    path: written.source,
    layout: layout ?? written.layout,
    names: names ?? written.names,
    as: args.as ?? written.as,
    sourceOptions,
  };
  try {
    const { report, text } = await tell(asked);
    terminal.result(report, text);
    return exitCode('ok');
  } catch (error) {
    if (!(error instanceof NotAPlateError) || asked.layout !== undefined || isUrl(asked.path)) throw error;
    if (!statSync(asked.path).isDirectory()) throw error;
    const proposal = await proposeLayout(asked.path, signal);
    if (!proposal) throw error;
    const { tag, message } = error;
    terminal.result({ error: { tag, message }, proposal }, proposalText(asked.path, proposal));
    return exitCode('failure');
  }
}

async function look(
  { path, layout, names, as, sourceOptions = {} }: Asked,
  signal: AbortSignal,
  onProgress: (text: string) => void,
): Promise<Told> {
  if (layout !== undefined && as === 'sources')
    throw new BadParameterError('--layout', 'reads a folder as a plate; leave it out, or  --as sources');
  const open = async (recognised?: RecognisedPlate): Promise<PlateIndex> => {
    const opened = await openPlate(path, {
      signal,
      sourceOptions,
      ...(layout === undefined ? {} : { layout }),
      ...(as === undefined ? {} : { as }),
      ...(recognised ? { recognised } : {}),
      onProgress: ({ files, directories }) => onProgress(`${files} files in ${directories} folders`),
    });
    return opened.index;
  };
  const { index, plates } = await openWithPlates({
    source: open,
    plate: async (name) => (await openPlate(join(path, name), { signal })).index,
  });
  if (index.scope) {
    const report = sourceReport(index, plates.map(summaryOf));
    return { report, text: sourceReportText(report) };
  }
  const planeNames = new PlaneNames(index, namePlanes(index, names, '--names'));
  return { report: inspectReport(index, planeNames), text: inspectText(index, planeNames) };
}

/** A plate in a folder of several. */
const summaryOf = ({ name, index }: { name: string; index: PlateIndex }): PlateSummary => ({
  name,
  format: index.facts.formatDetail,
  planes: index.planes.count,
});

export const inspect: Command<InspectArgs> = {
  usage: 'inspect <plate>',
  summary: 'Tell what would be shown and what is wrong with it, without mounting',
  examples: [
    'inspect /data/plate1',
    'inspect /data/cells.h5ad',
    'inspect mounts/experiment.yaml',
    "inspect /data/folder --layout '{well}/field {site} {channel}.tif'",
  ],
  options: (yargs) =>
    yargs
      .positional('plate', { type: 'string', demandOption: true, describe: SOURCE_HELP })
      .option('layout', { type: 'string', describe: LAYOUT_HELP })
      .option('as', { choices: SHOWN_AS, describe: AS_HELP })
      .option('names', { type: 'string', describe: NAMES_HELP }),
  run,
};
