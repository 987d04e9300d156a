import type { ChangeRow } from '../../changes/change-rows.ts';
import { callControl } from '../../control/control-client.ts';
import { changeLines, countChanges, countsText } from '../change-text.ts';
import { changedPlate, demandMount, openChanges, type PlateArgs, plateOptions } from '../changed-plate.ts';
import type { Command, CommandContext } from '../command.ts';
import { confirm } from '../confirm.ts';
import { exitCode } from '../exit-codes.ts';

interface DiscardArgs extends PlateArgs {
  readonly yes: boolean;
  readonly force: boolean;
}

interface DiscardResult {
  readonly discarded: readonly ChangeRow[];
  readonly kept: readonly { readonly path: string; readonly reason: string }[];
}

/** What landed is taken out of the store first, a well at a time. */
const SILENCE_MS = 120_000;
const SHOWN_LINES = 20;

async function run(args: DiscardArgs, { terminal, signal }: CommandContext): Promise<number> {
  const plate = await changedPlate(args);
  const mount = demandMount(plate, 'discard');
  const rows = (await openChanges(plate, signal))?.rows(plate.paths) ?? [];
  if (rows.length === 0) {
    terminal.result({ name: plate.name, discarded: [], kept: [] }, 'Nothing differs from the source');
    return exitCode('ok');
  }
  if (!args.yes) {
    const more = rows.length > SHOWN_LINES ? `\n  … and ${rows.length - SHOWN_LINES} more` : '';
    terminal.note(`to be discarded, for good:\n${changeLines(rows.slice(0, SHOWN_LINES)).join('\n')}${more}`);
    await confirm(`Discard ${countsText(countChanges(rows))} of ${plate.name}?`, signal);
  }
  const params = { paths: plate.paths, force: args.force };
  const options = { silenceMs: SILENCE_MS, signal };
  const { discarded, kept } = (await callControl(mount.socket, 'discard', params, options)) as DiscardResult;
  const left = kept.map(({ path, reason }) => `\n  ${path}: ${reason}`).join('');
  const text =
    kept.length === 0
      ? `Discarded: ${countsText(countChanges(discarded))}; the source shows there again`
      : `Nothing was discarded:${left}`;
  terminal.result({ name: plate.name, discarded, kept }, text);
  return kept.length === 0 ? exitCode('ok') : exitCode('failure');
}

export const discard: Command<DiscardArgs> = {
  usage: 'discard <mount> [path..]',
  summary: 'Let go of changes, so that the source shows again',
  examples: ['discard /mnt/plate1 images/A01_s001_w1_z001_t001.tif', 'discard /mnt/plate1 --yes'],
  options: (yargs) =>
    plateOptions(yargs)
      .option('yes', { alias: 'y', type: 'boolean', default: false, describe: 'do not ask' })
      .option('force', {
        type: 'boolean',
        default: false,
        describe: 'also files that programs have open to write',
      }),
  run,
};
