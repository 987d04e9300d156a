import { createRequire } from 'node:module';
import { constants, release } from 'node:os';

/** koffi is loaded by who syncs a whole file system, and by nobody else. */
interface NativeCalls {
  syncFs(fd: number): number;
  errno(): number;
}

/** `syncfs(2)` reports write errors since Linux 5.8. */
const REPORTS_ERRORS_SINCE = 5.08;

let native: NativeCalls | undefined;

function load(): NativeCalls {
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  return {
    syncFs: koffi.load(null).func('int syncfs(int fd)') as (fd: number) => number,
    errno: () => koffi.errno(),
  };
}

function tellsOfErrors(): boolean {
  const [major = 0, minor = 0] = release().split('.').map(Number);
  return major + minor / 100 >= REPORTS_ERRORS_SINCE;
}

/**
 * Makes everything of the file system that `fd` lies on durable, names included, at the cost of one commit of its
 * journal. Waits for the disk.
 * @returns whether it would have told of any write that failed since `fd` was opened: a kernel before 5.8 doesn't.
 * @throws the system's error, as node:fs does.
 */
export function syncFileSystem(fd: number): boolean {
  native ??= load();
  if (native.syncFs(fd) === 0) return tellsOfErrors();
  const number = native.errno();
  const [code = 'EIO'] = Object.entries(constants.errno).find(([, value]) => value === number) ?? [];
  throw Object.assign(new Error(`${code}: syncfs`), { code, errno: -number, syscall: 'syncfs' });
}
