type NumberColumn = Uint8Array | Uint16Array | Uint32Array | Float64Array;

/** What a column of each kind is made by. */
export const uint8 = (length: number): Uint8Array => new Uint8Array(length);
export const uint16 = (length: number): Uint16Array => new Uint16Array(length);
export const uint32 = (length: number): Uint32Array => new Uint32Array(length);
export const float64 = (length: number): Float64Array => new Float64Array(length);

/** A typed array that grows by doubling; what it holds never becomes an object per entry. */
export class GrowingColumn<A extends NumberColumn> {
  values: A;
  length = 0;
  readonly #make: (length: number) => A;

  constructor(make: (length: number) => A, capacity = 1024) {
    this.#make = make;
    this.values = make(capacity);
  }

  push(value: number): number {
    this.reserve(1);
    this.values[this.length] = value;
    this.length += 1;
    return this.length - 1;
  }

  /** Makes room for `extra` more entries. */
  reserve(extra: number): void {
    const needed = this.length + extra;
    if (needed <= this.values.length) return;
    const grown = this.#make(Math.max(needed, this.values.length * 2));
    grown.set(this.values.subarray(0, this.length));
    this.values = grown;
  }
}

/** Names one behind the other as UTF-8. */
export class GrowingNames {
  readonly bytes = new GrowingColumn((length) => Buffer.alloc(length), 16_384);
  readonly starts = new GrowingColumn((length) => new Uint32Array(length));

  constructor() {
    this.starts.push(0);
  }

  get count(): number {
    return this.starts.length - 1;
  }

  push(name: string): number {
    // One UTF-16 unit becomes at most three bytes.
    this.bytes.reserve(name.length * 3);
    const { values, length } = this.bytes;
    this.bytes.length += values.write(name, length, 'utf8');
    this.starts.push(this.bytes.length);
    return this.count - 1;
  }

  start(index: number): number {
    return this.starts.values[index] ?? 0;
  }

  text(index: number): string {
    return this.bytes.values.toString('utf8', this.start(index), this.start(index + 1));
  }

  /** Bytewise order of two names. */
  compare(a: number, b: number): number {
    const bytes = this.bytes.values;
    return bytes.compare(bytes, this.start(b), this.start(b + 1), this.start(a), this.start(a + 1));
  }
}
