import { Worker } from 'node:worker_threads';
import { errnoOf } from '../core/errno.ts';
import { explain, FsRefusal } from '../core/errors.ts';
import { saveMeasuredIndex } from '../tree/index-cache.ts';
import { PART_NODES, type SharedMount, type SharedPart } from '../tree/shared-mount.ts';
import { publishMeasure, unmeasured } from '../tree/sources/source-measures.ts';
import { SourceTree } from '../tree/sources/source-tree.ts';
import type { FrontLink } from './front-link.ts';
import type { LiveMount } from './live-mount.ts';
import { logEvent } from './log.ts';
import type { FromMeasureWorker, MeasureAddress, MeasureWorkerData } from './measure-worker.ts';

/** Measures that nobody waits for are kept together so long: keeping them costs as much for one as for all. */
const KEEP_AFTER_MS = 1000;

export interface MeasuringParts {
  /** Everything as it is shown at first, before there are `plates`. */
  readonly first: SharedMount;
  readonly plates: () => Pick<LiveMount, 'mount' | 'keep' | 'sourceChanged'> | undefined;
  /** Where indexes are kept for later mounts. */
  readonly cacheDir: string;
  readonly tell: FrontLink['tell'];
  readonly fail: (message: string) => void;
  readonly onDeath: (error: Error) => void;
}

const keyOf = ({ part, source, item }: MeasureAddress): string => `${part}/${item}/${source}`;

/**
 * Has what only reading tells of sources measured: in the background once a mount is ready, first what somebody waits
 * for. What the kernel is told of is kept before, so that a daemon that takes over knows it.
 */
export class Measuring {
  readonly #parts: MeasuringParts;
  #worker: Worker | undefined;
  /** Nodes that are waited for, by what has to be measured for them. */
  readonly #waiting = new Map<string, number[]>();
  #finished: MeasureAddress[] = [];
  #timer: NodeJS.Timeout | undefined;
  #ending = false;

  constructor(parts: MeasuringParts) {
    this.#parts = parts;
  }

  /** Everything as it is shown now. */
  get #mount(): SharedMount {
    return this.#parts.plates()?.mount ?? this.#parts.first;
  }

  #isDone(): boolean {
    return this.#mount.every(({ shared }) => unmeasured(shared.index.sources ?? []).length === 0);
  }

  /** Begins to measure whatever is not. Called again when something else is shown: then it begins anew. */
  start(): void {
    this.#stopWorker();
    if (this.#ending) return;
    // Who waits for something that is gone is told so.
    const waiting = [...this.#waiting.values()].flat();
    this.#waiting.clear();
    if (!this.#isDone()) this.#startWorker();
    for (const node of waiting) this.measure(node);
  }

  #startWorker(): Worker {
    const workerData: MeasureWorkerData = { mount: this.#mount };
    const worker = new Worker(new URL('./measure-worker.ts', import.meta.url), { workerData });
    worker.on('message', (message: FromMeasureWorker) => {
      if (worker === this.#worker) this.#hear(message);
    });
    worker.on('error', (error) => this.#parts.onDeath(error));
    this.#worker = worker;
    return worker;
  }

  #stopWorker(): void {
    const worker = this.#worker;
    this.#worker = undefined;
    void worker?.terminate();
  }

  /** Somebody waits for a node: the front is told `measured`. */
  measure(node: number): void {
    const address = this.#addressOf(node);
    if (!address || this.#isKnown(address)) {
      const errno = address ? 0 : errnoOf(new FsRefusal('stale'));
      this.#parts.tell({ type: 'measured', node, errno });
      return;
    }
    const key = keyOf(address);
    const others = this.#waiting.get(key);
    if (others) others.push(node);
    else this.#waiting.set(key, [node]);
    if (this.#finished.some((one) => keyOf(one) === key)) this.#publish();
    else (this.#worker ?? this.#startWorker()).postMessage(address);
  }

  #addressOf(node: number): MeasureAddress | undefined {
    const number = Math.floor(node / PART_NODES);
    const part = this.#mount.find((one) => one.number === number);
    if (!part?.shared.index.scope) return undefined;
    const { nodes } = new SourceTree(part.shared);
    const inner = node - number * PART_NODES;
    const folder = nodes.folderAt(inner);
    const source = folder ? folder.source : nodes.itemAt(inner)?.source;
    const item = folder ? folder.family?.family.item : nodes.itemAt(inner)?.file.item;
    return source && item !== undefined ? { part: number, source: source.name, item } : undefined;
  }

  #isKnown({ part, source, item }: MeasureAddress): boolean {
    const shown = this.#mount.find(({ number }) => number === part);
    const left = unmeasured(shown?.shared.index.sources ?? []);
    return !left.some((one) => one.source.name === source && one.item === item);
  }

  #hear(message: FromMeasureWorker): void {
    if (message.type === 'rests') {
      this.#stopWorker();
      this.#publish();
      return;
    }
    const { errno, part, source, item } = message;
    const address = { part, source, item };
    if (errno === 0) {
      this.#finished.push(address);
      if (this.#waiting.has(keyOf(address))) this.#publish();
      else this.#timer ??= setTimeout(() => this.#publish(), KEEP_AFTER_MS);
      return;
    }
    const waiting = this.#waiting.get(keyOf(address)) ?? [];
    this.#waiting.delete(keyOf(address));
    this.#parts.fail(message.message ?? `${source}: could not be measured`);
    if (message.isSourceChanged) this.#parts.plates()?.sourceChanged(part * PART_NODES);
    for (const node of waiting) this.#parts.tell({ type: 'measured', node, errno });
  }

  /** Keeps what was measured, shows it, and tells whoever waits. */
  #publish(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const finished = this.#finished;
    this.#finished = [];
    if (finished.length === 0) return;
    const mount = this.#mount;
    for (const part of mount) {
      const here = finished.filter((one) => one.part === part.number);
      if (here.length === 0) continue;
      const sources = part.shared.index.sources ?? [];
      for (const { source: name, item } of here) {
        const source = sources.find((one) => one.name === name);
        if (source) publishMeasure({ source, item });
      }
      this.#keep(part, unmeasured(sources).length === 0);
    }
    for (const address of finished) {
      const waiting = this.#waiting.get(keyOf(address)) ?? [];
      this.#waiting.delete(keyOf(address));
      for (const node of waiting) this.#parts.tell({ type: 'measured', node, errno: 0 });
    }
  }

  #keep(part: SharedPart, isAll: boolean): void {
    try {
      this.#parts.plates()?.keep(part.number);
      if (isAll) saveMeasuredIndex(this.#parts.cacheDir, part.shared.index, logEvent);
    } catch (error) {
      // The disk is full, mostly: then it is measured again when it is needed again.
      this.#parts.fail(explain(error));
    }
  }

  close(): void {
    this.#ending = true;
    clearTimeout(this.#timer);
    this.#stopWorker();
  }
}
