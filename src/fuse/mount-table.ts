import { readFileSync } from 'node:fs';

/** One line of /proc/self/mountinfo; proc_pid_mountinfo(5). */
export interface MountTableEntry {
  mountId: number;
  /** The device as major and minor number; of a FUSE mount, the minor is the connection's number. */
  major: number;
  minor: number;
  path: string;
  type: string;
  source: string;
}

/** Spaces, tabs, newlines and backslashes stand as three octal digits there. */
const decodeOctal = (text: string): string =>
  Buffer.from(
    text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))),
    'latin1',
  ).toString('utf8');

/** Parses the text of a mountinfo file (read as latin1); lines it does not understand are left out. */
export function parseMountTable(text: string): MountTableEntry[] {
  const entries: MountTableEntry[] = [];
  for (const line of text.split('\n')) {
    const fields = line.split(' ');
    const dash = fields.indexOf('-', 6);
    const [id, , device, , path] = fields;
    const type = fields[dash + 1];
    const source = fields[dash + 2];
    const [major, minor] = (device ?? '').split(':').map(Number);
    if (dash < 0 || path === undefined || type === undefined || source === undefined) continue;
    if (major === undefined || minor === undefined) continue;
    entries.push({
      mountId: Number(id),
      major,
      minor,
      path: decodeOctal(path),
      type,
      source: decodeOctal(source),
    });
  }
  return entries;
}

/** This process's mounts, in the order in which they were made. */
export function readMountTable(): MountTableEntry[] {
  return parseMountTable(readFileSync('/proc/self/mountinfo', 'latin1'));
}

/** The topmost mount at exactly `path` (absolute, links resolved). */
export function mountAt(
  path: string,
  table: MountTableEntry[] = readMountTable(),
): MountTableEntry | undefined {
  return table.findLast((entry) => entry.path === path);
}
