import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';

/** The kernel drops caches for root only. */
export const canDropCaches = process.getuid?.() === 0;

/** Makes the next read come from the disk: writes out, then drops pages, names and inodes. Root only. */
export function dropCaches(): void {
  spawnSync('sync');
  writeFileSync('/proc/sys/vm/drop_caches', '3');
}
