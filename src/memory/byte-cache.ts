import { LRUCache } from 'lru-cache';
import { MAX_IN_TURN_BYTES } from '../core/kept-decoded.ts';

/** So much of what was served whole is kept before its memory is used again. */
const SPENT_BYTES = 4 * 2 ** 20;
/** Entries that are looked at for memory of the right size. */
const MAX_LOOKS = 16;

/**
 * Decoded pixels kept for the next read, least recently used out first: the one cache of a reader thread. What is
 * kept stays within a bound in bytes that can change at any time. The newest entry alone may be larger than the
 * bound, and so may what is read in turn with it: a file is read in parts, and each part would decode all of its plane
 * again. What was served whole is spent,
 * since the kernel keeps it too: it goes first, and its memory is used again, so that a long scan neither takes fresh
 * memory all the time nor drives out what is still needed.
 */
export class ByteCache {
  // The bound of an lru-cache has no setter: it counts the bytes, and the bound is kept here.
  readonly #entries = new LRUCache<string, Uint8Array>({
    maxSize: Number.MAX_SAFE_INTEGER,
    sizeCalculation: (bytes) => Math.max(1, bytes.byteLength),
    dispose: (bytes, key) => this.#forget(bytes, key),
  });
  #boundBytes: number;
  #inTurnBytes = 0;
  readonly #elsewhere: () => number;
  /** How much of an entry was served. */
  readonly #served = new Map<string, number>();
  /** Oldest first. */
  readonly #spent = new Set<string>();
  #spentBytes = 0;
  /** Memory that {@link take} gave out, and may give out again once it is no longer kept. */
  readonly #lent = new WeakSet<Uint8Array>();
  #spare: Uint8Array | undefined;

  /** @param elsewhere what others of the same thread hold, which counts towards the bound. */
  constructor(boundBytes: number, elsewhere: () => number = () => 0) {
    this.#boundBytes = boundBytes;
    this.#elsewhere = elsewhere;
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

  /**
   * Keeps `bytes`, which nobody may change any more.
   * @param inTurnBytes of the entries, this one among them, that are read in turn, a part of each.
   */
  set(key: string, bytes: Uint8Array, inTurnBytes = 0): void {
    this.#inTurnBytes = Math.min(inTurnBytes, MAX_IN_TURN_BYTES);
    this.#entries.set(key, bytes);
    this.trim();
  }

  /** Drops what does not fit any more, since others hold more than before. */
  trim(): void {
    const leftBytes = Math.max(this.#boundBytes - this.#elsewhere(), this.#inTurnBytes);
    while (this.usedBytes > leftBytes && this.#entries.size > 1) this.#drop();
  }

  /** So many bytes of an entry were handed to a client. */
  served(key: string, bytes: number): void {
    const entry = this.#entries.peek(key);
    if (!entry || this.#spent.has(key)) return;
    const servedBytes = (this.#served.get(key) ?? 0) + bytes;
    this.#served.set(key, servedBytes);
    if (servedBytes < entry.length) return;
    this.#spent.add(key);
    this.#spentBytes += entry.length;
  }

  /**
   * Memory for an entry, with chance bytes in it: that of an entry that is not needed any more, where it has the size.
   * So a long scan does not wait for the collector. Whoever gets an entry that was made of it uses it before the next
   * `take`.
   */
  take(sizeBytes: number): Uint8Array {
    const spare = this.#spare;
    this.#spare = undefined;
    const bytes =
      spare?.length === sizeBytes
        ? spare
        : (this.#takeSpent(sizeBytes) ?? new Uint8Array(Buffer.allocUnsafeSlow(sizeBytes).buffer));
    this.#lent.add(bytes);
    return bytes;
  }

  #takeSpent(sizeBytes: number): Uint8Array | undefined {
    if (this.#spentBytes < SPENT_BYTES) return undefined;
    let looks = 0;
    for (const key of this.#spent) {
      const bytes = this.#entries.peek(key);
      if (bytes?.length === sizeBytes && this.#lent.has(bytes)) {
        this.#entries.delete(key);
        return bytes;
      }
      if (++looks === MAX_LOOKS) break;
    }
    return undefined;
  }

  /** Drops what is spent, else what was used longest ago. */
  #drop(): void {
    const [spent] = this.#spent;
    const gone = spent === undefined ? this.#entries.pop() : this.#entries.peek(spent);
    if (spent !== undefined) this.#entries.delete(spent);
    if (gone && this.#lent.has(gone)) this.#spare = gone;
  }

  #forget(bytes: Uint8Array, key: string): void {
    this.#served.delete(key);
    if (this.#spent.delete(key)) this.#spentBytes -= bytes.length;
  }

  clear(): void {
    this.#spare = undefined;
    this.#entries.clear();
  }

  /** Changes the bound and drops what no longer fits, the newest entry included. */
  resize(boundBytes: number): void {
    this.#boundBytes = boundBytes;
    this.#inTurnBytes = 0;
    const leftBytes = boundBytes - this.#elsewhere();
    while (this.usedBytes > leftBytes && this.#entries.size > 0) this.#drop();
    this.#spare = undefined;
  }
}
