import { randomUUID } from 'node:crypto';
import { constants, fstatSync, readSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { CancelledError } from '../core/errors.ts';
import { writeFully } from '../core/io.ts';
import { storage } from '../core/storage.ts';
import { systemCode } from '../core/system-code.ts';
import { STATE_NAME } from './landing.ts';
import { makeFolders } from './staged-file.ts';

/** Takes an exclusive flock(2) without waiting; false when another process, or another opening of the file, has it. */
export type TakeLock = (fd: number) => boolean;

/** The right to change an output folder. */
export interface OutputTurn {
  /** The lock's file, open since before anything was written in this turn. */
  readonly descriptor: number;
  /** Whether somebody else may have changed the folder since this holder's last turn. */
  readonly isNews: boolean;
  release(): void;
}

/** Who waits holds the first, so that turns go round; who has the second may change the folder. */
const QUEUE = 'queue.lock';
const LOCK = 'lock';
const TRY_AGAIN_MS = 10;
const TELL_AFTER_MS = 10_000;
/** Of what the lock's file says of its holder: always as long, so that it never needs more of a disk that is full. */
const HOLDER_BYTES = 512;
/** The file system has no locks. */
const NO_LOCK_CODES: ReadonlySet<string> = new Set(['ENOLCK', 'ENOSYS', 'EOPNOTSUPP']);

/**
 * Lets one process at a time change an output folder. The kernel gives the lock back when its holder ends, however it
 * ends; its file says who had it last.
 */
export class OutputLock {
  readonly #folder: string;
  readonly #take: TakeLock;
  readonly #holder: Buffer;
  readonly #onNote: (note: string) => void;
  #isWithoutLocks = false;

  /**
   * @param holder - Who this is, for people who wait: `the mount at /mnt/plate`.
   * @param onNote - Told of long waits, and of file systems without locks.
   */
  constructor(outputDir: string, holder: string, take: TakeLock, onNote: (note: string) => void) {
    this.#folder = join(outputDir, STATE_NAME);
    this.#take = take;
    this.#onNote = onNote;
    const text = `${randomUUID()}\n${process.pid}\n${holder}`;
    this.#holder = Buffer.alloc(HOLDER_BYTES);
    this.#holder.write(text, 0, HOLDER_BYTES - 1);
  }

  /**
   * Waits for the folder.
   * @throws CancelledError after an abort, the system's error when the lock's file can't be used.
   */
  async acquire(signal: AbortSignal): Promise<OutputTurn> {
    const queue = await this.lock(join(this.#folder, QUEUE), signal);
    let descriptor: number;
    try {
      descriptor = await this.lock(join(this.#folder, LOCK), signal);
    } finally {
      storage.close(queue);
    }
    try {
      const isNews = this.#isWithoutLocks || !this.#lastHolder(descriptor).equals(this.#holder);
      // Before anything is changed: who comes next must know.
      if (isNews) writeFully(descriptor, this.#holder, 0);
      return { descriptor, isNews, release: () => storage.close(descriptor) };
    } catch (error) {
      storage.close(descriptor);
      throw error;
    }
  }

  /** Waits for a lock on a file, which is made where it is missing. @returns its descriptor: closing it gives it back. */
  async lock(path: string, signal: AbortSignal): Promise<number> {
    const sinceMs = performance.now();
    let isTold = false;
    for (;;) {
      const descriptor = openLock(path);
      let isKept = false;
      try {
        isKept = this.#tryLock(descriptor) && isNamed(descriptor, path);
        if (isKept) return descriptor;
        if (!isTold && performance.now() - sinceMs > TELL_AFTER_MS) {
          isTold = true;
          this.#onNote(
            `waiting for ${this.#describeHolder()}, which writes to ${dirname(this.#folder)} too; results stay in the mount until it lets go`,
          );
        }
      } finally {
        if (!isKept) storage.close(descriptor);
      }
      if (signal.aborted) throw new CancelledError('landing was cancelled');
      await pause(TRY_AGAIN_MS);
    }
  }

  #tryLock(descriptor: number): boolean {
    if (this.#isWithoutLocks) return true;
    try {
      return this.#take(descriptor);
    } catch (error) {
      if (!NO_LOCK_CODES.has(systemCode(error) ?? '')) throw error;
      this.#isWithoutLocks = true;
      this.#onNote(
        `${dirname(this.#folder)} is on a file system without locks: let no other mount write to it`,
      );
      return true;
    }
  }

  #lastHolder(descriptor: number): Buffer {
    const text = Buffer.alloc(HOLDER_BYTES);
    readSync(descriptor, text, 0, HOLDER_BYTES, 0);
    return text;
  }

  #describeHolder(): string {
    const descriptor = openLock(join(this.#folder, LOCK));
    try {
      const text = this.#lastHolder(descriptor).toString('utf8');
      const [, pid = '', holder = ''] = text.slice(0, text.indexOf('\0')).split('\n');
      return holder === '' ? 'another process' : `${holder} (pid ${pid})`;
    } finally {
      storage.close(descriptor);
    }
  }
}

/** A turn where nobody else is. The folder is open before anything is written, so that no write that fails goes unheard. */
export function soleTurn(outputDir: string): OutputTurn {
  const descriptor = storage.open(outputDir, 'r');
  return { descriptor, isNews: false, release: () => storage.close(descriptor) };
}

function openLock(path: string): number {
  const flags = constants.O_RDWR | constants.O_CREAT;
  try {
    return storage.open(path, flags, 0o666);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
    makeFolders(dirname(path));
    return storage.open(path, flags, 0o666);
  }
}

/** Whether a file still has its name: somebody may have removed the folder meanwhile. */
function isNamed(descriptor: number, path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.ino === fstatSync(descriptor).ino;
}
