import { type FSWatcher, watch } from 'node:fs';
import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isOfGrowing, sourceIdentity } from '../core/source-look.ts';
import { systemCode } from '../core/system-code.ts';
import { repeatForShare } from './share-of-time.ts';

export interface FileWatchOptions {
  /** Ask for events of the folders that files lie in; without them only polling finds changes. */
  readonly events: boolean;
  readonly pollMs: number;
  /** Files looked at in each round of polling: so many of those followed last, and half as many of the others in turn. */
  readonly polledFiles: number;
  /** Files are not what they were when they were followed for these. Told twice of each change. */
  readonly onChange: (nodes: ReadonlySet<number>) => void;
}

interface Followed {
  identity: string;
  readonly nodes: Set<number>;
}

/** Followed longest ago, others are forgotten. */
const MAX_FILES = 16_384;
const MAX_FOLDERS = 512;
const MAX_NODES = 1024;
/** A round may take this share of the time. */
const MAX_POLL_SHARE = 0.05;
const CONCURRENCY = 4;
/** Events come in bursts: the first is looked after at once, others so much later. */
const SETTLE_MS = 20;
/**
 * A change is told as soon as it is found, and once more so much later: a read that was on its way when it was found may
 * have brought what was there before.
 */
const TELL_AGAIN_MS = 80;

/**
 * Follows single files that were read, whatever folder they lie in: chunks in folders of folders, planes, the file of a
 * store. It knows each by what it was made of when it was read (an identity), and for what it was read (nodes). Files
 * that are not there are followed, too.
 */
export class FileWatch implements Disposable {
  readonly #options: FileWatchOptions;
  /** Followed last, last. */
  readonly #files = new Map<string, Followed>();
  /** By the folder; used last, last. */
  readonly #watchers = new Map<string, FSWatcher>();
  /** Files whose own folder has no watch: it is not there, or there are too many. */
  readonly #apart = new Set<string>();
  readonly #named = new Set<string>();
  readonly #stop = new AbortController();
  #settling: NodeJS.Timeout | undefined;
  #changedNodes = new Set<number>();
  #telling: NodeJS.Immediate | undefined;
  readonly #tellingAgain = new Set<NodeJS.Timeout>();
  #polling: Promise<void> | undefined;
  /** Where the next round goes on among files that were followed earlier. */
  #turn = 0;

  constructor(options: FileWatchOptions) {
    this.#options = options;
  }

  /** How many files are followed. */
  get count(): number {
    return this.#files.size;
  }

  /** A file that was read for a node, as it was. */
  follow(path: string, identity: string, node: number): void {
    const known = this.#files.get(path);
    this.#files.delete(path);
    const file = known ?? { identity, nodes: new Set<number>() };
    this.#files.set(path, file);
    if (file.identity !== identity) this.#changed(file, identity);
    file.nodes.add(node);
    if (file.nodes.size > MAX_NODES) this.#changed(file, identity);
    if (this.#options.events) this.#watchFolderOf(path);
    for (const oldest of this.#files.keys()) {
      if (this.#files.size <= MAX_FILES) break;
      this.#files.delete(oldest);
      this.#apart.delete(oldest);
    }
    this.#polling ??= this.#pollForever();
  }

  #changed(file: Followed, identity: string): void {
    file.identity = identity;
    for (const node of file.nodes) this.#changedNodes.add(node);
    if (file.nodes.size > MAX_NODES) file.nodes.clear();
    this.#telling ??= setImmediate(() => this.#tell());
  }

  #tell(): void {
    const nodes = this.#changedNodes;
    this.#changedNodes = new Set();
    this.#telling = undefined;
    this.#options.onChange(nodes);
    const again = setTimeout(() => {
      this.#tellingAgain.delete(again);
      this.#options.onChange(nodes);
    }, TELL_AGAIN_MS).unref();
    this.#tellingAgain.add(again);
  }

  /** Watches a file's folder, or the nearest above it that is there. */
  #watchFolderOf(path: string): void {
    const own = dirname(path);
    this.#apart.delete(path);
    for (let folder = own; ; folder = dirname(folder)) {
      if (this.#watch(folder)) {
        if (folder !== own) this.#apart.add(path);
        return;
      }
      if (folder === dirname(folder)) return;
    }
  }

  /** @returns whether events of the folder come in. */
  #watch(folder: string): boolean {
    const known = this.#watchers.get(folder);
    if (known) {
      this.#watchers.delete(folder);
      this.#watchers.set(folder, known);
      return true;
    }
    try {
      const watcher = watch(folder, { persistent: false }, (_type, name) =>
        this.#hint(name === null ? folder : `${folder}/${name}`),
      );
      watcher.on('error', () => this.#unwatch(folder));
      this.#watchers.set(folder, watcher);
    } catch {
      // Not there, or no more watches: polling goes on.
      return false;
    }
    for (const oldest of this.#watchers.keys()) {
      if (this.#watchers.size <= MAX_FOLDERS) break;
      this.#unwatch(oldest);
    }
    return true;
  }

  #unwatch(folder: string): void {
    this.#watchers.get(folder)?.close();
    this.#watchers.delete(folder);
  }

  #hint(path: string): void {
    this.#named.add(path);
    if (!this.#settling) this.#settle();
  }

  /** Looks at what was named, and at what is named meanwhile a little later. */
  #settle(): void {
    void this.#lookAtNamed();
    this.#settling = setTimeout(() => {
      this.#settling = undefined;
      if (this.#named.size > 0) this.#settle();
    }, SETTLE_MS).unref();
  }

  async #lookAtNamed(): Promise<void> {
    const named = [...this.#named];
    this.#named.clear();
    const due = new Set(named.filter((path) => this.#files.has(path)));
    // Folders that came, and what no folder's own watch tells of.
    for (const path of this.#apart) if (named.some((name) => path.startsWith(`${name}/`))) due.add(path);
    await this.#look([...due]);
  }

  #pollForever(): Promise<void> {
    const { pollMs } = this.#options;
    const rounds = {
      firstPauseMs: pollMs,
      pauseMs: pollMs,
      maxShare: MAX_POLL_SHARE,
      signal: this.#stop.signal,
    };
    return repeatForShare(rounds, () => this.#look(this.#due()));
  }

  /** The files of the next round. */
  #due(): string[] {
    const paths = [...this.#files.keys()];
    const { polledFiles } = this.#options;
    const rest = Math.max(0, paths.length - polledFiles);
    const inTurn = Math.min(rest, polledFiles >> 1);
    const due = paths.slice(rest);
    for (let i = 0; i < inTurn; i++) due.push(paths[(this.#turn + i) % rest] ?? '');
    this.#turn = rest === 0 ? 0 : (this.#turn + inTurn) % rest;
    return due;
  }

  async #look(paths: readonly string[]): Promise<void> {
    const queue = paths.values();
    const lane = async (): Promise<void> => {
      for (const path of queue) await this.#lookAt(path);
    };
    await Promise.all(Array.from({ length: CONCURRENCY }, lane));
  }

  async #lookAt(path: string): Promise<void> {
    const before = this.#files.get(path);
    if (!before) return;
    const asked = before.identity;
    const identity = await identityNow(path, isOfGrowing(asked));
    const file = this.#files.get(path);
    if (this.#stop.signal.aborted || !file || file.identity !== asked) return;
    if (identity !== asked) this.#changed(file, identity);
    if (identity !== asked && this.#options.events && this.#apart.has(path)) this.#watchFolderOf(path);
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
    clearTimeout(this.#settling);
    clearImmediate(this.#telling);
    for (const again of this.#tellingAgain) clearTimeout(again);
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
    this.#files.clear();
  }
}

/** As readers tell it, of the file as it is now; the error's code where it can't be asked. */
async function identityNow(path: string, mayGrow: boolean): Promise<string> {
  try {
    return sourceIdentity(await stat(path, { bigint: true }), mayGrow);
  } catch (error) {
    const code = systemCode(error);
    return code === 'ENOENT' || code === 'ENOTDIR' ? sourceIdentity(undefined) : (code ?? 'unreadable');
  }
}
