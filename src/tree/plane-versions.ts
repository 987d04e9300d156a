import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { PlaneLocation } from './plane-access.ts';
import { identityOf } from './render-key.ts';

interface Versions {
  /** Of the plane's own file, when the others were looked at. */
  readonly own: string;
  readonly all: string;
  readonly untilMs: number;
}

const MAX_PLANES = 8192;
/**
 * What was decoded of chunks is taken for theirs so long after they were looked at. Shorter than whoever finds a change
 * waits before the kernel is told to ask again (`watch/file-watch.ts`): it must not be told the same once more.
 */
const REST_MS = 40;

/**
 * What tells a plane's pixels from earlier ones where they lie in files beside the one that names it: chunks, any of
 * which may be written anew. Looking at all of them at every read would cost more than the read.
 */
export class PlaneVersions {
  readonly #filesOf: (location: PlaneLocation) => readonly string[];
  readonly #known = new LRUCache<number, Versions>({ max: MAX_PLANES });

  /** @param filesOf the files that hold a plane's pixels. */
  constructor(filesOf: (location: PlaneLocation) => readonly string[]) {
    this.#filesOf = filesOf;
  }

  /**
   * @param own the version of the plane's own file.
   * @throws the system's error when a file can't be asked.
   */
  of(plane: number, location: PlaneLocation, own: string): string {
    const nowMs = performance.now();
    const known = this.#known.get(plane);
    if (known?.own === own && nowMs < known.untilMs) return known.all;
    const others = this.#filesOf(location).filter((path) => path !== location.path);
    const all = others.length === 0 ? own : digest([own, ...others.map(identityOf)]);
    const untilMs = others.length === 0 ? Number.POSITIVE_INFINITY : nowMs + REST_MS;
    this.#known.set(plane, { own, all, untilMs });
    return all;
  }

  /** Planes may lie elsewhere. */
  clear(): void {
    this.#known.clear();
  }
}

const digest = (parts: readonly string[]): string =>
  createHash('sha256').update(parts.join('\0')).digest('base64');
