/** What some of a plate's numbered things are: many of them are of one kind. */
export interface KindTable<T> {
  readonly kinds: readonly T[];
  /** Number, place in `kinds`; number, place …, ascending. */
  readonly pairs: readonly number[];
}

/** The kind of a number; undefined where it has none. */
export function kindAt<T>({ kinds, pairs }: KindTable<T>, number: number): T | undefined {
  let low = 0;
  let high = pairs.length / 2;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((pairs[2 * middle] ?? 0) < number) low = middle + 1;
    else high = middle;
  }
  return pairs[2 * low] === number ? kinds[pairs[2 * low + 1] ?? 0] : undefined;
}

/** Gathers a {@link KindTable}. Kinds are plain data, and the same where their JSON is. */
export class KindTableBuilder<T> {
  readonly #kinds: T[] = [];
  readonly #places = new Map<string, number>();
  readonly #kindOf = new Map<number, number>();

  /** Says of what kind a number is: the last that is said holds. */
  add(number: number, kind: T): void {
    const key = JSON.stringify(kind);
    const known = this.#places.get(key) ?? this.#kinds.push(kind) - 1;
    this.#places.set(key, known);
    this.#kindOf.set(number, known);
  }

  /** Everything, with numbers replaced by those that `placed` gives for them; undefined when there is nothing. */
  finish(placed: Uint32Array): KindTable<T> | undefined {
    if (this.#kindOf.size === 0) return undefined;
    const pairs = [...this.#kindOf]
      .map(([number, kind]) => [placed[number] ?? 0, kind] as const)
      .sort(([a], [b]) => a - b)
      .flat();
    return { kinds: this.#kinds, pairs };
  }
}
