import type { ChangeRow } from '../../changes/change-rows.ts';
import { callControl } from '../../control/control-client.ts';
import { BadParameterError } from '../../core/errors.ts';
import { countChanges, countsText, printable } from '../change-text.ts';
import { changedPlate, demandMount, type PlateArgs, plateOptions } from '../changed-plate.ts';
import type { Command, CommandContext } from '../command.ts';
import { exitCode } from '../exit-codes.ts';
import { landingText } from '../running-mount.ts';

interface RestoreArgs extends PlateArgs {
  readonly revision: number;
  readonly force: boolean;
}

interface RestoreResult {
  readonly gone: readonly ChangeRow[];
  readonly come: readonly ChangeRow[];
  readonly kept: readonly { readonly path: string; readonly reason: string }[];
  /** The revision that keeps what was there. */
  readonly before: number | null;
}

const SILENCE_MS = 120_000;

async function run(args: RestoreArgs, { terminal, signal }: CommandContext): Promise<number> {
  const { revision, force } = args;
  if (!Number.isSafeInteger(revision) || revision < 1)
    throw new BadParameterError('REVISION', 'is a number, as history lists them');
  const plate = await changedPlate(args);
  const mount = demandMount(plate, 'restore');
  const result = (await callControl(
    mount.socket,
    'restore',
    { revision, force, paths: plate.paths },
    {
      onProgress: (value) => terminal.progress(`restoring: ${landingText(value)}`),
      silenceMs: SILENCE_MS,
      signal,
    },
  )) as RestoreResult;
  const { gone, come, kept, before } = result;
  const obstacles = kept.map(({ path, reason }) => `\n  ${printable(path)}: ${reason}`).join('');
  const undo = before === null ? '' : `\nwhat was there is revision ${before}`;
  const text =
    kept.length > 0
      ? `Nothing was restored:${obstacles}`
      : gone.length === 0 && come.length === 0
        ? `Everything there is as it was in revision ${revision}`
        : `Restored as of revision ${revision}: ${countsText(countChanges(come)) || 'the source shows again'}${undo}`;
  terminal.result({ name: plate.name, revision, ...result }, text);
  return kept.length === 0 ? exitCode('ok') : exitCode('failure');
}

export const restore: Command<RestoreArgs> = {
  usage: 'restore <mount> <revision> [path..]',
  summary: 'Bring files, or everything, back as they were in a revision',
  examples: ['restore /mnt/plate1 3 results', 'restore /mnt/plate1 3'],
  options: (yargs) =>
    plateOptions(yargs)
      .positional('revision', {
        type: 'number',
        demandOption: true,
        describe: 'its number, as history lists it',
      })
      .option('force', {
        type: 'boolean',
        default: false,
        describe: 'also files that programs have open to write',
      }),
  run,
};
