import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeFully } from '../core/io.ts';
import { storage, syncFolderOf } from '../core/storage.ts';

const BOOT_ID = '/proc/sys/kernel/random/boot_id';

/** What the mark says of this start of the machine. */
function bootId(): string {
  return existsSync(BOOT_ID) ? readFileSync(BOOT_ID, 'utf8').trim() : 'unknown';
}

const markPath = (memoryFolder: string): string => join(memoryFolder, 'power');
const endPath = (stateFolder: string): string => join(stateFolder, 'ended');

/**
 * What became of written bytes since the folders were last in use. `kept`: all there; `restarted`: the machine was
 * started again, and its memory lies on a disk, with whatever had reached it; `gone`: memory is empty, or was being
 * brought back from that when its daemon died.
 */
export type PowerState = 'kept' | 'restarted' | 'gone';

/** @param dataFolder - Where bytes in memory lie. */
export function powerState(memoryFolder: string, dataFolder: string, stateFolder: string): PowerState {
  if (!existsSync(dataFolder)) return existsSync(endPath(stateFolder)) ? 'kept' : 'gone';
  const path = markPath(memoryFolder);
  if (!existsSync(path)) return 'kept';
  const mark = readFileSync(path, 'utf8');
  if (mark === `running ${bootId()}`) return 'kept';
  return mark.startsWith('recovering') ? 'gone' : 'restarted';
}

function write(path: string, text: string): void {
  const fd = storage.open(path, 'w', 0o600);
  try {
    writeFully(fd, Buffer.from(text), 0);
  } finally {
    storage.close(fd);
  }
}

/** Notes that what was lost with the machine's power is about to be brought back. */
export function noteRecovery(memoryFolder: string, state: PowerState): void {
  if (state === 'gone') write(markPath(memoryFolder), 'recovering');
}

/** Notes that everything is brought back, and lives as long as the machine does. */
export function noteRunning(memoryFolder: string, stateFolder: string): void {
  write(markPath(memoryFolder), `running ${bootId()}`);
  const end = endPath(stateFolder);
  if (!existsSync(end)) return;
  storage.remove(end);
  syncFolderOf(end);
}

/** Notes that nothing was left in memory when it was given back. */
export function noteEnd(stateFolder: string): void {
  write(endPath(stateFolder), '');
}
