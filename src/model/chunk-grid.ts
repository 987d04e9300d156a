import { type KindTable, kindAt } from './kind-table.ts';

/**
 * The chunks of a Zarr array as files: their names follow from the array's grid, so that an index need not hold them.
 * A path is a few names, one per step; each name is a prefix and some coordinates joined by dots. `0/1/2` has three
 * steps, `0.1.2` one, `c/0/1` three, the first of which is `c` and no coordinate.
 *
 * Every folder and file of the grid has an ordinal, numbered depth first. It does not depend on the extent of the first
 * axis, along which arrays grow.
 */
export interface ChunkGrid {
  readonly steps: readonly GridStep[];
}

export interface GridStep {
  readonly prefix: string;
  /** Chunks along the axes whose coordinates stand in this name. */
  readonly extents: readonly number[];
}

/** The folders of an index whose chunks it leaves out, by the numbers of their directories. */
export type ChunkFolders = KindTable<ChunkGrid>;

/** Ordinals below this are given, so that a node number can hold one. */
export const MAX_GRID_ENTRIES = 2 ** 24;

const product = (extents: readonly number[]): number => extents.reduce((total, extent) => total * extent, 1);

/** Entries at and below one entry of step `step`. */
function subtreeSize({ steps }: ChunkGrid, step: number): number {
  let size = 1;
  for (let at = steps.length - 1; at > step; at--) size = 1 + product(steps[at]?.extents ?? []) * size;
  return size;
}

/** Folders and files of a whole grid. */
export function gridEntries(grid: ChunkGrid): number {
  return product(grid.steps[0]?.extents ?? []) * subtreeSize(grid, 0);
}

/** Places of an entry among the names of each step above and at it. */
export type GridPlace = readonly number[];

/** Where an ordinal is; undefined when there is no such entry. */
export function placeOf(grid: ChunkGrid, ordinal: number): GridPlace | undefined {
  if (!(Number.isSafeInteger(ordinal) && ordinal >= 0 && ordinal < gridEntries(grid))) return undefined;
  const place: number[] = [];
  for (let rest = ordinal, step = 0; ; step++) {
    const size = subtreeSize(grid, step);
    place.push(Math.floor(rest / size));
    rest %= size;
    if (rest === 0) return place;
    rest -= 1;
  }
}

export function ordinalOf(grid: ChunkGrid, place: GridPlace): number {
  return place.reduce(
    (ordinal, at, step) => ordinal + (step === 0 ? 0 : 1) + at * subtreeSize(grid, step),
    0,
  );
}

/** Whether an entry is a folder; a chunk's file otherwise. */
export function isGridFolder({ steps }: ChunkGrid, place: GridPlace): boolean {
  return place.length < steps.length;
}

function nameAt({ prefix, extents }: GridStep, at: number): string {
  const coordinates: number[] = [];
  for (let axis = extents.length - 1; axis >= 0; axis--) {
    const extent = extents[axis] ?? 1;
    coordinates.unshift(at % extent);
    at = Math.floor(at / extent);
  }
  return prefix + coordinates.join('.');
}

/** The names of an entry's path below its array's folder. */
export function gridPath({ steps }: ChunkGrid, place: GridPlace): string {
  return place.map((at, step) => nameAt(steps[step] ?? EMPTY_STEP, at)).join('/');
}

const EMPTY_STEP: GridStep = { prefix: '', extents: [] };

/** The place of a name among those of step `step`; undefined when it is none of them. */
export function placeOfName({ steps }: ChunkGrid, step: number, name: string): number | undefined {
  const { prefix, extents } = steps[step] ?? {};
  if (prefix === undefined || extents === undefined || !name.startsWith(prefix)) return undefined;
  const parts = extents.length === 0 ? [] : name.slice(prefix.length).split('.');
  if (parts.length !== extents.length || (extents.length === 0 && name !== prefix)) return undefined;
  let place = 0;
  for (let axis = 0; axis < extents.length; axis++) {
    const text = parts[axis] ?? '';
    const extent = extents[axis] ?? 0;
    // As chunk keys are written: no sign, no leading zero.
    if (!/^(?:0|[1-9]\d{0,9})$/.test(text) || Number(text) >= extent) return undefined;
    place = place * extent + Number(text);
  }
  return place;
}

/** Whether the entries that two grids share have the same ordinals. */
export function isSameNumbering(a: ChunkGrid, b: ChunkGrid): boolean {
  const shapeOf = ({ steps }: ChunkGrid): string =>
    JSON.stringify(
      steps.map(({ prefix, extents }, step) => {
        const isFirst = steps.slice(0, step).every((before) => before.extents.length === 0);
        return [prefix, extents.length, isFirst ? extents.slice(1) : extents];
      }),
    );
  return shapeOf(a) === shapeOf(b);
}

/** The grid of a directory's chunks, when the index leaves them out. */
export function gridOf(chunks: ChunkFolders | undefined, directory: number): ChunkGrid | undefined {
  return chunks && kindAt(chunks, directory);
}
