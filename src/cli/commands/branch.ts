import { MAIN_BRANCH, parseOrigin } from '../../changes/branch-name.ts';
import {
  type Branch,
  type BranchPlace,
  BranchStore,
  homeOf,
  MAIN_NUMBER,
} from '../../changes/branch-store.ts';
import { RevisionStore } from '../../changes/revision-store.ts';
import { BadParameterError } from '../../core/errors.ts';
import { deleteBranch, renameBranch } from '../../daemon/branch-making.ts';
import { changedPlate, type PlateArgs, placeOptions } from '../changed-plate.ts';
import type { Command, CommandContext } from '../command.ts';
import { confirm } from '../confirm.ts';
import { exitCode } from '../exit-codes.ts';
import { makeStateFolder } from '../mount-plan.ts';
import { makePlateBranch } from '../plate-branch.ts';
import { localTime } from '../revision-text.ts';
import { ownRegistry } from '../running-mount.ts';

const ACTIONS = ['list', 'create', 'rename', 'delete'] as const;

interface BranchArgs extends Omit<PlateArgs, 'path' | 'branch'> {
  readonly action: (typeof ACTIONS)[number];
  readonly name: string | undefined;
  readonly to: string | undefined;
  readonly from: string | undefined;
  readonly yes: boolean;
}

/** What programs get of a branch. */
interface BranchDocument {
  readonly name: string;
  /** ISO 8601; absent for `main`. */
  readonly at?: string;
  readonly from?: { readonly branch: string; readonly revision: number };
  readonly revisions: number;
  readonly state: string;
  readonly output: string;
  readonly mountpoint?: string;
}

function documentOf(store: BranchStore, branch: Branch | undefined): BranchDocument {
  const { state, output } = store.placeOf(branch?.number ?? MAIN_NUMBER);
  const mount = ownRegistry()
    .list()
    .find((one) => one.isAlive && one.state === state);
  const origin = branch?.origin;
  return {
    name: branch?.name ?? MAIN_BRANCH,
    ...(branch ? { at: branch.at } : {}),
    ...(origin ? { from: { branch: store.nameOf(origin.branch), revision: origin.revision } } : {}),
    revisions: new RevisionStore(state).list().length,
    state,
    output,
    ...(mount ? { mountpoint: mount.mountpoint } : {}),
  };
}

const originText = ({ from, at }: BranchDocument): string => {
  if (at === undefined) return '';
  return from ? `from ${from.branch}@${from.revision}` : 'from the plate';
};

function listText(branches: readonly BranchDocument[]): string {
  const width = Math.max(...branches.map(({ name }) => name.length));
  const originWidth = Math.max(...branches.map((one) => originText(one).length));
  return branches
    .map((one) =>
      [
        `  ${one.name.padEnd(width)}`,
        originText(one).padEnd(originWidth),
        (one.at === undefined ? '' : localTime(one.at)).padEnd(16),
        `${one.revisions} revisions`,
        one.mountpoint ?? '',
      ]
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function demandName(value: string | undefined, usage: string): string {
  if (value !== undefined) return value;
  throw new BadParameterError('NAME', `is missing; write  platefs branch ${usage}`);
}

async function remove(
  home: BranchPlace,
  plate: string,
  { name: given, yes }: BranchArgs,
  { terminal, signal }: CommandContext,
): Promise<number> {
  const name = demandName(given, `delete ${plate} NAME`);
  const store = new BranchStore(home);
  if (!yes && name !== MAIN_BRANCH) {
    const { output, revisions } = documentOf(store, store.demand(name));
    terminal.note(`what was written in '${name}' goes for good, with ${revisions} revisions and ${output}`);
    await confirm(`Delete the branch '${name}' of ${plate}?`, signal);
  }
  await deleteBranch(home, name);
  terminal.result({ name: plate, deleted: name }, `The branch '${name}' of ${plate} is deleted`);
  return exitCode('ok');
}

async function run(args: BranchArgs, context: CommandContext): Promise<number> {
  const { action, name, to, from } = args;
  const { terminal } = context;
  const plate = await changedPlate({ ...args, path: undefined, branch: undefined });
  const home = homeOf(plate);
  const store = new BranchStore(home);
  if (from !== undefined && action !== 'create')
    throw new BadParameterError('--from', 'says what a branch is made from: platefs branch create');
  if (to !== undefined && action !== 'rename') throw new BadParameterError(to, 'is one word too many');
  if (action === 'delete') return await remove(home, plate.name, args, context);
  if (action === 'create') {
    const made = demandName(name, `create ${plate.name} NAME`);
    const wish = from === undefined ? undefined : parseOrigin(from, '--from');
    makeStateFolder(home.state);
    const { branch, leftOut } = await makePlateBranch(home, made, wish, context);
    const document = documentOf(store, branch);
    const text = `The branch '${made}' of ${plate.name} is made ${originText(document)}\nmount it with  platefs mount PLATE MOUNTPOINT --branch ${made}`;
    terminal.result({ ...document, leftOut }, text);
    return exitCode('ok');
  }
  if (action === 'rename') {
    const usage = `rename ${plate.name} OLD NEW`;
    const renamed = await renameBranch(home, demandName(name, usage), demandName(to, usage));
    const document = documentOf(store, renamed);
    terminal.result(
      document,
      `The branch '${name}' is called '${to}' now; its results are in ${document.output}`,
    );
    return exitCode('ok');
  }
  if (name !== undefined) throw new BadParameterError(name, 'is one word too many');
  const branches = [undefined, ...store.list()].map((branch) => documentOf(store, branch));
  terminal.result({ name: plate.name, branches }, `${plate.name}:\n${listText(branches)}`);
  return exitCode('ok');
}

export const branch: Command<BranchArgs> = {
  usage: 'branch <action> <mount> [name] [to]',
  summary: 'List, create, rename and delete branches of what was written',
  examples: [
    'branch list /data/plate1',
    'branch create /data/plate1 thresholds --from 3',
    'branch rename /data/plate1 thresholds otsu',
    'branch delete /data/plate1 otsu',
  ],
  options: (yargs) =>
    placeOptions(yargs, false)
      .positional('action', { choices: ACTIONS, demandOption: true, describe: 'what to do' })
      .positional('name', { type: 'string', describe: 'the branch' })
      .positional('to', { type: 'string', describe: 'its new name' })
      .option('from', {
        type: 'string',
        describe:
          'what to begin with: a branch, a revision, or BRANCH@REVISION; the plate alone unless given',
      })
      .option('yes', { alias: 'y', type: 'boolean', default: false, describe: 'do not ask' }),
  run,
};
