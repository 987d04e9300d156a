import type { Command } from './command.ts';

/** By name, in the order of the help text. */
const LOADERS: Readonly<Record<string, () => Promise<Command<never>>>> = {
  mount: async () => (await import('./commands/mount.ts')).mount,
  umount: async () => (await import('./commands/umount.ts')).umount,
  status: async () => (await import('./commands/status.ts')).status,
  inspect: async () => (await import('./commands/inspect.ts')).inspect,
  flush: async () => (await import('./commands/flush.ts')).flush,
  diff: async () => (await import('./commands/diff.ts')).diff,
  commit: async () => (await import('./commands/commit.ts')).commit,
  discard: async () => (await import('./commands/discard.ts')).discard,
  snapshot: async () => (await import('./commands/snapshot.ts')).snapshot,
  history: async () => (await import('./commands/history.ts')).history,
  restore: async () => (await import('./commands/restore.ts')).restore,
  branch: async () => (await import('./commands/branch.ts')).branch,
  pin: async () => (await import('./commands/pin.ts')).pin,
  warm: async () => (await import('./commands/warm.ts')).warm,
  drop: async () => (await import('./commands/drop.ts')).drop,
  'export-mapping': async () => (await import('./commands/export-mapping.ts')).exportMapping,
  fsck: async () => (await import('./commands/fsck.ts')).fsck,
  gc: async () => (await import('./commands/gc.ts')).gc,
  doctor: async () => (await import('./commands/doctor.ts')).doctor,
};

export const COMMAND_NAMES: readonly string[] = Object.keys(LOADERS);

/** Loads one command; undefined where there is none of that name. */
export async function commandOf(name: string): Promise<Command<never> | undefined> {
  return Object.hasOwn(LOADERS, name) ? await LOADERS[name]?.() : undefined;
}

/** Loads every command, in the order of the help text. */
export async function allCommands(): Promise<readonly Command<never>[]> {
  return await Promise.all(Object.values(LOADERS).map((load) => load()));
}
