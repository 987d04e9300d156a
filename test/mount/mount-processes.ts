import { existsSync, readdirSync, readFileSync } from 'node:fs';

/** Process ids of supervisors and daemons that live in the folder `home`. */
export function daemonsOf(home: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((name) => {
      try {
        if (!readFileSync(`/proc/${name}/cmdline`, 'utf8').includes('/src/daemon/')) return false;
        return readFileSync(`/proc/${name}/environ`, 'utf8').includes(`HOME=${home}\0`);
      } catch {
        return false;
      }
    })
    .map(Number);
}

/**
 * Whether a process has let go of all its files. One that is ending loses its environment before them, and its first
 * thread may be a zombie while others still run.
 */
export function hasEnded(pid: number): boolean {
  try {
    const state = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.[0];
    return (state === 'Z' || state === 'X') && readdirSync(`/proc/${pid}/task`).length <= 1;
  } catch {
    return true;
  }
}

/** FUSE connections mounted below a folder, as a mount table in the form of `/proc/self/mountinfo` has them. */
export function connectionsBelow(folder: string, mountinfo: string): { minor: number; path: string }[] {
  if (!existsSync(mountinfo)) return [];
  return readFileSync(mountinfo, 'utf8')
    .split('\n')
    .map((line) => line.split(' '))
    .filter((words) => words[4]?.startsWith(`${folder}/`) && / - fuse/.test(words.join(' ')))
    .map((words) => ({ minor: Number(words[2]?.split(':')[1]), path: words[4] ?? '' }));
}
