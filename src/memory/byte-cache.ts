import { LRUCache } from 'lru-cache';

/**
 * Decoded pixels kept for the next read, least recently used out first: the one cache of a reader thread. What is
 * kept stays within a bound in bytes that can change at any time. The newest entry alone may be larger than the
 * bound: a file is read in parts, and each part would decode all of its plane again.
 */
export class ByteCache {
  // The bound of an lru-cache has no setter: it counts the bytes, and the bound is kept here.
  readonly #entries = new LRUCache<string, Uint8Array>({
    maxSize: Number.MAX_SAFE_INTEGER,
    sizeCalculation: (bytes) => Math.max(1, bytes.byteLength),
  });
  #boundBytes: number;

  constructor(boundBytes: number) {
    this.#boundBytes = boundBytes;
  }

  /** What may be kept. */
  get boundBytes(): number {
    return this.#boundBytes;
  }

  /** Bytes kept now; an empty entry counts as one. */
  get usedBytes(): number {
    return this.#entries.calculatedSize;
  }

  get(key: string): Uint8Array | undefined {
    return this.#entries.get(key);
  }

  /** Keeps `bytes`, which nobody may change any more. */
  set(key: string, bytes: Uint8Array): void {
    this.#entries.set(key, bytes);
    while (this.usedBytes > this.#boundBytes && this.#entries.size > 1) this.#entries.pop();
  }

  clear(): void {
    this.#entries.clear();
  }

  /** Changes the bound and drops what no longer fits, the newest entry included. */
  resize(boundBytes: number): void {
    this.#boundBytes = boundBytes;
    while (this.usedBytes > boundBytes && this.#entries.size > 0) this.#entries.pop();
  }
}
