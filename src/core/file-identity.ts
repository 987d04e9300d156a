import type { BigIntStats } from 'node:fs';

/**
 * What tells a file, as it is now, from any other that is or was at its path: device, inode, size, time of change in
 * nanoseconds. Whatever is kept of a file is kept under it.
 */
export const fileIdentity = ({ dev, ino, size, mtimeNs }: BigIntStats): string =>
  `${dev}:${ino}:${size}:${mtimeNs}`;
