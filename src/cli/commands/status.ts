import { callControl } from '../../control/control-client.ts';
import type { MemoryDocument, PinsDocument, StatusDocument } from '../../control/documents.ts';
import type { ListedMount } from '../../control/mount-registry.ts';
import { formatByteSize } from '../../core/byte-size.ts';
import { explain } from '../../core/errors.ts';
import { readMountTable } from '../../fuse/mount-table.ts';
import type { Command, CommandContext } from '../command.ts';
import { exitCode } from '../exit-codes.ts';
import { isPlateMount } from '../mount-table.ts';
import { ownRegistry, runningMount } from '../running-mount.ts';

interface StatusArgs {
  readonly mountpoint: string | undefined;
}

/** What is known of one mount: the daemon's own answer, or why there is none. */
type MountState = { readonly mountpoint: string; readonly source: string } & (
  | { readonly state: 'running'; readonly status: StatusDocument }
  | { readonly state: 'silent' | 'stale'; readonly problem: string }
);

async function stateOf(entry: ListedMount, signal: AbortSignal): Promise<MountState> {
  const { mountpoint, source, socket } = entry;
  if (!entry.isAlive) return { mountpoint, source, state: 'stale', problem: staleText(mountpoint) };
  try {
    const status = (await callControl(socket, 'status', {}, { signal, silenceMs: 5000 })) as StatusDocument;
    return { mountpoint, source, state: 'running', status };
  } catch (error) {
    return { mountpoint, source, state: 'silent', problem: explain(error) };
  }
}

const staleText = (mountpoint: string): string =>
  `its PlateFS is gone; tidy up with  platefs umount ${mountpoint}  and mount again; written files are kept`;

const STEPS: Readonly<
  Record<'drop-hot' | 'shrink-decoded' | 'land-sealed' | 'spill-open' | 'drop-pins', string>
> = {
  'drop-hot': 'files read before',
  'shrink-decoded': 'decoded pixels',
  'land-sealed': 'landed',
  'spill-open': 'moved to disk',
  'drop-pins': 'pins let go',
};

function memoryLines(memory: MemoryDocument): string[] {
  const size = formatByteSize;
  const lines = [
    `  memory    ${size(memory.usedBytes)} of ${size(memory.budgetBytes)}: closed files ${size(memory.closedFilesBytes)}, open files ${size(memory.openFilesBytes)}, decoded pixels ${size(memory.decodedBytes)}, pinned ${size(memory.pinnedBytes)}, files read before ${size(memory.hotBytes)}`,
  ];
  if (memory.isTight) lines.push(`            TIGHT: ${memory.reasons.join(', ') || 'a moment ago'}`);
  if (memory.lastReclaim) {
    const steps = memory.lastReclaim.steps.map(
      ({ kind, freedBytes }) => `${STEPS[kind]} ${size(freedBytes)}`,
    );
    lines.push(`            last freed ${memory.lastReclaim.at}: ${steps.join(', ')}`);
  }
  return lines;
}

const LISTED_PINS = 5;

function pinLines({ files, sizeBytes, paths }: PinsDocument): string[] {
  if (files === 0) return [];
  const more = files > LISTED_PINS ? ` and ${files - LISTED_PINS} more` : '';
  return [
    `  pinned    ${files} files (${formatByteSize(sizeBytes)}), let go when memory is tight: ${paths.slice(0, LISTED_PINS).join(', ')}${more}`,
  ];
}

function describe(mount: MountState): string {
  const head = `${mount.mountpoint}\n  plate     ${mount.source}`;
  if (mount.state !== 'running') return `${head}\n  problem   ${mount.problem}`;
  const { status } = mount;
  const { waiting, hooks, branch } = status;
  const resumed = status.resumedCount === 0 ? '' : `, resumed ${status.resumedCount} times`;
  const failed = hooks.failed === 0 ? 'none failed' : `${hooks.failed} FAILED (see .platefs/status.json)`;
  return [
    head,
    ...(branch === undefined ? [] : [`  branch    ${branch}`]),
    `  format    ${status.plate.format}`,
    `  planes    ${status.planes}${status.warnings === 0 ? '' : `, ${status.warnings} remarks in .platefs/warnings.json`}`,
    ...memoryLines(status.memory),
    ...pinLines(status.pins),
    `  waiting   ${waiting.files} files (${formatByteSize(waiting.sizeBytes)}) to land in ${status.output}`,
    `  hooks     ${hooks.running} running, ${hooks.waiting} waiting, ${failed}`,
    `  process   ${status.pid}, since ${status.startedAt}${resumed}`,
  ].join('\n');
}

async function run({ mountpoint }: StatusArgs, { terminal, signal }: CommandContext): Promise<number> {
  const registry = ownRegistry();
  if (mountpoint !== undefined) {
    const state = await stateOf(runningMount(mountpoint, registry), signal);
    terminal.result(state, describe(state));
    return state.state === 'running' ? exitCode('ok') : exitCode('failure');
  }
  const entries = registry.list();
  const states = await Promise.all(entries.map((entry) => stateOf(entry, signal)));
  const known = new Set(entries.map((entry) => entry.mountpoint));
  const others = readMountTable()
    .filter((mount) => isPlateMount(mount) && !known.has(mount.path))
    .map((mount) => mount.path);
  const text = [
    ...states.map(describe),
    ...others.map((other) => `${other}\n  of another user, or left behind`),
  ].join('\n\n');
  terminal.result({ mounts: states, others }, text || 'Nothing is mounted.');
  return exitCode('ok');
}

export const status: Command<StatusArgs> = {
  usage: 'status [mountpoint]',
  summary: 'What is mounted, and how it is doing',
  examples: ['status', 'status /mnt/plate1'],
  options: (yargs) =>
    yargs.positional('mountpoint', {
      type: 'string',
      describe: 'one mount; all of yours unless given',
    }),
  run,
};
