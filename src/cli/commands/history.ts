import { BranchStore, branchNumberOf } from '../../changes/branch-store.ts';
import { RevisionStore } from '../../changes/revision-store.ts';
import { callControl } from '../../control/control-client.ts';
import { formatByteSize } from '../../core/byte-size.ts';
import { BadParameterError } from '../../core/errors.ts';
import { dropRevisions } from '../../daemon/drop-revision.ts';
import { OVER_QUOTA_ADVICE } from '../../daemon/quota-keeper.ts';
import { changedPlate, type PlateArgs, placeOptions } from '../changed-plate.ts';
import { demandHeld, holdState } from '../checked-plate.ts';
import type { Command, CommandContext } from '../command.ts';
import { exitCode } from '../exit-codes.ts';
import { revisionDocument, revisionLine } from '../revision-text.ts';

interface HistoryArgs extends Omit<PlateArgs, 'path'> {
  readonly drop: readonly number[] | undefined;
}

async function run(args: HistoryArgs, { terminal, signal }: CommandContext): Promise<number> {
  const plate = await changedPlate({ ...args, path: undefined });
  const store = new RevisionStore(plate.state);
  const branches = BranchStore.of(plate);
  const number = branchNumberOf(plate.state);
  const { drop = [] } = args;
  for (const number of drop)
    if (!Number.isSafeInteger(number) || number < 1)
      throw new BadParameterError('--drop', 'names revisions by their numbers, as history lists them');
  if (drop.length > 0 && plate.mount)
    for (const number of drop) await callControl(plate.mount.socket, 'drop-revision', { number }, { signal });
  else if (drop.length > 0) {
    using held = holdState(plate);
    demandHeld(held, plate, 'drop revisions');
    await dropRevisions(plate, drop);
  }
  const revisions = store.list();
  const pinned = branches.pinned(number);
  const keptBytes = store.keptBytes();
  const { quotaBytes } = store;
  const where = plate.mount ? `\nread them in ${plate.mount.mountpoint}/.platefs/versions/NUMBER` : '';
  const over = keptBytes > quotaBytes ? `\nthat is more: ${OVER_QUOTA_ADVICE}` : '';
  const text =
    revisions.length === 0
      ? `${plate.name} has no revisions; make one with  platefs snapshot`
      : `${plate.name}: ${revisions.length} revisions, ${formatByteSize(keptBytes)} of at most ${formatByteSize(quotaBytes)} kept for them alone\n${revisions.map((one) => revisionLine(one, pinned.get(one.number))).join('\n')}${over}${where}`;
  terminal.result(
    {
      name: plate.name,
      keptBytes,
      quotaBytes,
      revisions: revisions.map((one) => revisionDocument(one, pinned.get(one.number))),
    },
    text,
  );
  return exitCode('ok');
}

export const history: Command<HistoryArgs> = {
  usage: 'history <mount>',
  summary: 'List the revisions of what was written, or drop some',
  examples: ['history /mnt/plate1', 'history /data/plate1 --drop 3'],
  options: (yargs) =>
    placeOptions(yargs).option('drop', {
      type: 'number',
      array: true,
      describe: 'revisions to forget, with all that only they need',
    }),
  run,
};
