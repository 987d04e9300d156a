import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

const LOOK_EVERY_MS = 1000;
const IDLE_TICKS = 2;
const IDLE_LOOKS = 3;
const LOOKS_MAX = 120;

/** Resident memory of some processes: added up, and with what they share counted once. */
export interface ProcessMemory {
  readonly rssMb: number;
  readonly pssMb: number;
  /** What is no file's: it can't be read again from one. Memory that processes share is counted in each. */
  readonly anonymousMb: number;
}

/** The value of a `Name:   123 kB` line. */
const kilobytes = (text: string, name: string): number =>
  Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? Number.NaN);

/** A mount's processes: the daemon, its supervisor, and whatever the daemon started. */
export function processesOf(daemonPid: number): number[] {
  const parentOf = (pid: number): number => kilobytes(readFileSync(`/proc/${pid}/status`, 'utf8'), 'PPid');
  const children = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return parentOf(pid) === daemonPid;
      } catch {
        // It ended while we looked.
        return false;
      }
    });
  return [parentOf(daemonPid), daemonPid, ...children];
}

export function memoryOf(pids: readonly number[]): ProcessMemory {
  let rss = 0;
  let pss = 0;
  let anonymous = 0;
  for (const pid of pids) {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    rss += kilobytes(status, 'VmRSS');
    anonymous += kilobytes(status, 'RssAnon') + kilobytes(status, 'RssShmem');
    pss += kilobytes(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'), 'Pss');
  }
  return { rssMb: rss / 1024, pssMb: pss / 1024, anonymousMb: anonymous / 1024 };
}

/** CPU time a process has used, in clock ticks. */
export function cpuTicks(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]?.split(' ') ?? [];
    return sum + Number(fields[11]) + Number(fields[12]);
  }, 0);
}

/** Memory of a mount that has nothing to do any more: no CPU time over some looks. */
export async function idleMemory(daemonPid: number): Promise<ProcessMemory> {
  const pids = processesOf(daemonPid);
  let ticks = cpuTicks(pids);
  let idle = 0;
  for (let look = 0; look < LOOKS_MAX && idle < IDLE_LOOKS; look++) {
    await delay(LOOK_EVERY_MS);
    const now = cpuTicks(pids);
    idle = now - ticks <= IDLE_TICKS ? idle + 1 : 0;
    ticks = now;
  }
  if (idle < IDLE_LOOKS) throw new Error('the daemon did not come to rest');
  return memoryOf(pids);
}
