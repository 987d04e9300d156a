import { type DecodedKeeper, keptDecodedChanged } from '../../core/kept-decoded.ts';

/** Values of known size, least recently used ones given up first; the newest is kept whatever its size. */
export class ByteLru<V> implements DecodedKeeper {
  readonly #values = new Map<string, { readonly value: V; readonly sizeBytes: number }>();
  readonly #boundBytes: number;
  #usedBytes = 0;

  constructor(boundBytes: number) {
    this.#boundBytes = boundBytes;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** The value of a key, made and kept when there is none. */
  getOrMake(key: string, sizeOf: (value: V) => number, make: () => V): V {
    const known = this.#values.get(key);
    if (known) {
      this.#values.delete(key);
      this.#values.set(key, known);
      return known.value;
    }
    const value = make();
    const sizeBytes = sizeOf(value);
    this.#values.set(key, { value, sizeBytes });
    this.#usedBytes += sizeBytes;
    this.shrinkTo(this.#boundBytes, true);
    keptDecodedChanged(this);
    return value;
  }

  shrinkTo(keptBytes: number, isNewestKept: boolean): void {
    for (const [oldest, { sizeBytes }] of this.#values) {
      if (this.#usedBytes <= keptBytes || (isNewestKept && this.#values.size === 1)) break;
      this.#values.delete(oldest);
      this.#usedBytes -= sizeBytes;
    }
  }

  clear(): void {
    this.#values.clear();
    this.#usedBytes = 0;
    keptDecodedChanged(this);
  }
}
