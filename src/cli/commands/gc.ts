import { holdOutput } from '../../changes/check-output.ts';
import { weightOf } from '../../changes/findings.ts';
import { collectGarbage } from '../../changes/repair-state.ts';
import { RevisionStore } from '../../changes/revision-store.ts';
import { formatByteSize } from '../../core/byte-size.ts';
import { StateCorruptError } from '../../core/errors.ts';
import { dropRevisions } from '../../daemon/drop-revision.ts';
import { OVER_QUOTA_ADVICE, quotaPlan } from '../../daemon/quota-keeper.ts';
import { lockExclusively } from '../../fuse/syscalls.ts';
import { type ChangedPlate, changedPlate, type PlateArgs, placeOptions } from '../changed-plate.ts';
import {
  checkPlate,
  demandHeld,
  findingLines,
  findingsOf,
  type HeldState,
  holdState,
} from '../checked-plate.ts';
import type { Command, CommandContext } from '../command.ts';
import { exitCode } from '../exit-codes.ts';

interface GcArgs extends Omit<PlateArgs, 'path'> {
  readonly dryRun: boolean;
}

/** What becomes of revisions, of which only so much may be kept. */
function quotaLines(
  drop: readonly number[],
  leftBytes: number,
  quotaBytes: number,
  isDryRun: boolean,
): string[] {
  const quota = formatByteSize(quotaBytes);
  const going = isDryRun ? 'could go' : 'dropped';
  return [
    ...(drop.length === 0
      ? []
      : [`revisions ${drop.join(', ')} ${going}: more than ${quota} was kept for revisions alone`]),
    ...(leftBytes > quotaBytes
      ? [`${formatByteSize(leftBytes)} are kept for revisions, more than ${quota}; ${OVER_QUOTA_ADVICE}`]
      : []),
  ];
}

async function run(args: GcArgs, context: CommandContext): Promise<number> {
  const plate = await changedPlate({ ...args, path: undefined });
  using held = holdState(plate);
  demandHeld(held, plate, 'collect garbage');
  const { terminal, signal } = context;
  const release = await holdOutput(plate.output, lockExclusively, (note) => terminal.progress(note), signal);
  try {
    return await collect(plate, held, args.dryRun, context);
  } finally {
    release();
  }
}

async function collect(
  plate: ChangedPlate,
  held: HeldState,
  isDry: boolean,
  context: CommandContext,
): Promise<number> {
  const checked = await checkPlate(plate, held, context);
  const damaged = checked.state.findings.find(({ kind }) => kind === 'journal-damaged');
  if (damaged)
    throw new StateCorruptError(damaged.path, 'is damaged: what it named can not be told from garbage', {
      advice: `mend it first:  platefs fsck ${plate.name} --repair`,
    });
  const found = findingsOf(checked).filter((finding) => weightOf(finding) === 'garbage');
  const removed = isDry ? found : collectGarbage(found);
  const { name } = plate;
  const store = new RevisionStore(plate.state);
  const { quotaBytes } = store;
  const { drop, leftBytes } = quotaPlan(store, plate, quotaBytes);
  if (!isDry && drop.length > 0) await dropRevisions(plate, drop);
  const revisions = quotaLines(drop, leftBytes, quotaBytes, isDry);
  const garbage =
    found.length === 0
      ? `${name}: there is no garbage`
      : [`${name}: ${found.length} ${isDry ? 'could go' : 'removed'}`, ...findingLines(found)].join('\n');
  const document = {
    name,
    removed: isDry ? [] : removed,
    found,
    dropped: isDry ? [] : drop,
    keptBytes: leftBytes,
    quotaBytes,
  };
  context.terminal.result(document, [garbage, ...revisions].join('\n'));
  return exitCode('ok');
}

export const gc: Command<GcArgs> = {
  usage: 'gc <mount>',
  summary: 'Remove what nothing refers to: leftovers of crashes, damaged caches, revisions past their quota',
  examples: ['gc /data/plate1 --dry-run', 'gc /data/plate1'],
  options: (yargs) =>
    placeOptions(yargs).option('dry-run', {
      type: 'boolean',
      default: false,
      describe: 'tell what would be removed, and remove nothing',
    }),
  run,
};
