import { setTimeout as delay } from 'node:timers/promises';
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import type { SharedMount } from '../tree/shared-mount.ts';
import type { KeptFolders } from './kept-stores.ts';
import { ReaderCounters } from './reader-counters.ts';
import type { FromReader, ReaderData, ToReader } from './reader-worker.ts';

/** A reader that waits for a disk hears of a new bound only when its read is done. */
const BOUND_TIMEOUT_MS = 1000;

export interface ReadersParts {
  readonly count: number;
  readonly fuseFd: number;
  /** Memory of the {@link FrontWake} that readers kick, too. */
  readonly wake: SharedArrayBuffer;
  readonly mount: SharedMount;
  readonly outputFolder: string;
  readonly stateFolder: string;
  /** Where finished renders are kept. */
  readonly kept: KeptFolders;
  /** What all readers together may keep decoded at the start. */
  readonly decodedBytes: number;
  readonly onMessage: (message: Exclude<FromReader, { readonly type: 'bounded' }>) => void;
  readonly onDeath: (error: Error) => void;
}

/**
 * The reader threads: their ports exist from the start, the threads once there is work. What they keep decoded
 * is bounded for all of them together.
 */
export class Readers {
  readonly #parts: ReadersParts;
  readonly #channels: MessageChannel[];
  readonly #workers: Worker[] = [];
  readonly counters: ReaderCounters;
  #boundBytes: number;
  /** The bound that each reader is known to keep. */
  readonly #kept: number[];
  #onBounded: () => void = () => {};
  #ending = false;

  constructor(parts: ReadersParts) {
    this.#parts = parts;
    this.#channels = Array.from({ length: parts.count }, () => new MessageChannel());
    this.counters = ReaderCounters.of(parts.count);
    this.#boundBytes = Math.floor(parts.decodedBytes / parts.count);
    this.#kept = this.#channels.map(() => this.#boundBytes);
  }

  /** The ends that the front posts jobs to. */
  frontPorts(): MessagePort[] {
    return this.#channels.map((channel) => channel.port1);
  }

  /** Starts the first `count` threads; jobs posted before are waiting in their ports. */
  start(count = this.#channels.length): void {
    const { fuseFd, wake, mount, outputFolder, stateFolder, kept, onMessage, onDeath } = this.#parts;
    for (let number = this.#workers.length; number < count; number++) {
      const port2 = this.#channels[number]?.port2;
      if (!port2) return;
      const workerData: ReaderData = {
        fuseFd,
        wake,
        number,
        mount,
        outputFolder,
        stateFolder,
        kept,
        decodedBytes: this.#boundBytes,
        counters: this.counters.memory,
        jobs: port2,
      };
      const worker = new Worker(new URL('./reader-worker.ts', import.meta.url), {
        workerData,
        transferList: [port2],
      });
      worker.on('message', (message: FromReader) => {
        if (message.type === 'bounded') this.#bounded(number, message.boundBytes);
        else onMessage(message);
      });
      worker.on('error', onDeath);
      worker.on('exit', () => {
        if (!this.#ending) onDeath(new Error('a reader thread ended'));
      });
      this.#workers.push(worker);
    }
  }

  /** Bytes that all readers together keep decoded. */
  get decodedBytes(): number {
    return this.counters.figures().heldBytes;
  }

  /** What they may keep: a bound that is being lowered counts in full for readers that have not heard of it. */
  get decodedBoundBytes(): number {
    return this.#kept.reduce((sum, kept) => sum + Math.max(kept, this.#boundBytes), 0);
  }

  /** Bounds what all readers together keep decoded. Resolves once they do, or after a second. */
  async boundDecoded(bytes: number): Promise<void> {
    this.#boundBytes = Math.floor(bytes / this.#channels.length);
    this.#kept.fill(this.#boundBytes, this.#workers.length);
    if (this.#workers.length === 0) return;
    const message: ToReader = { type: 'bound', boundBytes: this.#boundBytes };
    for (const worker of this.#workers) worker.postMessage(message);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onBounded = () => {
      if (this.#kept.every((kept) => kept === this.#boundBytes)) resolve();
    };
    const late = new AbortController();
    await Promise.race([
      promise,
      delay(BOUND_TIMEOUT_MS, undefined, { signal: late.signal }).catch(() => {}),
    ]);
    late.abort();
  }

  #bounded(number: number, boundBytes: number): void {
    this.#kept[number] = boundBytes;
    this.#onBounded();
  }

  async close(): Promise<void> {
    this.#ending = true;
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }
}
