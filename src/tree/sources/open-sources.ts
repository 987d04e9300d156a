import { explain, UnreadableSourceError } from '../../core/errors.ts';
import { fullVersion, type IndexedSource } from '../../model/indexed-source.ts';
import type { OpenSource, SourceDriver } from '../../sources.ts';

const MAX_OPEN = 16;
/** How long a source stays open while nobody reads it: programs that write it are not to wait for us. */
const IDLE_MS = 3000;

interface Opened {
  readonly open: OpenSource;
  readonly version: string;
  usedAtMs: number;
}

/** The sources that a thread has open: opened when they are read, closed when they rest, or when there are too many. */
export class OpenSources implements Disposable {
  readonly #drivers: ReadonlyMap<string, SourceDriver>;
  /** By path; least recently used first. */
  readonly #open = new Map<string, Opened>();
  #timer: NodeJS.Timeout | undefined;

  /** `drivers` are prepared already, by id. */
  constructor(drivers: ReadonlyMap<string, SourceDriver>) {
    this.#drivers = drivers;
  }

  /**
   * Works with a source. One that fails is closed, since nobody knows what state it is in.
   * @throws what opening and `work` throw.
   */
  use<T>(source: IndexedSource, work: (open: OpenSource) => T): T {
    const { open } = this.#get(source);
    try {
      return work(open);
    } catch (error) {
      this.#close(source.path);
      throw error;
    }
  }

  #get(source: IndexedSource): Opened {
    const { path, catalog, driver } = source;
    const version = fullVersion(source);
    let opened = this.#open.get(path);
    if (opened && opened.version !== version) {
      this.#close(path);
      opened = undefined;
    }
    if (!opened) {
      const open = this.#drivers.get(driver)?.openSync?.(path, catalog);
      if (!open) throw new UnreadableSourceError(path, `the driver ${driver} is not loaded`);
      opened = { open, version, usedAtMs: 0 };
    }
    opened.usedAtMs = performance.now();
    this.#open.delete(path);
    this.#open.set(path, opened);
    for (const oldest of this.#open.keys()) {
      if (this.#open.size <= MAX_OPEN) break;
      this.#close(oldest);
    }
    this.#timer ??= setTimeout(() => this.#closeIdle(), IDLE_MS).unref();
    return opened;
  }

  #closeIdle(): void {
    this.#timer = undefined;
    const nowMs = performance.now();
    for (const [path, { usedAtMs }] of this.#open) if (nowMs - usedAtMs >= IDLE_MS) this.#close(path);
    if (this.#open.size > 0) this.#timer = setTimeout(() => this.#closeIdle(), IDLE_MS).unref();
  }

  #close(path: string): void {
    const opened = this.#open.get(path);
    this.#open.delete(path);
    try {
      opened?.open[Symbol.dispose]();
    } catch (error) {
      process.emitWarning(`${path} could not be closed: ${explain(error)}`);
    }
  }

  clear(): void {
    for (const path of [...this.#open.keys()]) this.#close(path);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.clear();
  }
}
