import { type Finding, weightOf } from '../../changes/findings.ts';
import { changedPlate, type PlateArgs, placeOptions } from '../changed-plate.ts';
import {
  checkPlate,
  demandHeld,
  findingLines,
  findingsOf,
  holdState,
  repairPlate,
} from '../checked-plate.ts';
import type { Command, CommandContext } from '../command.ts';
import { exitCode } from '../exit-codes.ts';

interface FsckArgs extends Omit<PlateArgs, 'path'> {
  readonly repair: boolean;
}

function summary(name: string, findings: readonly Finding[], files: number): string {
  const of = (weight: string): Finding[] => findings.filter((finding) => weightOf(finding) === weight);
  const damage = of('damage').filter(({ done }) => done === undefined);
  const garbage = of('garbage').filter(({ done }) => done === undefined);
  const head = `${name}: ${files} written files and folders checked`;
  const verdict = damage.length === 0 ? 'nothing is damaged' : `${damage.length} are damaged or lost`;
  const rest = garbage.length === 0 ? '' : `\n${garbage.length} can go: platefs gc ${name}`;
  return [`${head}; ${verdict}`, ...findingLines(findings)].join('\n') + rest;
}

async function run(args: FsckArgs, context: CommandContext): Promise<number> {
  const plate = await changedPlate({ ...args, path: undefined });
  using held = holdState(plate);
  if (args.repair) demandHeld(held, plate, 'repair');
  const checked = await checkPlate(plate, held, context);
  const { state } = checked;
  const findings = args.repair ? await repairPlate(plate, held, checked) : findingsOf(checked);
  const left = findings.filter((finding) => weightOf(finding) === 'damage' && finding.done === undefined);
  const { name, output } = plate;
  const document = {
    name,
    state: plate.state,
    output,
    isMounted: held.isServed,
    records: state.journal.records.length,
    findings: findings.map((finding) => ({ weight: weightOf(finding), ...finding })),
  };
  context.terminal.result(document, summary(name, findings, state.names.inodes.size));
  return left.length === 0 ? exitCode('ok') : exitCode('damaged');
}

export const fsck: Command<FsckArgs> = {
  usage: 'fsck <mount>',
  summary: 'Check that everything written is whole: journal, bytes, output folder, caches',
  examples: ['fsck /data/plate1', 'fsck /mnt/plate1', 'fsck /data/plate1 --repair'],
  options: (yargs) =>
    placeOptions(yargs).option('repair', {
      type: 'boolean',
      default: false,
      describe: 'mend what can be mended; what is damaged is put aside, never deleted',
    }),
  run,
};
