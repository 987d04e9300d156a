import { LRUCache } from 'lru-cache';
import { explain, FsRefusal } from '../core/errors.ts';
import type { SourceLook } from '../core/source-look.ts';

/** A file that a part of a rendered file was made of, as it was found. */
export interface FileRead {
  readonly path: string;
  readonly identity: string;
  /** The rendered file. */
  readonly node: number;
}

/** For whom source files are looked at. */
interface Purpose {
  readonly node: number;
  /** When the handle was opened that is read through; absent where nobody waits for the bytes. */
  readonly openedAtMs?: number | undefined;
}

/** What this thread knows of a file. */
interface KnownFile {
  identity: string;
  /** When it was first and last seen to be so. */
  sinceMs: number;
  lastMs: number;
  /** When it was last seen to be another. */
  otherAtMs: number;
  /** Rendered files of which it was told that they are made of it. */
  nodes: Set<number>;
}

export interface SourceLooksParts {
  /** Told of files that were read, each once per rendered file as long as it is as it was. */
  readonly tell: (files: readonly FileRead[]) => void;
  /** Whether times of change on a disk are by this machine's clock. */
  readonly isClockOurs: (device: bigint, path: string) => boolean;
  readonly nowMs: () => number;
}

/** More are forgotten, least recently looked at first. */
const MAX_FILES = 16_384;
/** Of more rendered files than that it is told again that they are made of a file. */
const MAX_NODES = 1024;

/**
 * Holds reads to the files that were there when their handle was opened: one that meets a file which changed since is
 * refused as stale, so that no program gets parts of two states. It rests on looks that are taken anyway. A change is
 * told by the file's time of change where the disk has our clock, and by what this thread saw of the file since the
 * handle was opened.
 */
export class SourceLooks {
  readonly #parts: SourceLooksParts;
  readonly #known = new LRUCache<string, KnownFile>({ max: MAX_FILES });
  readonly #clocks = new Map<bigint, boolean>();
  #purpose: Purpose | undefined;
  #untold: FileRead[] = [];

  constructor(parts: SourceLooksParts) {
    this.#parts = parts;
  }

  /** Does a read; what it looks at is held to its handle. */
  during<T>(purpose: Purpose, read: () => T): T {
    this.#purpose = purpose;
    try {
      return read();
    } finally {
      this.#purpose = undefined;
    }
  }

  /** Hands on what is to be told. */
  flush(): void {
    if (this.#untold.length === 0) return;
    this.#parts.tell(this.#untold);
    this.#untold = [];
  }

  /** @throws FsRefusal, stale, when the file changed after the handle was opened for which it is looked at. */
  heard({ path, identity, changedAtMs, device }: SourceLook): void {
    const purpose = this.#purpose;
    if (!purpose) return;
    const nowMs = this.#parts.nowMs();
    const known = this.#noted(path, identity, nowMs);
    if (!known.nodes.has(purpose.node)) {
      if (known.nodes.size >= MAX_NODES) known.nodes.clear();
      known.nodes.add(purpose.node);
      this.#untold.push({ path, identity, node: purpose.node });
    }
    const { openedAtMs } = purpose;
    if (openedAtMs === undefined || known.sinceMs <= openedAtMs) return;
    const isLater =
      changedAtMs !== undefined &&
      device !== undefined &&
      changedAtMs > openedAtMs &&
      this.#isClockOurs(device, path);
    if (known.otherAtMs >= openedAtMs || isLater)
      throw new FsRefusal('stale', `${path} changed after it was opened: what is open shows it as it was`, {
        advice: 'open it again',
      });
  }

  #noted(path: string, identity: string, nowMs: number): KnownFile {
    const known = this.#known.get(path);
    if (known?.identity === identity) {
      known.lastMs = nowMs;
      return known;
    }
    const noted = {
      identity,
      sinceMs: nowMs,
      lastMs: nowMs,
      otherAtMs: known?.lastMs ?? Number.NEGATIVE_INFINITY,
      nodes: new Set<number>(),
    };
    this.#known.set(path, noted);
    return noted;
  }

  #isClockOurs(device: bigint, path: string): boolean {
    let isOurs = this.#clocks.get(device);
    if (isOurs === undefined) {
      try {
        isOurs = this.#parts.isClockOurs(device, path);
      } catch (error) {
        process.emitWarning(`the disk of ${path} can't be asked what it is: ${explain(error)}`);
        isOurs = false;
      }
      this.#clocks.set(device, isOurs);
    }
    return isOurs;
  }
}
