import { type FSWatcher, watch } from 'node:fs';
import { stat } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';

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
 * it; only a file rewritten in place on a disk without events goes unnoticed.
 */
export class DirectoryWatch implements Disposable {
  readonly #options: DirectoryWatchOptions;
  readonly #watchers = new Map<string, FSWatcher>();
  /** State of every directory as last seen. */
  readonly #seen = new Map<string, string>();
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
   * Follows these directories from now on, and no others. A directory that is not as it is said to be is hinted at
   * soon.
   */
  follow(directories: Iterable<FollowedDirectory>): void {
    const wanted = new Map<string, string>();
    for (const { path, inode, mtimeMs } of directories) wanted.set(path, stateOf(inode, mtimeMs));
    for (const path of this.#seen.keys()) {
      if (wanted.has(path)) continue;
      this.#seen.delete(path);
      this.#watchers.get(path)?.close();
      this.#watchers.delete(path);
    }
    for (const [path, state] of wanted) {
      this.#seen.set(path, state);
      if (this.#options.events && !this.#watchers.has(path)) this.#open(path);
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
      const code = error instanceof Error && 'code' in error ? error.code : undefined;
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

  async #sweepForever(): Promise<void> {
    const { signal } = this.#stop;
    // What changed before there was a watch is found at once.
    let pauseMs = 0;
    while (!signal.aborted) {
      try {
        await delay(pauseMs, undefined, { signal, ref: false });
      } catch {
        return;
      }
      const begunMs = performance.now();
      await this.#sweep(signal);
      pauseMs = Math.max(this.#options.pollMs, (performance.now() - begunMs) / MAX_SWEEP_SHARE);
    }
  }

  async #sweep(signal: AbortSignal): Promise<void> {
    const paths = [...this.#seen.keys()];
    for (let at = 0; at < paths.length && !signal.aborted; at += SWEEP_CONCURRENCY)
      await Promise.all(paths.slice(at, at + SWEEP_CONCURRENCY).map((path) => this.#look(path)));
  }

  async #look(path: string): Promise<void> {
    const now = await directoryState(path);
    const before = this.#seen.get(path);
    if (before === undefined || before === now) return;
    this.#seen.set(path, now);
    this.#options.onHint({ path });
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
    this.#seen.clear();
  }
}

const stateOf = (inode: bigint, mtimeMs: number): string => `${inode} ${mtimeMs}`;

/** What changes whenever an entry comes or goes; the error's code where the directory can't be looked at. */
async function directoryState(path: string): Promise<string> {
  try {
    const { mtimeNs, ino } = await stat(path, { bigint: true });
    return stateOf(ino, Number(mtimeNs) / 1e6);
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
  }
}
