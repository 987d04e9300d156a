import { existsSync } from 'node:fs';
import { checkOutput } from '../changes/check-output.ts';
import { type CheckedState, checkState } from '../changes/check-state.ts';
import { type Finding, weightOf } from '../changes/findings.ts';
import { AlreadyRunningError } from '../core/errors.ts';
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
  const output = await checkOutput(plate.output, state.names, {
    isServed,
    takeLock: lockExclusively,
    signal,
    onProgress: ({ filesDone, filesTotal }) =>
      terminal.progress(`reading back what landed: ${filesDone} of ${filesTotal} files`),
  });
  return { state, others: [...output, ...checkCaches()] };
}

export function findingLines(findings: readonly Finding[]): string[] {
  const width = Math.max(0, ...findings.map((finding) => weightOf(finding).length));
  return findings.map((finding) => {
    const { path, detail, done } = finding;
    const rest = done === undefined ? '' : `\n  ${' '.repeat(width)}  → ${done}`;
    return `  ${weightOf(finding).padEnd(width)}  ${printable(path)}: ${detail}${rest}`;
  });
}
