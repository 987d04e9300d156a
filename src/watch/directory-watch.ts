import { type FSWatcher, watch } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { systemCode } from '../core/system-code.ts';
import { repeatForShare } from './share-of-time.ts';

/** Something may have changed. */
export interface DirectoryHint {
  /** The directory it is about. */
  readonly path: string;
  /** The entry whose content may be different, where an event named one. */
  readonly name?: string;
}

/** A directory as it was when it was read. */
export interface FollowedDirectory {
  readonly path: string;
  readonly inode: bigint;
  readonly mtimeMs: number;
}

/** A file as it was when it was read. */
export interface FollowedFile {
  readonly path: string;
  readonly sizeBytes: number;
  readonly mtimeMs: number;
}

export interface DirectoryWatchOptions {
  /** Ask for events of the kernel; without them only {@link pollMs} finds changes, as on network disks. */
  readonly events: boolean;
  /** How often every directory's time is looked at. Finds what events missed: the kernel drops them in a flood. */
  readonly pollMs: number;
  readonly onHint: (hint: DirectoryHint) => void;
  /** Told once why events can't be had; polling goes on. */
  readonly onNoEvents: (error: unknown) => void;
}

/** A sweep over all directories may take this share of the time. */
const MAX_SWEEP_SHARE = 0.05;
/** Directories looked at between two turns of the event loop. */
const SWEEP_CONCURRENCY = 16;

/**
 * Watches directories for entries that come, go and change. What it says are hints: whoever hears one looks for
 * himself. A change is hinted at within `pollMs` even where every event is lost, since a directory's mtime tells of
 * it; a file rewritten in place on a disk without events is noticed only where it is followed itself.
 */
export class DirectoryWatch implements Disposable {
  readonly #options: DirectoryWatchOptions;
  readonly #watchers = new Map<string, FSWatcher>();
  /** State of every directory and file as last seen. */
  readonly #seen = new Map<string, string>();
  readonly #files = new Set<string>();
  readonly #stop = new AbortController();
  #eventsFailed = false;
  #sweeping: Promise<void> | undefined;

  constructor(options: DirectoryWatchOptions) {
    this.#options = options;
  }

  /** How many directories are followed by events; the others only by polling. */
  get eventCount(): number {
    return this.#watchers.size;
  }

  /**
   * Follows these directories from now on, and no others. What is not as it is said to be is hinted at soon. Events
   * of a directory tell of its files' content; `files`, a few that grow in place, are polled as well.
   */
  follow(directories: Iterable<FollowedDirectory>, files: Iterable<FollowedFile> = []): void {
    const wanted = new Map<string, string>();
    this.#files.clear();
    for (const { path, inode, mtimeMs } of directories) wanted.set(path, stateOf(inode, mtimeMs));
    for (const { path, sizeBytes, mtimeMs } of files) {
      wanted.set(path, stateOf(sizeBytes, mtimeMs));
      this.#files.add(path);
    }
    for (const path of this.#seen.keys()) {
      if (wanted.has(path)) continue;
      this.#seen.delete(path);
      this.#watchers.get(path)?.close();
      this.#watchers.delete(path);
    }
    for (const [path, state] of wanted) {
      this.#seen.set(path, state);
      const isWatched = this.#files.has(path) || this.#watchers.has(path);
      if (this.#options.events && !isWatched) this.#open(path);
    }
    this.#sweeping ??= this.#sweepForever();
  }

  #open(path: string): void {
    if (this.#eventsFailed) return;
    try {
      const watcher = watch(path, { persistent: false }, (_type, name) => {
        this.#options.onHint({ path, ...(name === null ? {} : { name }) });
      });
      watcher.on('error', () => this.#lose(path));
      this.#watchers.set(path, watcher);
    } catch (error) {
      const code = systemCode(error);
      // Gone meanwhile: the directory above tells of it.
      if (code === 'ENOENT' || code === 'ENOTDIR') return;
      // Out of watches (fs.inotify.max_user_watches), or a disk that has none.
      this.#eventsFailed = true;
      this.#options.onNoEvents(error);
    }
  }

  /** A watch that fails is as good as a change. */
  #lose(path: string): void {
    this.#watchers.get(path)?.close();
    this.#watchers.delete(path);
    this.#options.onHint({ path });
  }

  #sweepForever(): Promise<void> {
    const { signal } = this.#stop;
    const { pollMs } = this.#options;
    // What changed before there was a watch is found at once.
    const rounds = { firstPauseMs: 0, pauseMs: pollMs, maxShare: MAX_SWEEP_SHARE, signal };
    return repeatForShare(rounds, () => this.#sweep(signal));
  }

  async #sweep(signal: AbortSignal): Promise<void> {
    const paths = [...this.#seen.keys()];
    for (let at = 0; at < paths.length && !signal.aborted; at += SWEEP_CONCURRENCY)
      await Promise.all(paths.slice(at, at + SWEEP_CONCURRENCY).map((path) => this.#look(path)));
  }

  async #look(path: string): Promise<void> {
    const isFile = this.#files.has(path);
    const now = await currentState(path, isFile);
    const before = this.#seen.get(path);
    if (before === undefined || before === now) return;
    this.#seen.set(path, now);
    this.#options.onHint(isFile ? { path: dirname(path), name: basename(path) } : { path });
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
    this.#seen.clear();
  }
}

const stateOf = (inodeOrSize: bigint | number, mtimeMs: number): string => `${inodeOrSize} ${mtimeMs}`;

/**
 * What changes whenever an entry of a directory comes or goes, or a file is written; the error's code where it can't
 * be looked at.
 */
async function currentState(path: string, isFile: boolean): Promise<string> {
  try {
    const { mtimeNs, ino, size } = await stat(path, { bigint: true });
    return stateOf(isFile ? size : ino, Number(mtimeNs) / 1e6);
  } catch (error) {
    return systemCode(error) ?? 'unreadable';
  }
}
