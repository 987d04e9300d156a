import { fdatasyncSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants } from 'node:os';

/** Flags of `sync_file_range(2)`, which leaves the journal of the file system and the cache of the disk alone. */
const WAIT_BEFORE = 1;
const WRITE = 2;
const WAIT_AFTER = 4;

/** koffi is loaded by who needs it, and by nobody else. */
interface NativeCalls {
  syncFileRange(fd: number, offsetBytes: number, sizeBytes: number, flags: number): number;
  errno(): number;
}

let native: NativeCalls | undefined | null = null;

function load(): NativeCalls | undefined {
  if (process.platform !== 'linux') return undefined;
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  try {
    const call = koffi.load(null).func('int sync_file_range(int, int64_t, int64_t, uint)');
    return {
      syncFileRange: (fd, offsetBytes, sizeBytes, flags) => call(fd, offsetBytes, sizeBytes, flags) as number,
      errno: () => koffi.errno(),
    };
  } catch {
    // No such symbol in this C library: the disk then begins with the sync.
    return undefined;
  }
}

/** Lets the disk begin with a file's bytes, so that a sync has less to wait for. Tells of no failure: that does. */
export function beginWriteOut(fd: number): void {
  if (native === null) native = load();
  native?.syncFileRange(fd, 0, 0, WRITE);
}

/**
 * Has the disk take a file's bytes, and waits for it. They may still be lost with the power.
 * @throws the system's error, as node:fs does, where the disk refused some.
 */
export function writeOut(fd: number): void {
  if (native === null) native = load();
  if (native === undefined) {
    fdatasyncSync(fd);
    return;
  }
  if (native.syncFileRange(fd, 0, 0, WAIT_BEFORE | WRITE | WAIT_AFTER) === 0) return;
  const number = native.errno();
  const [code = 'EIO'] = Object.entries(constants.errno).find(([, value]) => value === number) ?? [];
  throw Object.assign(new Error(`${code}: sync_file_range`), {
    code,
    errno: -number,
    syscall: 'sync_file_range',
  });
}
