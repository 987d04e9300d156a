import { existsSync } from 'node:fs';
import { bytesFinding, checkWrittenBytes, type DamagedFile } from '../changes/check-bytes.ts';
import { type CheckProgress, checkOutput } from '../changes/check-output.ts';
import { checkRevisions, type DamagedLanding, repairRevisions } from '../changes/check-revisions.ts';
import { type CheckedState, checkState } from '../changes/check-state.ts';
import { type Finding, weightOf } from '../changes/findings.ts';
import { repairWrittenBytes } from '../changes/repair-bytes.ts';
import { linkAside, repairState, rescuedFolder } from '../changes/repair-state.ts';
import { AlreadyRunningError } from '../core/errors.ts';
import { kernelFileCalls } from '../daemon/file-calls.ts';
import { memoryFolderPath } from '../daemon/memory-folder.ts';
import { savedMount } from '../daemon/saved-mount.ts';
import { lockState } from '../daemon/state-lock.ts';
import { lockExclusively } from '../fuse/syscalls.ts';
import { checkCaches } from './cache-check.ts';
import { printable } from './change-text.ts';
import type { ChangedPlate } from './changed-plate.ts';
import type { CommandContext } from './command.ts';

/** A state folder, locked unless a daemon has it. */
export interface HeldState extends Disposable {
  readonly folders: Parameters<typeof checkState>[0];
  readonly isServed: boolean;
}

/** Keeps daemons from starting on a state while it is worked on; where one runs already, it is only looked at. */
export function holdState({ state, mount }: ChangedPlate): HeldState {
  const folders = { state, memory: memoryFolderPath(state) };
  let unlock = (): void => {};
  let isServed = mount !== undefined;
  if (!isServed && existsSync(state)) {
    try {
      unlock = lockState(state);
    } catch (error) {
      if (!(error instanceof AlreadyRunningError)) throw error;
      isServed = true;
    }
  }
  return { folders, isServed, [Symbol.dispose]: () => unlock() };
}

/** @throws AlreadyRunningError where a daemon has the state. */
export function demandHeld({ isServed }: HeldState, { name }: ChangedPlate, what: string): void {
  if (isServed) throw new AlreadyRunningError(`${name} is mounted`, { advice: `unmount it, then ${what}` });
}

export interface CheckedPlate {
  readonly state: CheckedState;
  /** Files that have not landed, and files of revisions. */
  readonly bytes: readonly DamagedFile[];
  readonly revisions: readonly DamagedLanding[];
  /** Of output folder and caches. */
  readonly others: readonly Finding[];
}

/** Everything that can be checked of a plate that was written to. @throws CancelledError; FsRefusal without a state. */
export async function checkPlate(
  plate: ChangedPlate,
  { folders, isServed }: HeldState,
  { terminal, signal }: CommandContext,
): Promise<CheckedPlate> {
  const { tree } = await savedMount(folders.state);
  const state = checkState(folders, tree, isServed);
  const told = (what: string) => ({
    isServed,
    takeLock: lockExclusively,
    signal,
    onProgress: ({ filesDone, filesTotal }: CheckProgress) =>
      terminal.progress(`${what}: ${filesDone} of ${filesTotal} files`),
  });
  const bytes = await checkWrittenBytes(folders, state.names, told('checking what has not landed'));
  const output = await checkOutput(plate, state.names, told('reading back what landed'));
  const revisions = await checkRevisions(plate, state.names, told('reading back revisions'));
  return { state, bytes, revisions, others: [...output, ...checkCaches()] };
}

/** Everything that was found. */
export const findingsOf = ({ state, bytes, revisions, others }: CheckedPlate): Finding[] => [
  ...state.findings,
  ...bytes.map(bytesFinding),
  ...revisions.map(({ finding }) => finding),
  ...others,
];

/** Mends what can be mended, of a state that is held. @returns what was found, each with what was done. */
export async function repairPlate(
  plate: ChangedPlate,
  { folders }: HeldState,
  { state, bytes, revisions, others }: CheckedPlate,
): Promise<Finding[]> {
  return [
    ...repairState(folders, state),
    ...repairWrittenBytes(folders, plate, bytes, kernelFileCalls),
    ...(await repairRevisions(plate, state.names, revisions, (path) =>
      linkAside(path, rescuedFolder(folders)),
    )),
    ...others,
  ];
}

export function findingLines(findings: readonly Finding[]): string[] {
  const width = Math.max(0, ...findings.map((finding) => weightOf(finding).length));
  return findings.map((finding) => {
    const { path, detail, done } = finding;
    const rest = done === undefined ? '' : `\n  ${' '.repeat(width)}  → ${done}`;
    return `  ${weightOf(finding).padEnd(width)}  ${printable(path)}: ${detail}${rest}`;
  });
}
