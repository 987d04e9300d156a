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
  /** Memory that {@link take} gave out, and may give out again once it is no longer kept. */
  readonly #lent = new WeakSet<Uint8Array>();
  #spare: Uint8Array | undefined;

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
    while (this.usedBytes > this.#boundBytes && this.#entries.size > 1) this.#drop();
  }

  /**
   * Memory for an entry, with chance bytes in it: that of the entry that went last, where it has the size. So a long
   * scan does not wait for the collector. Whoever gets an entry that was made of it uses it before the next `take`.
   */
  take(sizeBytes: number): Uint8Array {
    const spare = this.#spare;
    this.#spare = undefined;
    const bytes =
      spare?.length === sizeBytes ? spare : new Uint8Array(Buffer.allocUnsafeSlow(sizeBytes).buffer);
    this.#lent.add(bytes);
    return bytes;
  }

  #drop(): void {
    const gone = this.#entries.pop();
    if (gone && this.#lent.has(gone)) this.#spare = gone;
  }

  clear(): void {
    this.#spare = undefined;
    this.#entries.clear();
  }

  /** Changes the bound and drops what no longer fits, the newest entry included. */
  resize(boundBytes: number): void {
    this.#boundBytes = boundBytes;
    while (this.usedBytes > boundBytes && this.#entries.size > 0) this.#drop();
    this.#spare = undefined;
  }
}
