import type { GrowingNames } from './growing-column.ts';

/** Where a builder's numbers went: index of the finished numbering by number in order of adding. */
export interface Renumbering {
  /** New number → number as added. */
  readonly order: Uint32Array;
  /** Number as added → new number. */
  readonly placed: Uint32Array;
}

function renumbering(order: Uint32Array): Renumbering {
  const placed = new Uint32Array(order.length);
  for (let i = 0; i < order.length; i += 1) placed[order[i] ?? 0] = i;
  return { order, placed };
}

/** Level by level, the children of one directory together and sorted bytewise. Directory 0 is the root. */
export function renumberDirectories(names: readonly string[], parents: readonly number[]): Renumbering {
  const children: number[][] = Array.from(names, () => []);
  for (let i = 1; i < names.length; i += 1) children[parents[i] ?? 0]?.push(i);
  const order = new Uint32Array(names.length);
  let filled = 1;
  for (let i = 0; i < filled; i += 1) {
    const below = children[order[i] ?? 0] ?? [];
    const named = below.map((child) => ({ child, name: Buffer.from(names[child] ?? '') }));
    named.sort((a, b) => Buffer.compare(a.name, b.name));
    for (const { child } of named) {
      order[filled] = child;
      filled += 1;
    }
  }
  return renumbering(order);
}

/** Files of one directory together, sorted bytewise; `fileDirectories` holds directories as added. */
export function renumberFiles(
  names: GrowingNames,
  fileDirectories: Uint32Array,
  directories: Renumbering,
): Renumbering {
  const { count } = names;
  const directoryOf = (file: number): number => directories.placed[fileDirectories[file] ?? 0] ?? 0;
  const starts = new Uint32Array(directories.order.length + 1);
  for (let i = 0; i < count; i += 1) {
    const slot = directoryOf(i) + 1;
    starts[slot] = (starts[slot] ?? 0) + 1;
  }
  for (let i = 1; i < starts.length; i += 1) starts[i] = (starts[i] ?? 0) + (starts[i - 1] ?? 0);
  const next = starts.slice();
  const order = new Uint32Array(count);
  for (let i = 0; i < count; i += 1) {
    const directory = directoryOf(i);
    const slot = next[directory] ?? 0;
    order[slot] = i;
    next[directory] = slot + 1;
  }
  for (let directory = 0; directory + 1 < starts.length; directory += 1) {
    const slice = order.subarray(starts[directory], starts[directory + 1]);
    let sorted = true;
    for (let i = 1; i < slice.length && sorted; i += 1)
      sorted = names.compare(slice[i - 1] ?? 0, slice[i] ?? 0) <= 0;
    if (!sorted) slice.sort((a, b) => names.compare(a, b));
  }
  return renumbering(order);
}
