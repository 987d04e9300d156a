import { closeSync, openSync, readSync } from 'node:fs';
import type { BytePipe } from '../core/byte-pipe.ts';
import { SourceChangedError, UnreadableSourceError } from '../core/errors.ts';
import type { ByteWindow } from '../sources.ts';

/**
 * A few source files kept open for reading, least recently used closed first: neighbouring reads of one file
 * pay for one open. Owned by one thread.
 */
export class SourceFiles implements Disposable {
  readonly #open = new Map<string, number>();
  readonly #most: number;

  constructor(most = 16) {
    this.#most = Math.max(1, most);
  }

  /**
   * Reads `target.length` bytes of a window, from `skipBytes` into it, straight into `target`.
   * @throws UnreadableSourceError; SourceChangedError when the file has become shorter than the window says.
   */
  readWindow(window: ByteWindow, skipBytes: number, target: Uint8Array): void {
    this.#take(window, skipBytes, target.length, (fd, done, at) =>
      readSync(fd, target, done, target.length - done, at),
    );
  }

  /**
   * The same into a pipe: all of the window.
   * @returns false when the pipe does not take it.
   * @throws as `readWindow` does.
   */
  pourWindow(window: ByteWindow, pipe: BytePipe): boolean {
    const { sizeBytes } = window;
    return this.#take(window, 0, sizeBytes, (fd, done, at) => pipe.file(fd, at, sizeBytes - done));
  }

  /** Calls `take` until all is taken, or it is refused (undefined). */
  #take(
    window: ByteWindow,
    skipBytes: number,
    sizeBytes: number,
    take: (fd: number, done: number, at: number) => number | undefined,
  ): boolean {
    const fd = this.#fd(window.path);
    let done = 0;
    while (done < sizeBytes) {
      const at = window.offsetBytes + skipBytes + done;
      let got: number | undefined;
      try {
        got = take(fd, done, at);
      } catch (cause) {
        this.forget(window.path);
        throw new UnreadableSourceError(window.path, `reading at byte ${at} failed`, { cause });
      }
      if (got === undefined) return false;
      if (got === 0) {
        this.forget(window.path);
        throw new SourceChangedError(window.path, `it ends at byte ${at}, where pixels were found before`);
      }
      done += got;
    }
    return true;
  }

  /** Closes a file, so that its next read opens what its path names then. */
  forget(path: string): void {
    const fd = this.#open.get(path);
    if (fd === undefined) return;
    this.#open.delete(path);
    closeSync(fd);
  }

  /** Closes all. */
  clear(): void {
    for (const path of [...this.#open.keys()]) this.forget(path);
  }

  [Symbol.dispose](): void {
    this.clear();
  }

  #fd(path: string): number {
    const known = this.#open.get(path);
    if (known !== undefined) {
      this.#open.delete(path);
      this.#open.set(path, known);
      return known;
    }
    let fd: number;
    try {
      fd = openSync(path, 'r');
    } catch (cause) {
      throw new UnreadableSourceError(path, 'opening failed', { cause });
    }
    this.#open.set(path, fd);
    for (const oldest of this.#open.keys()) {
      if (this.#open.size <= this.#most) break;
      this.forget(oldest);
    }
    return fd;
  }
}
