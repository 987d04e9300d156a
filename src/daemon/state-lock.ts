import { closeSync, mkdirSync, openSync, readFileSync, truncateSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { AlreadyRunningError } from '../core/errors.ts';
import { lockExclusively } from '../fuse/syscalls.ts';

/**
 * Takes a state folder for this process until it ends, however it ends, or gives it back.
 * @returns gives the folder back.
 * @throws AlreadyRunningError when another daemon has it.
 */
export function lockState(stateFolder: string): () => void {
  mkdirSync(stateFolder, { recursive: true, mode: 0o700 });
  const path = join(stateFolder, 'lock');
  const fd = openSync(path, 'a+', 0o600);
  if (!lockExclusively(fd)) {
    throw new AlreadyRunningError(
      `another PlateFS (pid ${readFileSync(path, 'utf8').trim()}) already serves ${stateFolder}`,
      {
        advice:
          "see 'platefs status'; unmount that one, or give this one another --output or a --state of its own",
      },
    );
  }
  truncateSync(path, 0);
  writeSync(fd, `${process.pid}\n`);
  return () => closeSync(fd);
}
