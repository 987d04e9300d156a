import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** A process that works in a mount or has a file of it open. */
export interface MountUser {
  readonly pid: number;
  readonly name: string;
}

function isWithin(path: string, mountpoint: string): boolean {
  return path === mountpoint || path.startsWith(`${mountpoint}/`);
}

/** Where the links of a process point; none for one that is gone or another user's. */
function placesOf(pid: string): string[] {
  const read = (link: string): string[] => {
    try {
      return [readlinkSync(`/proc/${pid}/${link}`)];
    } catch {
      return [];
    }
  };
  let descriptors: string[] = [];
  try {
    descriptors = readdirSync(`/proc/${pid}/fd`);
  } catch {
    // As above: what can't be seen can't be named.
  }
  return [...read('cwd'), ...read('root'), ...descriptors.flatMap((fd) => read(`fd/${fd}`))];
}

function nameOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
  } catch {
    return 'a program';
  }
}

/**
 * The processes that use a mount, as far as this user may see them. Reads /proc only, never the mount itself,
 * which may be stuck.
 */
export function mountUsers(mountpoint: string): MountUser[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && placesOf(name).some((place) => isWithin(place, mountpoint)))
    .map((pid) => ({ pid: Number(pid), name: nameOf(pid) }));
}
