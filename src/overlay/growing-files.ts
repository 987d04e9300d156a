import type { ByteRange } from './durable-log.ts';
import { withRange } from './synced-files.ts';

/** How much a large file grows before somebody is told again. */
const TELL_EVERY_BYTES = 32 * 2 ** 20;
/** More stretches than this of one file count as all of it. */
const MAX_RANGES = 512;

/** A file that somebody works on ahead: what of its first `endBytes` was changed since. */
interface Watched {
  readonly endBytes: number;
  ranges: readonly ByteRange[];
}

/**
 * Files that grow large while they are written, and which of their bytes were changed after somebody began to work on
 * them. Whoever does so ahead of the close drops what concerns these; no other bytes have changed.
 */
export class GrowingFiles {
  /** Files are told of from this size on. */
  fromBytes = Number.POSITIVE_INFINITY;
  /** Hears of a large file that has grown. */
  onGrown: (number: number) => void = () => {};
  /** Hears that a watched file's bytes are gone, or others are in their place. */
  onGone: (number: number) => void = () => {};
  readonly #told = new Map<number, number>();
  readonly #watched = new Map<number, Watched>();

  /** A file's bytes were written up to here. */
  wrote(number: number, endBytes: number): void {
    if (endBytes < this.fromBytes) return;
    if (endBytes < (this.#told.get(number) ?? Number.NEGATIVE_INFINITY) + TELL_EVERY_BYTES) return;
    this.#told.set(number, endBytes);
    this.onGrown(number);
  }

  /** Bytes, or the length, of a file are about to change. */
  changed(number: number, from: number, to: number): void {
    const file = this.#watched.get(number);
    if (!file || from >= file.endBytes || to <= from) return;
    file.ranges = withRange(file.ranges, { from, to: Math.min(to, file.endBytes) });
    if (file.ranges.length > MAX_RANGES) file.ranges = [{ from: 0, to: file.endBytes }];
  }

  /** Somebody begins to work on a file's first bytes: what is changed of them is noted from here on. */
  watch(number: number, endBytes: number): void {
    this.#watched.set(number, { endBytes, ranges: [] });
  }

  /** What was changed since {@link watch}; undefined where nobody watches. */
  rewritten(number: number): readonly ByteRange[] | undefined {
    return this.#watched.get(number)?.ranges;
  }

  /** A file's bytes are gone. */
  forget(number: number): void {
    this.#told.delete(number);
    if (this.#watched.delete(number)) this.onGone(number);
  }
}
