import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from './harness.ts';

const CGROUPS = '/sys/fs/cgroup';
/** New memory beyond this ends a process: less than any daemon takes to serve a few requests. */
const LIMIT_BYTES = 2 * 2 ** 20;

/** The folder of control groups for memory, and the name of their limit: version 1 or 2. */
function memoryGroups(): { readonly root: string; readonly limit: string } {
  const first = join(CGROUPS, 'memory');
  return existsSync(join(first, 'memory.limit_in_bytes'))
    ? { root: first, limit: 'memory.limit_in_bytes' }
    : { root: CGROUPS, limit: 'memory.max' };
}

/**
 * Puts a process into a group without memory, so that the kernel's OOM killer ends it, and nobody else, when it next asks
 * for some.
 * @returns whether it was killed in time; false as well where groups can't be made (no root, no memory controller).
 */
export async function oomKill(pid: number, timeoutMs: number): Promise<boolean> {
  const { root, limit } = memoryGroups();
  const group = join(root, `platefs-oom-${pid}`);
  try {
    mkdirSync(group);
  } catch {
    return false;
  }
  try {
    if (!existsSync(join(group, limit))) return false;
    writeFileSync(join(group, limit), String(LIMIT_BYTES));
    writeFileSync(join(group, 'cgroup.procs'), String(pid));
    await eventually('the kernel ends it', () => !existsSync(`/proc/${pid}`), timeoutMs);
    return true;
  } catch {
    // It asked for nothing, or is gone already: whoever wants it gone shoots it.
    return false;
  } finally {
    await emptied(group, root, pid);
  }
}

/** A group goes when nobody is in it. */
async function emptied(group: string, root: string, pid: number): Promise<void> {
  if (existsSync(`/proc/${pid}`)) writeFileSync(join(root, 'cgroup.procs'), String(pid));
  await eventually('the group is empty', () => {
    try {
      rmdirSync(group);
      return true;
    } catch {
      return false;
    }
  });
}
