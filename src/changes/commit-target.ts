import { createHash } from 'node:crypto';
import {
  closeSync,
  fchmodSync,
  fchownSync,
  fsyncSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { CancelledError, FsRefusal, NoSpaceError } from '../core/errors.ts';
import { isOutOfSpace, readFully, writeFully } from '../core/io.ts';
import { systemCode } from '../core/system-code.ts';
import type { FileBytes } from './written-bytes.ts';

/** What a file has besides its bytes. */
export interface FileMarks {
  /** Permission bits. */
  readonly mode: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly atimeNs?: bigint;
  readonly mtimeNs?: bigint;
  readonly xattrs?: ReadonlyMap<string, Uint8Array>;
}

/** System calls that node:fs lacks, on open files; each throws a system error. */
export interface MarkCalls {
  setTimes(fd: number, atimeNs: bigint, mtimeNs: bigint): void;
  setXattr(fd: number, name: string, value: Uint8Array): void;
}

const COPY_BYTES = 4 << 20;
/** What says that the place can't keep a mark; the bytes are written all the same. */
const UNKEPT: ReadonlySet<string> = new Set(['EPERM', 'EOPNOTSUPP', 'ENOTSUP', 'ENOSYS', 'EINVAL']);
/** What link(2) says on file systems without hard links. */
const NO_LINKS: ReadonlySet<string> = new Set(['EPERM', 'EOPNOTSUPP', 'ENOTSUP', 'ENOSYS', 'EMLINK']);

const temporaryName = (path: string): string =>
  `.platefs-${createHash('sha256').update(path).digest('hex').slice(0, 16)}.part`;

/**
 * A folder that changes are written to, a file at a time: written aside, synced, renamed into place. Whatever ends the
 * process leaves every file old or new, and at worst one `.platefs-….part` that the next run takes away. Never
 * follows a link below the folder.
 */
export class CommitTarget {
  readonly folder: string;
  readonly #calls: MarkCalls;
  readonly #buffer = Buffer.allocUnsafe(COPY_BYTES);
  readonly #known = new Set<string>();
  readonly #touched = new Set<string>();
  readonly #made = new Set<string>();
  /** Marks the place could not keep, by kind, with how many files it could not. */
  readonly unkept = new Map<'owner' | 'times' | 'xattrs' | 'mode', number>();

  constructor(folder: string, calls: MarkCalls) {
    this.folder = folder;
    this.#calls = calls;
  }

  /** What has this name now, itself and not what it links to. */
  #stat(path: string): ReturnType<typeof lstatSync> {
    return lstatSync(join(this.folder, path), { throwIfNoEntry: false });
  }

  /** Whether anything has this name. */
  has(path: string): boolean {
    return this.#stat(path) !== undefined;
  }

  /** Whether something lies there that is not these bytes, and would be lost. */
  async holdsOther(path: string, bytes: FileBytes | undefined, signal: AbortSignal): Promise<boolean> {
    const present = this.#stat(path);
    if (present === undefined) return false;
    return !(await this.#isSame(path, bytes, signal));
  }

  /** Whether exactly these bytes lie there already; without `bytes`, whether a folder does. */
  async #isSame(path: string, bytes: FileBytes | undefined, signal: AbortSignal): Promise<boolean> {
    const present = this.#stat(path);
    if (!bytes) return present?.isDirectory() === true;
    if (!present?.isFile() || present.size !== bytes.sizeBytes) return false;
    const wanted = Buffer.allocUnsafe(Math.min(COPY_BYTES, Math.max(1, bytes.sizeBytes)));
    const fd = openSync(join(this.folder, path), 'r');
    try {
      for (let at = 0; at < bytes.sizeBytes; at += wanted.length) {
        const part = wanted.subarray(0, Math.min(wanted.length, bytes.sizeBytes - at));
        const there = this.#buffer.subarray(0, part.length);
        bytes.read(at, part);
        if (readFully(fd, there, at) < part.length || !there.equals(part)) return false;
        await breathe(signal);
      }
      return true;
    } finally {
      closeSync(fd);
    }
  }

  /** Makes a folder and those above it. @throws FsRefusal where something else has one of the names. */
  makeFolder(path: string): void {
    if (path === '.' || this.#known.has(path)) return;
    if (path !== '') this.makeFolder(dirname(path));
    const absolute = join(this.folder, path);
    const present = lstatSync(absolute, { throwIfNoEntry: false });
    if (present && !present.isDirectory())
      throw new FsRefusal('not-a-directory', `${absolute} is no folder`, { advice: 'move it away' });
    if (!present) {
      mkdirSync(absolute);
      this.#made.add(path);
      this.#touched.add(dirname(absolute));
    }
    this.#known.add(path);
  }

  /** Gives a folder that was made here its marks; to be called when all that lies in it is written. */
  markFolder(path: string, marks: FileMarks): void {
    if (!this.#made.has(path)) return;
    const fd = openSync(join(this.folder, path), 'r');
    try {
      this.#mark(fd, marks);
    } finally {
      closeSync(fd);
    }
  }

  /**
   * Writes a file, unless it lies there already with exactly these bytes.
   * @throws FsRefusal `entry-exists` where other bytes lie and may not be replaced; NoSpaceError; CancelledError; what
   *   reading the bytes throws. The file is then as it was.
   */
  async writeFile(
    path: string,
    bytes: FileBytes,
    marks: FileMarks,
    options: {
      readonly replace: boolean;
      readonly signal: AbortSignal;
      readonly onBytes?: (count: number) => void;
    },
  ): Promise<'written' | 'present'> {
    const { replace, signal, onBytes } = options;
    this.makeFolder(dirname(path));
    const absolute = join(this.folder, path);
    const temporary = join(dirname(absolute), temporaryName(path));
    // Of a run that was killed, also just after the file was in place.
    rmSync(temporary, { force: true });
    if (await this.#isSame(path, bytes, signal)) {
      onBytes?.(bytes.sizeBytes);
      return 'present';
    }
    try {
      const fd = openSync(temporary, 'wx', 0o600);
      try {
        for (let at = 0; at < bytes.sizeBytes; at += COPY_BYTES) {
          const part = this.#buffer.subarray(0, Math.min(COPY_BYTES, bytes.sizeBytes - at));
          bytes.read(at, part);
          writeFully(fd, part, at);
          onBytes?.(part.length);
          await breathe(signal);
        }
        this.#mark(fd, marks);
        fsyncSync(fd);
      } finally {
        closeSync(fd);
      }
      this.#putInPlace(temporary, absolute, replace);
    } catch (error) {
      rmSync(temporary, { force: true });
      if (!isOutOfSpace(error)) throw error;
      throw new NoSpaceError(`no room for ${absolute}`, {
        cause: error,
        advice: 'free space there and run the same command again: it goes on where it stopped',
      });
    }
    this.#touched.add(dirname(absolute));
    return 'written';
  }

  /** Makes a symbolic link. @throws FsRefusal `entry-exists` as {@link writeFile}. */
  writeLink(path: string, target: string, replace: boolean): 'written' | 'present' {
    this.makeFolder(dirname(path));
    const absolute = join(this.folder, path);
    const temporary = join(dirname(absolute), temporaryName(path));
    rmSync(temporary, { force: true });
    if (this.#stat(path)?.isSymbolicLink() && readlinkSync(absolute) === target) return 'present';
    symlinkSync(target, temporary);
    try {
      this.#putInPlace(temporary, absolute, replace);
    } catch (error) {
      rmSync(temporary, { force: true });
      throw error;
    }
    this.#touched.add(dirname(absolute));
    return 'written';
  }

  /** Makes the names survive power loss. */
  sync(): void {
    for (const folder of this.#touched) {
      const fd = openSync(folder, 'r');
      try {
        fsyncSync(fd);
      } finally {
        closeSync(fd);
      }
    }
    this.#touched.clear();
  }

  #putInPlace(temporary: string, path: string, replace: boolean): void {
    if (replace) {
      renameSync(temporary, path);
      return;
    }
    try {
      linkSync(temporary, path);
    } catch (error) {
      const code = systemCode(error) ?? '';
      if (code !== 'EEXIST' && !NO_LINKS.has(code)) throw error;
      if (code === 'EEXIST' || lstatSync(path, { throwIfNoEntry: false }))
        throw new FsRefusal('entry-exists', `${path} exists and is another file`, {
          advice: 'move it away, name another folder, or use --overwrite',
        });
      renameSync(temporary, path);
      return;
    }
    rmSync(temporary);
  }

  #mark(fd: number, { mode, uid, gid, atimeNs, mtimeNs, xattrs }: FileMarks): void {
    // Owner first: changing it takes set-user-ID bits away.
    if (uid !== undefined && gid !== undefined && (uid !== process.getuid?.() || gid !== process.getgid?.()))
      this.#try('owner', () => fchownSync(fd, uid, gid));
    this.#try('mode', () => fchmodSync(fd, mode & 0o7777));
    for (const [name, value] of xattrs ?? [])
      this.#try('xattrs', () => this.#calls.setXattr(fd, name, value));
    if (mtimeNs !== undefined)
      this.#try('times', () => this.#calls.setTimes(fd, atimeNs ?? mtimeNs, mtimeNs));
  }

  #try(what: 'owner' | 'times' | 'xattrs' | 'mode', set: () => void): void {
    try {
      set();
    } catch (error) {
      if (!UNKEPT.has(systemCode(error) ?? '')) throw error;
      this.unkept.set(what, (this.unkept.get(what) ?? 0) + 1);
    }
  }
}

/** Lets signals and progress through. @throws CancelledError */
async function breathe(signal: AbortSignal): Promise<void> {
  await turn();
  if (signal.aborted)
    throw new CancelledError('stopped before everything was written', {
      advice: 'run the same command again: it goes on where it stopped',
    });
}
