import { existsSync, rmSync } from 'node:fs';

/**
 * Places where a daemon that dies would leave a change half done. Tests end the process there, or throw, and
 * then look whether anything was lost. Nothing happens, and nothing is paid, unless they ask.
 */
export type FaultPoint =
  /** A change is decided and not in the journal. */
  | 'journal.before-append'
  /** It is in the journal and nowhere else yet. */
  | 'journal.after-append'
  /** Checksums of bytes are noted, the bytes are not written. */
  | 'store.before-write'
  /** Bytes are in their file, the write is not answered. */
  | 'store.after-write'
  /** A staged copy has its final name, no record names it. */
  | 'store.after-adopt'
  /** A spill file holds everything, no record says so. */
  | 'store.after-spill'
  /** Synced bytes are with the kernel, not on the disk. */
  | 'sync.before-sync'
  /** They are on the disk, and nobody has been told. */
  | 'sync.before-reply'
  /** A landing is noted, its memory not yet free. */
  | 'overlay.landed-not-freed'
  /** A request is carried out, its answer not sent. */
  | 'session.before-reply'
  /** Files are in the output folder, the front does not know. */
  | 'landing.before-note'
  /** A hook's outputs are finished, not in the namespace. */
  | 'hook.before-publish'
  /** They are in the namespace, and the kernel has not heard of them. */
  | 'hook.after-publish'
  /** Bytes that a revision needs are kept, their place not yet given up. */
  | 'revision.kept'
  /** Everything is known of a revision that is not there yet. */
  | 'revision.before-note'
  /** A branch has all that it begins with, and no name. */
  | 'branch.before-name'
  /** A branch is no more, what it had is still there. */
  | 'branch.deleted-not-cleared'
  /** The mount is being written out. */
  | 'daemon.draining';

/**
 * Environment variable of the daemon: `point:n:file`. The process is killed with SIGKILL when it passes that point
 * the nth time while the file exists; the file is removed first, so that it happens once.
 */
const VARIABLE = 'PLATEFS_FAULT';

let onPass: ((point: FaultPoint) => void) | undefined = killerOf(process.env[VARIABLE]);

function killerOf(wish: string | undefined): ((point: FaultPoint) => void) | undefined {
  if (wish === undefined || wish === '') return undefined;
  const [point, count = '1', file = ''] = wish.split(':');
  let left = Number(count);
  return (passed) => {
    if (passed !== point || !existsSync(file) || --left > 0) return;
    rmSync(file);
    process.kill(process.pid, 'SIGKILL');
  };
}

/** Says that a point is passed. */
export function passFaultPoint(point: FaultPoint): void {
  onPass?.(point);
}

/** Has `hear` called at every point in this thread, for tests in process; it may throw. */
export function hearFaultPoints(hear: ((point: FaultPoint) => void) | undefined): void {
  onPass = hear;
}
