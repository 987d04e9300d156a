import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { explain } from '../core/errors.ts';
import type { RenderStore } from '../renders/render-store.ts';
import { MountTree, type TreeTools } from '../tree/mount-tree.ts';
import type { SharedMount } from '../tree/shared-mount.ts';
import type { MountMemory } from './mount-memory.ts';
import type { ReaderCounters } from './reader-counters.ts';
import { RenderCrew } from './render-crew.ts';

export interface HotRendersParts {
  /** In memory. */
  readonly store: RenderStore;
  /** The plate's folder: whose renders these are. */
  readonly source: string;
  readonly limitBytes: number;
  readonly mount: () => SharedMount;
  readonly tools: TreeTools;
  readonly memory: Pick<MountMemory, 'reserveHot' | 'releaseHot'>;
  readonly counters: ReaderCounters;
  /** Which files are kept is another set now. */
  readonly onChange: () => void;
  readonly warn: (message: string) => void;
  readonly signal: AbortSignal;
}

interface HotRender {
  readonly key: string;
  readonly sizeBytes: number;
}

/** Nothing is rendered in advance while programs read. */
const REST_MS = 300;
const MAX_WAITING = 64;

/**
 * Files that programs read whole, kept in memory so that the kernel reads them without asking from the next open on.
 * They are made by a thread that works while nobody reads, and are the first to go: least recently opened first.
 */
export class HotRenders {
  readonly #parts: HotRendersParts;
  /** By path below the mount, least recently opened first. */
  readonly #kept = new Map<string, HotRender>();
  readonly #waiting = new Set<number>();
  #working: Promise<void> | undefined;

  constructor(parts: HotRendersParts) {
    this.#parts = parts;
  }

  /** Finds what earlier daemons kept on this connection. */
  async start(): Promise<void> {
    const { store, memory } = this.#parts;
    for (const { key, mountPath, sizeBytes } of store.list()) {
      if (this.#kept.has(mountPath) || !(await memory.reserveHot(sizeBytes))) store.remove(key);
      else this.#kept.set(mountPath, { key, sizeBytes });
    }
    // What it did not come to finish.
    const keys = new Set([...this.#kept.values()].flatMap(({ key }) => [key, `${key}.json`]));
    if (existsSync(store.folder))
      for (const name of readdirSync(store.folder))
        if (!keys.has(name)) rmSync(join(store.folder, name), { force: true });
  }

  get document(): { readonly files: number; readonly sizeBytes: number; readonly limitBytes: number } {
    return { files: this.#kept.size, sizeBytes: this.#bytes, limitBytes: this.#parts.limitBytes };
  }

  get paths(): Iterable<string> {
    return this.#kept.keys();
  }

  get #bytes(): number {
    let sum = 0;
    for (const { sizeBytes } of this.#kept.values()) sum += sizeBytes;
    return sum;
  }

  /** A file was read whole. */
  wanted(node: number): void {
    if (this.#waiting.size >= MAX_WAITING) return;
    this.#waiting.add(node);
    this.#working ??= this.#work().finally(() => {
      this.#working = undefined;
    });
  }

  /** A reader has looked for a render of a file at its open, and where it found one. */
  looked(node: number, path: string | undefined): void {
    if (this.#kept.size === 0) return;
    const mountPath = this.#tree().pathOf(node);
    const render = this.#kept.get(mountPath);
    if (!render) return;
    if (path === join(this.#parts.store.folder, render.key)) {
      this.#kept.delete(mountPath);
      this.#kept.set(mountPath, render);
    } else void this.drop((kept) => kept === mountPath);
  }

  /** Lets go of files. @returns how many. */
  async drop(isGone: (path: string) => boolean): Promise<number> {
    const going = [...this.#kept].filter(([path]) => isGone(path));
    await this.#remove(going);
    return going.length;
  }

  /** Lets go of what was opened longest ago, until so much is free. @returns bytes of memory freed, which are to be given back. */
  async shrink(bytes: number): Promise<number> {
    let freedBytes = 0;
    const going: [string, HotRender][] = [];
    for (const entry of this.#kept) {
      if (freedBytes >= bytes) break;
      going.push(entry);
      freedBytes += entry[1].sizeBytes;
    }
    await this.#remove(going, false);
    return freedBytes;
  }

  async #remove(going: readonly [string, HotRender][], release = true): Promise<void> {
    if (going.length === 0) return;
    const { store, memory, onChange } = this.#parts;
    for (const [path, { key }] of going) {
      this.#kept.delete(path);
      store.remove(key);
    }
    onChange();
    if (!release) return;
    for (const [, { sizeBytes }] of going) await memory.releaseHot(sizeBytes);
  }

  #tree(): MountTree {
    return new MountTree(this.#parts.mount(), this.#parts.tools);
  }

  async #work(): Promise<void> {
    const { signal } = this.#parts;
    let crew: RenderCrew | undefined;
    let mount: SharedMount | undefined;
    const stop = (): void => void crew?.[Symbol.asyncDispose]();
    signal.addEventListener('abort', stop);
    try {
      while (this.#waiting.size > 0 && (await this.#rest())) {
        const [node] = this.#waiting;
        if (node === undefined) return;
        this.#waiting.delete(node);
        const now = this.#parts.mount();
        // A thread goes on showing what it was started with.
        if (!crew || mount?.some(({ shared }, part) => shared !== now[part]?.shared)) {
          await crew?.[Symbol.asyncDispose]();
          crew = RenderCrew.inBackground(now, this.#parts.counters);
          mount = now;
        }
        await this.#keep(node, crew);
      }
    } catch (error) {
      // Files are read as before.
      if (!signal.aborted)
        this.#parts.warn(`files that were read can't be kept in memory: ${explain(error)}`);
    } finally {
      signal.removeEventListener('abort', stop);
      await crew?.[Symbol.asyncDispose]();
    }
  }

  /** Resolves when nobody has read for a while; false when the mount ends. */
  async #rest(): Promise<boolean> {
    const { counters, signal } = this.#parts;
    for (let before = -1; ; ) {
      const { servedBytes } = counters.figures();
      if (servedBytes === before) return true;
      before = servedBytes;
      await delay(REST_MS, undefined, { ref: false, signal }).catch(() => {});
      if (signal.aborted) return false;
    }
  }

  async #keep(node: number, crew: RenderCrew): Promise<void> {
    const { store, source, limitBytes, memory, onChange, signal } = this.#parts;
    const tree = this.#tree();
    const mountPath = tree.pathOf(node);
    const sizeBytes = tree.isKeepable(node) ? tree.attributes(node)?.sizeBytes : undefined;
    if (sizeBytes === undefined || sizeBytes > limitBytes || this.#kept.has(mountPath)) return;
    const excess = this.#bytes + sizeBytes - limitBytes;
    if (excess > 0)
      for (let freed = await this.shrink(excess); freed > 0; freed = 0) await memory.releaseHot(freed);
    if (!(await memory.reserveHot(sizeBytes))) return;
    const temporaryPath = store.temporaryPath();
    try {
      const rendered = await crew.render({ node, sizeBytes, temporaryPath, presentKeys: [] }, () => {});
      if (rendered.type !== 'rendered' || rendered.sizeBytes !== sizeBytes || signal.aborted) {
        rmSync(temporaryPath, { force: true });
        await memory.releaseHot(sizeBytes);
        return;
      }
      const { key, checksum } = rendered;
      await store.bringIn(key, temporaryPath, { sizeBytes, checksum, source, mountPath }, signal);
      this.#kept.set(mountPath, { key, sizeBytes });
      onChange();
    } catch (error) {
      rmSync(temporaryPath, { force: true });
      await memory.releaseHot(sizeBytes);
      throw error;
    }
  }

  /** Everything goes. */
  async close(): Promise<void> {
    await this.#working;
    rmSync(this.#parts.store.folder, { recursive: true, force: true });
  }
}
