import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  fsyncSync,
  lstatSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import {
  AlreadyRunningError,
  BadMetadataError,
  CancelledError,
  UnreadableSourceError,
} from '../core/errors.ts';
import { writeFully } from '../core/io.ts';
import { systemCode } from '../core/system-code.ts';
import { lockExclusively, SystemCallError } from '../fuse/syscalls.ts';

export const OPENHCS_METADATA = 'openhcs_metadata.json';

/** How long OpenHCS itself waits for the lock, and how often it tries. */
const LOCK_TIMEOUT_MS = 30_000;
const LOCK_RETRY_MS = 100;
/** A file of more would not fit into one text. */
const MAX_BYTES = 384 * 1024 * 1024;

/** Not yet in TypeScript's library: numbers that are written again as they were spelt. */
const { rawJSON, isRawJSON } = JSON as typeof JSON & {
  rawJSON(text: string): unknown;
  isRawJSON(value: unknown): boolean;
};

export type JsonObject = { readonly [key: string]: unknown };

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !isRawJSON(value);

const NOTHING_DONE = { advice: 'nothing was changed; repair the file, or move it away' };

/**
 * The document in a file, numbers as they are spelt; undefined where there is no file.
 * @throws UnreadableSourceError, BadMetadataError: such a file must not be written over.
 */
export function readOpenHcsMetadata(path: string): JsonObject | undefined {
  let text: string;
  try {
    if (statSync(path).size > MAX_BYTES)
      throw new BadMetadataError(path, `has more than ${MAX_BYTES} bytes`, NOTHING_DONE);
    text = readFileSync(path, 'utf8').replace(/^\uFEFF/, '');
  } catch (cause) {
    if (systemCode(cause) === 'ENOENT') return undefined;
    if (cause instanceof BadMetadataError) throw cause;
    throw new UnreadableSourceError(path, "can't be read", { cause, ...NOTHING_DONE });
  }
  let value: unknown;
  try {
    value = JSON.parse(text, asSpelt);
  } catch (cause) {
    throw new BadMetadataError(path, 'is no JSON', { cause, ...NOTHING_DONE });
  }
  if (!isObject(value) || !isObject(value['subdirectories']))
    throw new BadMetadataError(
      path,
      "has no 'subdirectories', so it is none of OpenHCS's, or an old one",
      NOTHING_DONE,
    );
  return value;
}

/** Reviver that keeps a number's own spelling: `1.0` stays `1.0`, and 20 digits stay 20 digits. */
function asSpelt(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  return typeof value === 'number' && context?.source !== undefined ? rawJSON(context.source) : value;
}

export interface MetadataUpdate {
  /** Milliseconds to wait for the lock; as long as OpenHCS does unless set. */
  readonly timeoutMs?: number;
  readonly signal: AbortSignal;
  /** Told what is being waited for. */
  readonly onWait: (text: string) => void;
}

/**
 * Changes a metadata file as OpenHCS changes it: under its lock file `<name>.lock`, through a temporary file in the same
 * folder, synced and renamed. A reader sees the old document or the new one. `change` gets the document there is.
 * @returns whether the file could be locked against others; some network disks can't.
 * @throws AlreadyRunningError when somebody else holds the lock all the time; what `change` throws.
 */
export async function updateOpenHcsMetadata(
  path: string,
  change: (current: JsonObject | undefined) => JsonObject,
  update: MetadataUpdate,
): Promise<{ readonly isLocked: boolean; readonly replaced: boolean }> {
  const target = realTarget(path);
  const lock = await takeLock(`${target}.lock`, update);
  try {
    const current = readOpenHcsMetadata(target);
    replaceFile(target, stringify(path, change(current)));
    return { isLocked: lock.isLocked, replaced: current !== undefined };
  } finally {
    // Removed while it is held, as OpenHCS does: who waits for it notices and makes a new one.
    rmSync(`${target}.lock`, { force: true });
    closeSync(lock.fd);
  }
}

/** The file that a path leads to: of a link it is what is to be replaced. @throws UnreadableSourceError */
export function realTarget(path: string): string {
  try {
    return realpathSync(path);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT')
      throw new UnreadableSourceError(path, "can't be reached", { cause: error });
    return join(realFolder(path), basename(path));
  }
}

function realFolder(path: string): string {
  try {
    return realpathSync(dirname(path));
  } catch (cause) {
    throw new UnreadableSourceError(dirname(path), 'there is no such folder', {
      cause,
      advice: 'make it first',
    });
  }
}

function stringify(path: string, document: JsonObject): string {
  try {
    return JSON.stringify(document, undefined, 2);
  } catch (cause) {
    throw new BadMetadataError(path, 'is nested too deep, or is too large, to be written again', {
      cause,
      ...NOTHING_DONE,
    });
  }
}

async function takeLock(
  path: string,
  { timeoutMs = LOCK_TIMEOUT_MS, signal, onWait }: MetadataUpdate,
): Promise<{ readonly fd: number; readonly isLocked: boolean }> {
  const deadlineMs = performance.now() + timeoutMs;
  for (;;) {
    const fd = openLock(path);
    let kept = false;
    try {
      const isLocked = tryLock(fd);
      if (isLocked === undefined || (isLocked && isStillThere(fd, path))) {
        kept = true;
        return { fd, isLocked: isLocked !== undefined };
      }
    } finally {
      if (!kept) closeSync(fd);
    }
    if (performance.now() >= deadlineMs)
      throw new AlreadyRunningError(`${path} has been locked by another program for ${timeoutMs / 1000} s`, {
        advice: 'wait until OpenHCS is done; nothing was changed',
      });
    onWait(`waiting for ${path}`);
    await pause(LOCK_RETRY_MS, undefined, { signal }).catch((cause: unknown) => {
      throw new CancelledError('waiting for the lock was cancelled', { cause });
    });
  }
}

function openLock(path: string): number {
  try {
    return openSync(path, constants.O_CREAT | constants.O_RDWR | constants.O_NOFOLLOW, 0o666);
  } catch (cause) {
    throw new UnreadableSourceError(path, "can't be made", {
      cause,
      advice: 'check that you may write in its folder',
    });
  }
}

/** Whether the lock was taken; undefined where the disk has no locks. */
function tryLock(fd: number): boolean | undefined {
  try {
    return lockExclusively(fd);
  } catch (error) {
    if (error instanceof SystemCallError && ['ENOLCK', 'ENOSYS', 'EOPNOTSUPP'].includes(error.code))
      return undefined;
    throw error;
  }
}

/** Whether the lock file that was locked still has its name: its last holder removed it otherwise. */
function isStillThere(fd: number, path: string): boolean {
  const own = fstatSync(fd, { bigint: true });
  const named = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  return named?.ino === own.ino && named.dev === own.dev;
}

function replaceFile(target: string, text: string): void {
  const folder = dirname(target);
  const temporary = join(folder, `.tmp${basename(target)}${randomBytes(6).toString('hex')}.json`);
  const mode = statSync(target, { throwIfNoEntry: false })?.mode;
  try {
    const fd = openSync(temporary, 'wx', 0o666);
    try {
      if (mode !== undefined) fchmodSync(fd, mode & 0o777);
      writeFully(fd, Buffer.from(text), 0);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, target);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  const fd = openSync(folder, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
