import { NotRunningError } from '../../core/errors.ts';
import { changedPlate, demandMount, type PlateArgs, placeOptions } from '../changed-plate.ts';
import type { Command, CommandContext } from '../command.ts';
import { exitCode } from '../exit-codes.ts';
import { makeRevision } from '../make-revision.ts';
import { revisionDocument, revisionLine } from '../revision-text.ts';

interface SnapshotArgs extends Omit<PlateArgs, 'path'> {
  readonly message: string | undefined;
}

async function run(args: SnapshotArgs, context: CommandContext): Promise<number> {
  const plate = await changedPlate({ ...args, path: undefined });
  const mount = demandMount(plate, 'keep a revision');
  const { message } = args;
  const params = { reason: 'snapshot', ...(message === undefined ? {} : { message }) } as const;
  const revision = await makeRevision(mount, params, context);
  if (!revision) throw new NotRunningError(`${mount.mountpoint} made no revision`);
  const left = revision.leftOut.map((path) => `\n  being written, and as it was before: ${path}`).join('');
  context.terminal.result(
    revisionDocument(revision),
    `${revisionLine(revision).trimStart()}\nto be seen in ${mount.mountpoint}/.platefs/versions/${revision.number}${left}`,
  );
  return exitCode('ok');
}

export const snapshot: Command<SnapshotArgs> = {
  usage: 'snapshot <mount>',
  summary: 'Keep everything written as it is now, as a revision',
  examples: ['snapshot /mnt/plate1 -m "before new thresholds"'],
  options: (yargs) =>
    placeOptions(yargs).option('message', {
      alias: 'm',
      type: 'string',
      describe: 'what is special about it',
    }),
  run,
};
