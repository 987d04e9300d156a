import { SourceChangedError } from '../../core/errors.ts';
import type { ByteCache } from '../../memory/byte-cache.ts';
import type { OpenSource } from '../../sources.ts';
import type { BlockFile } from './table-blocks.ts';

/** Reads any byte range of a file that is written block by block; blocks that were written are kept in the cache. */
export class BlockReader {
  readonly #file: BlockFile;
  readonly #cacheKey: string;
  readonly #written: ByteCache;
  readonly #path: string;

  /** `path` names the source in errors; equal `cacheKey`s stand for equal bytes. */
  constructor(file: BlockFile, path: string, cacheKey: string, written: ByteCache) {
    this.#file = file;
    this.#path = path;
    this.#cacheKey = cacheKey;
    this.#written = written;
  }

  /** The last block that begins at or before an offset. */
  #blockAt(offsetBytes: number): number {
    let low = 0;
    let high = this.#file.blockCount;
    while (low + 1 < high) {
      const middle = (low + high) >>> 1;
      if (this.#file.offsetOf(middle) <= offsetBytes) low = middle;
      else high = middle;
    }
    return low;
  }

  #block(block: number, source: OpenSource): Uint8Array {
    const key = `${this.#cacheKey}\0${block}`;
    const known = this.#written.get(key);
    if (known) return known;
    const bytes = this.#file.write(block, source);
    const promised = this.#file.offsetOf(block + 1) - this.#file.offsetOf(block);
    if (bytes.length !== promised)
      throw new SourceChangedError(
        this.#path,
        `a part of a table takes ${bytes.length} bytes, where it took ${promised} before`,
      );
    this.#written.set(key, bytes);
    return bytes;
  }

  /** @returns bytes filled, fewer than `target` only at the end of the file. @throws what the source throws. */
  read(offsetBytes: number, target: Uint8Array, source: OpenSource): number {
    const end = Math.min(offsetBytes + target.length, this.#file.sizeBytes);
    let at = offsetBytes;
    for (let block = this.#blockAt(at); at < end; block += 1) {
      if (block >= this.#file.blockCount)
        throw new Error(`${this.#path}: ${end - at} bytes of a table are in none of its blocks`);
      const bytes = this.#block(block, source);
      const skip = at - this.#file.offsetOf(block);
      const part = bytes.subarray(skip, skip + end - at);
      target.set(part, at - offsetBytes);
      at += part.length;
    }
    return Math.max(0, end - offsetBytes);
  }
}
