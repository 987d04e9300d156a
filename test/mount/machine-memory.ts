import { closeSync, existsSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** Every text has the same length, so that one takes the place of another at once. */
const TEXT_BYTES = 128;

/**
 * Says what is available on the machine that PlateFS sees where `PLATEFS_MEMORY_ROOT` is `root`: of 16 GiB. Whoever
 * looks meanwhile sees what was said before or all of this.
 */
export function sayMemory(root: string, availableMib: number): void {
  const folder = join(root, 'proc');
  const path = join(folder, 'meminfo');
  const text = `MemTotal: ${16 * 1024 ** 2} kB\nMemAvailable: ${availableMib * 1024} kB\n`;
  const padded = text.padEnd(TEXT_BYTES, '\n');
  if (!existsSync(path)) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(path, padded);
    return;
  }
  const fd = openSync(path, 'r+');
  try {
    writeSync(fd, padded, 0);
  } finally {
    closeSync(fd);
  }
}
