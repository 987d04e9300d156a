import { readdirSync, readFileSync, realpathSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';

/** One line of the kernel's list of mounts, proc_pid_mountinfo(5). */
export interface KernelMount {
  readonly mountpoint: string;
  readonly type: string;
  readonly source: string;
}

/** The kernel writes blank, tab, newline and backslash as three octal digits. */
function unescapeField(field: string): string {
  return Buffer.from(
    field.replaceAll(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8))),
    'latin1',
  ).toString('utf8');
}

export function parseMountInfo(text: string): KernelMount[] {
  const mounts: KernelMount[] = [];
  for (const line of text.split('\n')) {
    const [before, after] = line.split(' - ');
    const mountpoint = before?.split(' ')[4];
    const [type, source] = after?.split(' ') ?? [];
    if (mountpoint !== undefined && type !== undefined)
      mounts.push({ mountpoint: unescapeField(mountpoint), type, source: unescapeField(source ?? '') });
  }
  return mounts;
}

export function kernelMounts(): KernelMount[] {
  return parseMountInfo(readFileSync('/proc/self/mountinfo', 'latin1'));
}

/** Whether PlateFS made this mount. */
export function isPlateMount({ type, source }: KernelMount): boolean {
  return type === 'fuse.platefs' || (type.startsWith('fuse') && source.startsWith('platefs'));
}

/** The mount that lies on top at exactly this place. */
export function mountAt(mountpoint: string, mounts = kernelMounts()): KernelMount | undefined {
  return mounts.findLast((mount) => mount.mountpoint === mountpoint);
}

/**
 * The absolute path of a mountpoint as the kernel spells it. The last part is not looked at, since asking a
 * mount whose daemon is stuck would hang.
 */
export function mountpointPath(path: string): string {
  const absolute = resolve(path);
  if (mountAt(absolute)) return absolute;
  try {
    return join(realpathSync(dirname(absolute)), basename(absolute));
  } catch {
    // A parent that is not there is reported by whoever uses the path.
    return absolute;
  }
}

/** A mount whose daemon is gone answers ENOTCONN at once. */
export function isDisconnected(mountpoint: string): boolean {
  try {
    readdirSync(mountpoint);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOTCONN';
  }
}
