import { formatByteSize } from '../../core/byte-size.ts';
import { changeLines, countChanges, countsText } from '../change-text.ts';
import { changedPlate, openChanges, type PlateArgs, plateOptions } from '../changed-plate.ts';
import type { Command, CommandContext } from '../command.ts';
import { exitCode } from '../exit-codes.ts';

async function run(args: PlateArgs, { terminal, signal }: CommandContext): Promise<number> {
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

export const diff: Command<PlateArgs> = {
  usage: 'diff <mount> [path..]',
  summary: 'Tell what was added, changed, deleted and renamed',
  examples: ['diff /mnt/plate1', 'diff /mnt/plate1 images', 'diff /data/plate1'],
  options: plateOptions,
  run,
};
