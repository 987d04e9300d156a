import { LRUCache } from 'lru-cache';

/**
 * Least-recently-used cache that counts bytes. The bound can change at any time; an entry larger than the bound is
 * not kept.
 */
export class ByteCache<V extends object> {
  private readonly entries: LRUCache<string, V>;
  private readonly sizeOf: (value: V) => number;
  private boundBytes: number;

  constructor(boundBytes: number, sizeOf: (value: V) => number) {
    this.boundBytes = boundBytes;
    this.sizeOf = sizeOf;
    // lru-cache's own bound has no setter; the bytes are counted by it and the bound is kept here.
    this.entries = new LRUCache({
      maxSize: Number.MAX_SAFE_INTEGER,
      sizeCalculation: (value) => Math.max(1, sizeOf(value)),
    });
  }

  get usedBytes(): number {
    return this.entries.calculatedSize;
  }

  get maxBytes(): number {
    return this.boundBytes;
  }

  get count(): number {
    return this.entries.size;
  }

  get(key: string): V | undefined {
    return this.entries.get(key);
  }

  /** Keeps `value`, dropping the least recently used; false when it is larger than the whole cache. */
  set(key: string, value: V): boolean {
    if (this.sizeOf(value) > this.boundBytes) {
      this.entries.delete(key);
      return false;
    }
    this.entries.set(key, value);
    this.shrinkTo(this.boundBytes);
    return true;
  }

  delete(key: string): void {
    this.entries.delete(key);
  }

  clear(): void {
    this.entries.clear();
  }

  /** Changes the bound and drops what no longer fits. */
  resize(maxBytes: number): void {
    this.boundBytes = Math.max(0, maxBytes);
    this.shrinkTo(this.boundBytes);
  }

  /** Drops the least recently used until at most `sizeBytes` are held; returns the bytes freed. */
  shrinkTo(sizeBytes: number): number {
    const before = this.usedBytes;
    while (this.usedBytes > sizeBytes && this.entries.size > 0) this.entries.pop();
    return before - this.usedBytes;
  }
}
