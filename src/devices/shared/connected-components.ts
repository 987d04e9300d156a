import { allocate, type NdArray } from '../../core/nd-array.ts';
import { planeOf } from './pixel-types.ts';

/** Runs of foreground pixels, row by row; run r covers `start[r] … end[r]` (exclusive) of its row. */
class RunList {
  count = 0;
  start = new Int32Array(4096);
  end = new Int32Array(4096);
  /** Parent in the union-find forest; a root is its own parent and the first run of its object. */
  parent = new Int32Array(4096);

  add(start: number, end: number): void {
    if (this.count === this.start.length) this.#grow();
    this.start[this.count] = start;
    this.end[this.count] = end;
    this.parent[this.count] = this.count;
    this.count++;
  }

  #grow(): void {
    const doubled = (array: Int32Array): Int32Array<ArrayBuffer> => {
      const larger = new Int32Array(array.length * 2);
      larger.set(array);
      return larger;
    };
    this.start = doubled(this.start);
    this.end = doubled(this.end);
    this.parent = doubled(this.parent);
  }

  root(run: number): number {
    const { parent } = this;
    let top = run;
    while ((parent[top] as number) !== top) {
      parent[top] = parent[parent[top] as number] as number;
      top = parent[top] as number;
    }
    return top;
  }

  /** Joins two objects; the earlier root stays, so that a root is always its object's first run. */
  join(a: number, b: number): void {
    const rootA = this.root(a);
    const rootB = this.root(b);
    if (rootA < rootB) this.parent[rootB] = rootA;
    else this.parent[rootA] = rootB;
  }
}

export interface Labelling {
  readonly labels: NdArray<'int32'>;
  readonly count: number;
}

/**
 * `scipy.ndimage.label`: objects are numbered from 1 in the order of their first pixels, row by row. Whatever is
 * not 0 is foreground.
 */
export function labelComponents(array: NdArray, connectivity: 4 | 8): Labelling {
  const { height, width, pixels } = planeOf(array);
  const runs = new RunList();
  const firstRun = new Int32Array(height + 1);
  const reach = connectivity === 8 ? 1 : 0;
  for (let y = 0; y < height; y++) {
    const rowStart = y * width;
    const rowEnd = rowStart + width;
    let i = rowStart;
    while (i < rowEnd) {
      while (i < rowEnd && pixels[i] === 0) i++;
      if (i === rowEnd) break;
      const start = i - rowStart;
      while (i < rowEnd && pixels[i] !== 0) i++;
      runs.add(start, i - rowStart);
    }
    firstRun[y + 1] = runs.count;
    if (y === 0) continue;
    let above = firstRun[y - 1] as number;
    const aboveEnd = firstRun[y] as number;
    const { start, end } = runs;
    for (let run = aboveEnd; run < runs.count; run++) {
      const from = (start[run] as number) - reach;
      const to = (end[run] as number) + reach;
      while (above < aboveEnd && (end[above] as number) <= from) above++;
      for (let other = above; other < aboveEnd && (start[other] as number) < to; other++) {
        runs.join(run, other);
      }
    }
  }

  const labels = allocate('int32', [height, width]);
  const numbers = new Int32Array(runs.count);
  let count = 0;
  for (let y = 0; y < height; y++) {
    const rowStart = y * width;
    for (let run = firstRun[y] as number; run < (firstRun[y + 1] as number); run++) {
      const root = runs.root(run);
      if (root === run) numbers[run] = ++count;
      labels.data.fill(
        numbers[root] as number,
        rowStart + (runs.start[run] as number),
        rowStart + (runs.end[run] as number),
      );
    }
  }
  return { labels, count };
}
