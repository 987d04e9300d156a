import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makePrivateFolder } from '../core/private-folder.ts';
import { processStartTicks } from './process-identity.ts';

/** One mount of this user, as every `platefs` command finds it. Paths are absolute. */
export interface MountEntry {
  readonly mountpoint: string;
  /** The plate. */
  readonly source: string;
  /** The daemon when it was first ready; a respawned one answers `status` with its own. */
  readonly pid: number;
  readonly supervisorPid: number;
  /** With the pid, tells the supervisor from a later process of that number; filled in by `add`. */
  readonly supervisorStartTicks?: number;
  /** The same of the daemon. */
  readonly startTicks?: number;
  /** The control socket. */
  readonly socket: string;
  readonly output: string;
  readonly state: string;
  /** Of the plate; absent for `main`. */
  readonly branch?: string;
  /** ISO 8601. */
  readonly startedAt: string;
}

export interface ListedMount extends MountEntry {
  /** Whether its supervisor runs, or at least the daemon, which serves on when its supervisor is killed. */
  readonly isAlive: boolean;
}

const STRING_FIELDS = ['mountpoint', 'source', 'socket', 'output', 'state', 'startedAt'] as const;

function parseEntry(text: string): MountEntry | undefined {
  try {
    const value = JSON.parse(text) as Record<string, unknown> | null;
    if (typeof value !== 'object' || value === null) return undefined;
    const isWhole =
      STRING_FIELDS.every((field) => typeof value[field] === 'string') &&
      Number.isSafeInteger(value['pid']) &&
      Number.isSafeInteger(value['supervisorPid']);
    return isWhole ? (value as unknown as MountEntry) : undefined;
  } catch {
    return undefined;
  }
}

/** Whether a process that was noted still runs; without its start time, any of that number will do. */
function isSameProcess(pid: number, startTicks: number | undefined): boolean {
  const ticks = processStartTicks(pid);
  return ticks !== undefined && (startTicks === undefined || startTicks === ticks);
}

/** A short stable name for a mountpoint. */
function keyOf(mountpoint: string): string {
  return createHash('sha256').update(mountpoint).digest('hex').slice(0, 16);
}

/**
 * The list of this user's mounts: one small file per mount in a folder that nobody else can enter. A file is
 * whole or absent (rename), and an entry whose processes are gone is listed as dead until somebody removes it.
 */
export class MountRegistry {
  readonly folder: string;

  /** @throws FsRefusal `not-permitted` when the folder is another user's, a link, or open to others. */
  constructor(folder: string) {
    this.folder = folder;
    makePrivateFolder(folder, 'remove it, or set XDG_RUNTIME_DIR to a folder of your own');
  }

  /** Where the control socket of a mount is to be; short whatever the mountpoint. */
  socketPath(mountpoint: string): string {
    return join(this.folder, `${keyOf(mountpoint)}.sock`);
  }

  add(entry: MountEntry): void {
    const path = this.#path(entry.mountpoint);
    const supervisorStartTicks = processStartTicks(entry.supervisorPid);
    const startTicks = processStartTicks(entry.pid);
    const whole = {
      ...entry,
      ...(supervisorStartTicks === undefined ? {} : { supervisorStartTicks }),
      ...(startTicks === undefined ? {} : { startTicks }),
    };
    const temporary = `${path}.${process.pid}.new`;
    writeFileSync(temporary, `${JSON.stringify(whole)}\n`, { mode: 0o600 });
    renameSync(temporary, path);
  }

  /** Forgets a mount and its socket; no error when it is not there. */
  remove(mountpoint: string): void {
    rmSync(this.#path(mountpoint), { force: true });
    rmSync(this.socketPath(mountpoint), { force: true });
  }

  /** Every mount, living or not, by mountpoint. A damaged entry is left out. */
  list(): ListedMount[] {
    const found: ListedMount[] = [];
    for (const name of readdirSync(this.folder)) {
      if (!name.endsWith('.json')) continue;
      const entry = this.#read(join(this.folder, name));
      if (entry) found.push(entry);
    }
    return found.sort((a, b) => (a.mountpoint < b.mountpoint ? -1 : 1));
  }

  find(mountpoint: string): ListedMount | undefined {
    return this.#read(this.#path(mountpoint));
  }

  #path(mountpoint: string): string {
    return join(this.folder, `${keyOf(mountpoint)}.json`);
  }

  #read(path: string): ListedMount | undefined {
    let text: string;
    try {
      text = readFileSync(path, 'utf8');
    } catch (error) {
      // Removed between listing and reading.
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
    const entry = parseEntry(text);
    if (!entry) return undefined;
    const isAlive =
      isSameProcess(entry.supervisorPid, entry.supervisorStartTicks) ||
      (entry.startTicks !== undefined && isSameProcess(entry.pid, entry.startTicks));
    return { ...entry, isAlive };
  }
}
