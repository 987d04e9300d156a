import { closeSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { AlreadyRunningError } from '../core/errors.ts';
import { lockExclusively } from '../fuse/syscalls.ts';

/** Whoever has it needs it for some small files. */
const WAIT_MS = 20_000;
const POLL_MS = 10;

/**
 * Runs work while nobody else makes, renames or deletes branches of a plate, or drops revisions that one could be made
 * from. It ends with the process, however that ends.
 * @param homeState the state folder of the plate's `main`.
 * @throws AlreadyRunningError when somebody else has it all the time.
 */
export async function whileBranchesRest<T>(homeState: string, work: () => Promise<T> | T): Promise<T> {
  mkdirSync(homeState, { recursive: true, mode: 0o700 });
  const path = join(homeState, 'branches.lock');
  const fd = openSync(path, 'a+', 0o600);
  try {
    const deadline = performance.now() + WAIT_MS;
    while (!lockExclusively(fd)) {
      if (performance.now() > deadline)
        throw new AlreadyRunningError(`another PlateFS works on the branches in ${homeState}`, {
          advice: `try again; see who has it:  fuser ${path}`,
        });
      await delay(POLL_MS);
    }
    return await work();
  } finally {
    closeSync(fd);
  }
}
