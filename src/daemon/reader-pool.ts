import type { MessagePort } from 'node:worker_threads';
import { LRUCache } from 'lru-cache';
import type { RenderUnit } from '../tree/render-unit.ts';
import type { SharedTree } from '../tree/shared-tree.ts';
import type { ReaderJob } from '../vfs/jobs.ts';
import type { AheadJob, ForgetAheadJob } from './decoding-ahead.ts';
import type { ReadAhead } from './read-ahead.ts';
import type { ReaderCounters } from './reader-counters.ts';
import { type ReadPartJob, SplitReads } from './split-read.ts';

type RenderedJob = Extract<ReaderJob, { readonly kind: 'read-rendered' }>;

/** To a reader thread: the plate was found changed. */
export interface TreeAdoption {
  readonly kind: 'adopt';
  readonly part: number;
  readonly shared: SharedTree;
}

const forgetAhead = (node: number): ForgetAheadJob => ({ kind: 'forget-ahead', node });

/** Units of files whose reader is remembered: more than what all readers can keep decoded. */
const MAX_KNOWN_UNITS = 4096;

export interface ReaderPoolParts {
  readonly ports: readonly MessagePort[];
  readonly counters: ReaderCounters;
  /** What is decoded together with the byte of a rendered file at an offset. */
  readonly unitAt: (node: number, offsetBytes: number) => RenderUnit;
  readonly ahead: ReadAhead;
  /** So many reader threads are needed from now on, the first ones. */
  readonly onWanted: (readers: number) => void;
}

/**
 * The front's side of the reader threads. A job goes to the one with the least to do, but for what has to be decoded:
 * all reads of one unit go to the reader that had the first of them, so that nothing is decoded in two threads, and
 * what it keeps decoded is found again. Different units are spread over all readers; a read that ends within another
 * unit than it begins in is done in two parts.
 *
 * A reader costs some 15 MiB. Who reads a single file that is one unit, such as a table, makes one start; whatever
 * comes besides that makes all.
 */
export class ReaderPool {
  readonly #parts: ReaderPoolParts;
  readonly #submitted: number[];
  readonly #readerOf = new LRUCache<string, number>({ max: MAX_KNOWN_UNITS });
  readonly #splits = new SplitReads();
  /** Readers that were asked for. */
  #wanted = 0;
  /** The unit for which there is one reader. */
  #only: string | undefined;

  constructor(parts: ReaderPoolParts) {
    this.#parts = parts;
    this.#submitted = parts.ports.map(() => 0);
  }

  /** Shows readers another tree: for every job submitted from now on. */
  adopt(part: number, shared: SharedTree): void {
    const adoption: TreeAdoption = { kind: 'adopt', part, shared };
    for (const port of this.#parts.ports) port.postMessage(adoption);
    this.#readerOf.clear();
    this.#parts.ahead.clear();
  }

  /** A READ of a rendered file was answered without a reader. */
  answered(node: number, offsetBytes: number, sizeBytes: number): void {
    this.#want(this.#parts.ports.length);
    this.#parts.counters.served(0, sizeBytes);
    if (!this.#parts.counters.isPoured(node)) this.#lookAhead(node, offsetBytes, sizeBytes);
  }

  #want(readers: number): void {
    if (readers <= this.#wanted) return;
    this.#wanted = readers;
    this.#parts.onWanted(readers);
  }

  #wantFor(job: ReaderJob): void {
    const { ports, unitAt } = this.#parts;
    if (this.#wanted === ports.length) return;
    const unit = job.kind === 'read-rendered' ? unitAt(job.node, job.offsetBytes) : undefined;
    const isAlone = unit?.endBytes === Number.POSITIVE_INFINITY && (this.#only ?? unit.name) === unit.name;
    if (isAlone) this.#only = unit.name;
    this.#want(isAlone ? 1 : ports.length);
  }

  submit(job: ReaderJob): void {
    this.#wantFor(job);
    if (job.kind === 'read-rendered' && !this.#parts.counters.isPoured(job.node)) {
      this.#submitRendered(job);
      this.#lookAhead(job.node, job.offsetBytes, job.sizeBytes);
    } else this.#give(this.#idlest(), job);
  }

  /** Has readers that rest decode what will probably be asked for. */
  #lookAhead(node: number, offsetBytes: number, sizeBytes: number): void {
    const { ahead, broken } = this.#parts.ahead.noted(node, offsetBytes, sizeBytes);
    if (broken !== undefined) for (const port of this.#parts.ports) port.postMessage(forgetAhead(broken));
    if (!ahead) return;
    const reader = this.#idlest();
    if (this.#jobsOf(reader) > 0) return;
    const units = ahead.units.filter(({ name }) => !this.#readerOf.has(name));
    if (units.length === 0) return;
    for (const { name } of units) this.#readerOf.set(name, reader);
    const parts = units.map(({ startBytes, endBytes }) => ({
      offsetBytes: startBytes,
      sizeBytes: endBytes - startBytes,
    }));
    this.#give(reader, { kind: 'ahead', node: ahead.node, parts });
  }

  #submitRendered(job: RenderedJob): void {
    const { unitAt } = this.#parts;
    const { uniqueLow, uniqueHigh, node, openedAtMs, offsetBytes, sizeBytes } = job;
    const endBytes = offsetBytes + sizeBytes;
    const reader = this.#readerFor(unitAt(node, offsetBytes));
    // Units that lie whole in the read are of interest to no other.
    const last = unitAt(node, Math.max(offsetBytes, endBytes - 1));
    const startBytes = this.#startOfRun(node, last, offsetBytes);
    const headBytes = startBytes - offsetBytes;
    const goesOn = last.endBytes > endBytes || unitAt(node, last.endBytes).name === last.name;
    const other = headBytes > 0 && goesOn ? this.#readerFor(last) : reader;
    if (other === reader) {
      this.#give(reader, job);
      return;
    }
    const { memory } = this.#splits.begin(sizeBytes, 2);
    const part = { kind: 'read-part', uniqueLow, uniqueHigh, node, openedAtMs, memory } as const;
    this.#give(reader, { ...part, offsetBytes, sizeBytes: headBytes, atBytes: 0 });
    this.#give(other, {
      ...part,
      offsetBytes: startBytes,
      sizeBytes: sizeBytes - headBytes,
      atBytes: headBytes,
    });
  }

  /** Where the units begin, from an offset on, that are decoded together with one that follows on them. */
  #startOfRun(node: number, { name, startBytes }: RenderUnit, fromBytes: number): number {
    let at = startBytes;
    while (at > fromBytes) {
      const before = this.#parts.unitAt(node, at - 1);
      if (before.name !== name) break;
      at = before.startBytes;
    }
    return at;
  }

  #readerFor({ name }: RenderUnit): number {
    const known = this.#readerOf.get(name);
    if (known !== undefined) return known;
    const reader = this.#idlest();
    this.#readerOf.set(name, reader);
    return reader;
  }

  #give(reader: number, job: ReaderJob | ReadPartJob | AheadJob): void {
    if (reader >= this.#wanted) this.#want(this.#parts.ports.length);
    this.#submitted[reader] = ((this.#submitted[reader] ?? 0) + 1) | 0;
    this.#parts.ports[reader]?.postMessage(job);
  }

  /** Jobs that a reader has not finished. */
  #jobsOf(reader: number): number {
    return ((this.#submitted[reader] ?? 0) - this.#parts.counters.finishedJobs(reader)) | 0;
  }

  /** The reader with the least to do; of several, the one that keeps least decoded, so that all of the cache is used. */
  #idlest(): number {
    const { counters } = this.#parts;
    let best = 0;
    let least = Number.POSITIVE_INFINITY;
    for (let i = 0; i < this.#submitted.length; i++) {
      const left = this.#jobsOf(i);
      if (left < least || (left === least && counters.heldBytes(i) < counters.heldBytes(best))) {
        least = left;
        best = i;
      }
    }
    return best;
  }
}
