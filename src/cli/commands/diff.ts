import { formatByteSize } from '../../core/byte-size.ts';
import { changeLines, countChanges, countsText } from '../change-text.ts';
import {
  changedPlate,
  differencesBetween,
  openChanges,
  type PlateArgs,
  plateOptions,
} from '../changed-plate.ts';
import type { Command, CommandContext } from '../command.ts';
import { exitCode } from '../exit-codes.ts';

interface DiffArgs extends PlateArgs {
  readonly against: string | undefined;
}

/** What the branch of a plate shows otherwise than another one. */
async function runAgainst(args: DiffArgs, against: string, context: CommandContext): Promise<number> {
  const { terminal, signal } = context;
  const plate = await changedPlate(args);
  const other = await changedPlate({ ...args, path: undefined, branch: against });
  terminal.progress(`comparing ${plate.name} with ${other.name}`);
  const rows = await differencesBetween(plate, other, signal);
  const counts = countChanges(rows);
  const text =
    rows.length === 0
      ? `${plate.name} shows what ${other.name} does`
      : `${plate.name} against ${other.name}: ${countsText(counts)}\n${changeLines(rows).join('\n')}`;
  terminal.result({ name: plate.name, against: other.name, counts, changes: rows }, text);
  return exitCode('ok');
}

async function run(args: DiffArgs, context: CommandContext): Promise<number> {
  const { terminal, signal } = context;
  if (args.against !== undefined) return await runAgainst(args, args.against, context);
  const plate = await changedPlate(args);
  terminal.progress(`looking at what was written to ${plate.name}`);
  const changes = await openChanges(plate, signal);
  const rows = changes?.rows(plate.paths) ?? [];
  const counts = countChanges(rows);
  const writtenBytes = rows
    .filter(({ kind, from }) => kind !== 'deleted' && from === undefined)
    .reduce((sum, { sizeBytes = 0 }) => sum + sizeBytes, 0);
  const { name, mount, state, output } = plate;
  const text =
    rows.length === 0
      ? `Nothing differs from the source: ${name}`
      : `${name}: ${countsText(counts)}; ${formatByteSize(writtenBytes)} written\n${changeLines(rows).join('\n')}`;
  const document = {
    name,
    isMounted: mount !== undefined,
    state,
    output,
    counts,
    writtenBytes,
    changes: rows,
  };
  terminal.result(document, text);
  return exitCode('ok');
}

export const diff: Command<DiffArgs> = {
  usage: 'diff <mount> [path..]',
  summary: 'Tell what was added, changed, deleted and renamed',
  examples: [
    'diff /mnt/plate1',
    'diff /mnt/plate1 images',
    'diff /data/plate1',
    'diff /mnt/otsu --against main',
  ],
  options: (yargs) =>
    plateOptions(yargs).option('against', {
      type: 'string',
      describe: 'a branch to compare with, instead of the source',
    }),
  run,
};
