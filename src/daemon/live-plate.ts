import { Worker } from 'node:worker_threads';
import { explain } from '../core/errors.ts';
import { fullVersion } from '../model/indexed-source.ts';
import type { WatchMode } from '../model/mount-definition.ts';
import type { PlateIndex } from '../model/plate-index.ts';
import { directoryPath, filePath } from '../model/plate-lookup.ts';
import type { PlateDifference } from '../model/plate-succession.ts';
import { isSettled, settlesAtMs } from '../model/settled-directory.ts';
import { type SharedTree, succeedTree } from '../tree/shared-tree.ts';
import { remoteCheckMs } from '../tree/sources/remote-identities.ts';
import { DirectoryWatch, type FollowedFile } from '../watch/directory-watch.ts';
import { networkDiskKind } from '../watch/disk-kind.ts';
import type { FromIndexWorker, IndexWorkerData, LookAgain } from './index-worker.ts';
import { logEvent } from './log.ts';
import type { SessionTree } from './session-tree.ts';

/** Events come in bursts: one look answers them all. */
const DEBOUNCE_MS = 100;
/** Looking may take this share of the time, so that a huge plate that never rests doesn't eat a core. */
const MAX_LOOK_SHARE = 0.5;
const WAITING_MS = 250;
/** Longer than the pauses of a microscope between two images of a series. */
const REST_MS = 60_000;
/** A folder of times to come, of another clock or from before ours was set back, is looked into so often. */
const LONGEST_SETTLING_MS = 60_000;
const LOCAL_POLL_MS = 5000;
const NETWORK_POLL_MS = 1000;

/** Of the files that the index was drawn from, so many of the newest are followed themselves. */
const MAX_FOLLOWED_FILES = 64;

/**
 * Lists of images and containers of them grow in place while a plate is acquired: those written last. Their folders
 * don't change with them.
 */
function growingFiles(index: PlateIndex): FollowedFile[] {
  const { sizeBytes, mtimeMs } = index.files;
  return [...index.evidenceFiles]
    .sort((a, b) => (mtimeMs[b] ?? 0) - (mtimeMs[a] ?? 0))
    .slice(0, MAX_FOLLOWED_FILES)
    .map((file) => ({
      path: `${index.rootPath}/${filePath(index, file)}`,
      sizeBytes: sizeBytes[file] ?? 0,
      mtimeMs: mtimeMs[file] ?? 0,
    }));
}

export interface LivePlateParts {
  readonly mode: WatchMode;
  readonly session: SessionTree;
  /** Shows the mount's threads another tree; resolves when every new request sees it. */
  readonly adopt: (shared: SharedTree) => Promise<void>;
  /** Tells the kernel what is different. */
  readonly invalidate: (before: SharedTree, after: SharedTree, difference: PlateDifference) => void;
  readonly warn: (message: string) => void;
}

/** Follows a plate that still grows: looks when something may have changed, and shows what did. */
export class LivePlate {
  readonly #parts: LivePlateParts;
  #shared: SharedTree;
  #watch: DirectoryWatch | undefined;
  #worker: Worker | undefined;
  #timer: NodeJS.Timeout | undefined;
  #settling: NodeJS.Timeout | undefined;
  #checking: NodeJS.Timeout | undefined;
  #resting: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;
  /** When the timer runs out, by the clock that never jumps. */
  #dueMs = 0;
  /** Directories may have changed since the last walk began. */
  #walkWanted = false;
  /** From when on the plate may be walked through again. */
  #walkFromMs = 0;
  /** What is known of sources may be of files that are no more. */
  #isDoubted = false;
  #lastFailure = '';
  #closed = false;

  constructor(shared: SharedTree, parts: LivePlateParts) {
    this.#shared = shared;
    this.#parts = parts;
  }

  /** The plate as it is shown. */
  get index(): PlateIndex {
    return this.#shared.index;
  }

  get shared(): SharedTree {
    return this.#shared;
  }

  /** Begins to watch. `lookNow` when it is not known that nothing changed since the index was made. */
  start(lookNow: boolean): void {
    const { mode, warn } = this.#parts;
    const kind = this.index.scope?.kind;
    if (mode === 'off' || kind === 'list') return;
    if (kind === 'url') {
      if (remoteCheckMs > 0) this.#checking = setInterval(() => this.#hint(), remoteCheckMs).unref();
      return;
    }
    const network = this.#networkKind();
    const events = mode === 'auto' && network === undefined;
    if (mode === 'auto' && network !== undefined)
      logEvent(`the plate lies on ${network}: it is looked at every ${NETWORK_POLL_MS / 1000} s`);
    this.#watch = new DirectoryWatch({
      events,
      pollMs: events ? LOCAL_POLL_MS : NETWORK_POLL_MS,
      onHint: () => this.#hint(),
      onNoEvents: (error) =>
        warn(
          `changes of the plate are seen late, every ${LOCAL_POLL_MS / 1000} s: ${explain(error)}; ` +
            'raise fs.inotify.max_user_watches',
        ),
    });
    this.#follow(this.index);
    if (lookNow) this.#hint();
  }

  /** Whether it lies on a disk where other machines' changes raise no event. */
  get isOnNetwork(): boolean {
    const kind = this.index.scope?.kind;
    return kind !== 'url' && kind !== 'list' && this.#networkKind() !== undefined;
  }

  #networkKind(): string | undefined {
    try {
      return networkDiskKind(this.index.rootPath);
    } catch (error) {
      this.#parts.warn(`the plate's disk can't be asked what it is: ${explain(error)}`);
      return undefined;
    }
  }

  #follow(index: PlateIndex): void {
    const { count, inodes, mtimeMs } = index.directories;
    let unsettledMs = 0;
    const directories = Array.from({ length: count }, (_, i) => {
      const path = directoryPath(index, i);
      const time = mtimeMs[i] ?? 0;
      if (!isSettled(time, index.indexedAtMs))
        unsettledMs = Math.max(unsettledMs, settlesAtMs(time) - Date.now());
      return {
        path: path === '' ? index.rootPath : `${index.rootPath}/${path}`,
        inode: inodes[i] ?? 0n,
        mtimeMs: time,
      };
    });
    this.#watch?.follow(directories, growingFiles(index));
    // What came within the same tick of the clock has left no newer mtime behind.
    clearTimeout(this.#settling);
    if (unsettledMs > 0)
      this.#settling = setTimeout(() => this.#hint(), Math.min(unsettledMs, LONGEST_SETTLING_MS)).unref();
  }

  /** Somebody saw that a source is not as it was looked into: it is looked into again. */
  doubt(): void {
    this.#isDoubted = true;
    this.#hint();
  }

  #hint(): void {
    this.#walkWanted = true;
    // It loads while we wait for the burst to end.
    if (!this.#closed) this.#worker ??= this.#startWorker();
    this.#schedule(Math.max(DEBOUNCE_MS, this.#walkFromMs - performance.now()));
  }

  /** Has a look taken after this time, or sooner where one is due sooner. */
  #schedule(delayMs: number): void {
    const dueMs = performance.now() + delayMs;
    if (this.#closed || this.#looking || (this.#timer !== undefined && this.#dueMs <= dueMs)) return;
    clearTimeout(this.#timer);
    this.#dueMs = dueMs;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#looking = this.#look().then((waiting) => {
        this.#looking = undefined;
        if (waiting) this.#schedule(WAITING_MS);
        if (this.#walkWanted) this.#hint();
      });
    }, delayMs);
    this.#timer.unref();
  }

  /** @returns whether files are waited for, so that another look must follow. */
  async #look(): Promise<boolean> {
    const begunMs = performance.now();
    // Timers may run out a moment early.
    const walk = this.#walkWanted && begunMs + 1 >= this.#walkFromMs;
    if (walk) this.#walkWanted = false;
    const isDoubted = walk && this.#isDoubted;
    if (walk) this.#isDoubted = false;
    const found = await this.#ask({ shown: this.index, walk, isDoubted });
    if (this.#closed) return false;
    if (found.type === 'failed') {
      // The disk is away, or the folder is: what was there stays shown, and is looked for again.
      if (found.message !== this.#lastFailure) this.#parts.warn(`the plate can't be read: ${found.message}`);
      this.#lastFailure = found.message;
    } else {
      this.#lastFailure = '';
      try {
        await this.#show(found.index);
        this.#follow(found.index);
      } catch (error) {
        this.#parts.warn(`what changed in the plate can't be shown: ${explain(error)}`);
      }
    }
    this.#restLater();
    const endMs = performance.now();
    if (walk) this.#walkFromMs = endMs + (endMs - begunMs) * (1 / MAX_LOOK_SHARE - 1);
    return found.type === 'index' && found.waiting > 0;
  }

  async #show(index: PlateIndex): Promise<void> {
    const before = this.#shared;
    if (isSamePlate(before.index, index)) return;
    const { after, difference } = succeedTree(before, index, Date.now());
    const { come, gone, movedPlanes } = difference;
    this.#parts.session.succeed(after);
    await this.#parts.adopt(after);
    this.#shared = after;
    this.#parts.invalidate(before, after, difference);
    this.#parts.session.told(after.generation);
    const moved = movedPlanes.length === 0 ? '' : `, ${movedPlanes.length} planes moved`;
    logEvent(
      `the plate changed: ${come.planes.length} planes came, ${gone.planes.length} went${moved}; ` +
        `${index.planes.count} planes now`,
    );
  }

  #ask(question: LookAgain): Promise<FromIndexWorker> {
    const worker = (this.#worker ??= this.#startWorker());
    return new Promise((resolve) => {
      const failed = (error: Error): void => {
        this.#worker = undefined;
        resolve({ type: 'failed', message: explain(error) });
      };
      worker.once('error', failed);
      worker.once('message', (answer: FromIndexWorker) => {
        worker.off('error', failed);
        resolve(answer);
      });
      worker.postMessage(question);
    });
  }

  /** A thread that has had nothing to do for a while ends, and its memory with it. */
  #restLater(): void {
    clearTimeout(this.#resting);
    this.#resting = setTimeout(() => {
      if (this.#looking || this.#timer !== undefined) return;
      void this.#worker?.terminate();
      this.#worker = undefined;
    }, REST_MS).unref();
  }

  #startWorker(): Worker {
    const workerData: IndexWorkerData = {
      shown: this.index,
      mountpoint: this.#shared.options.mountpoint,
    };
    const worker = new Worker(new URL('./index-worker.ts', import.meta.url), { workerData });
    worker.unref();
    // It may fail before it was asked anything: whoever asks next starts another.
    worker.on('error', () => {
      if (this.#worker === worker) this.#worker = undefined;
    });
    return worker;
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#settling);
    clearInterval(this.#checking);
    clearTimeout(this.#resting);
    this.#watch?.[Symbol.dispose]();
    await this.#worker?.terminate();
  }
}

const versions = ({ sources }: PlateIndex): readonly string[] | undefined =>
  sources?.map((source) => `${source.name}\0${fullVersion(source)}`);

/** What else is seen of a plate. */
const seen = (index: PlateIndex): string => {
  const { facts, warnings, extensions, shapes, planeGroups } = index;
  return JSON.stringify([facts, warnings, extensions, shapes, planeGroups, versions(index)]);
};

/** Whether nobody could see a difference. Directories' times are not shown anew for their own sake. */
function isSamePlate(before: PlateIndex, after: PlateIndex): boolean {
  const same = (a: Uint8Array | Uint32Array | Uint16Array | Float64Array, b: typeof a): boolean =>
    Buffer.compare(
      new Uint8Array(a.buffer, a.byteOffset, a.byteLength),
      new Uint8Array(b.buffer, b.byteOffset, b.byteLength),
    ) === 0;
  const { directories, files, planes } = before;
  return (
    same(directories.names.bytes, after.directories.names.bytes) &&
    same(directories.names.starts, after.directories.names.starts) &&
    same(directories.parents, after.directories.parents) &&
    same(directories.firstFile, after.directories.firstFile) &&
    same(files.names.bytes, after.files.names.bytes) &&
    same(files.names.starts, after.files.names.starts) &&
    same(files.planes, after.files.planes) &&
    same(files.exclusions, after.files.exclusions) &&
    Object.entries(planes).every(([name, column]) => {
      const other = after.planes[name as keyof PlateIndex['planes']];
      return typeof column === 'number' || typeof other === 'number' ? column === other : same(column, other);
    }) &&
    seen(before) === seen(after)
  );
}
