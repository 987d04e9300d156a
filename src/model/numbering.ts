/**
 * Which permanent number each thing of a list has, as the list changes. A thing keeps its number as long as it
 * exists; a new one gets a new number; a number is never given twice. Plain data, in shared memory where there are
 * arrays.
 */
export interface Numbering {
  /** Numbers given so far: every number is below. */
  readonly next: number;
  /** The number of the thing at each position; absent where things are numbered as they stand. */
  readonly numbers?: Uint32Array;
  /** The position of each number's thing, or {@link GONE}; absent where things are numbered as they stand. */
  readonly positions?: Uint32Array;
}

/** In `Numbering.positions`: the thing is no more. */
export const GONE = 0xffff_ffff;

/** Things numbered as they stand. */
export const numberedInOrder = (count: number): Numbering => ({ next: count });

export function numberAt({ numbers }: Numbering, position: number): number {
  return numbers ? (numbers[position] ?? GONE) : position;
}

/** Where a number's thing stands now, or undefined when it is gone or there never was one. */
export function positionOf({ positions, next }: Numbering, number: number): number | undefined {
  if (number >= next) return undefined;
  const position = positions ? positions[number] : number;
  return position === GONE ? undefined : position;
}

/**
 * Numbers the things of a new list. `earlierOf` says where the thing at a position of the new list stood in the
 * list before, or undefined for a new one.
 */
export function renumber(
  before: Numbering,
  count: number,
  earlierOf: (position: number) => number | undefined,
): Numbering {
  const numbers = new Uint32Array(new SharedArrayBuffer(4 * count));
  let { next } = before;
  for (let position = 0; position < count; position += 1) {
    const earlier = earlierOf(position);
    if (earlier === undefined) {
      numbers[position] = next;
      next += 1;
    } else numbers[position] = numberAt(before, earlier);
  }
  const positions = new Uint32Array(new SharedArrayBuffer(4 * next)).fill(GONE);
  for (let position = 0; position < count; position += 1) positions[numbers[position] ?? 0] = position;
  return { next, numbers, positions };
}
