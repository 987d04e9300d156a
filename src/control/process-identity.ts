import { readFileSync } from 'node:fs';

/**
 * When a process started, in clock ticks after boot: with the pid it names one process for good.
 * Field 22 of /proc/<pid>/stat, proc_pid_stat(5). Undefined when there is no such process.
 */
export function processStartTicks(pid: number): number | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The second field is the program's name in parentheses, and may hold blanks and parentheses itself.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    // A zombie ('Z') or dead ('X') process serves nobody.
    if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
    return Number(fields[19]);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ESRCH') return undefined;
    throw error;
  }
}
