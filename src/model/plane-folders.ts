import { hash } from 'node:crypto';
import { fieldNumberOf } from './field-numbers.ts';
import { CHANNEL, COLUMN, FIELD, type NameTemplate, ROW, SITE, T, Z } from './name-template.ts';
import { orderByColumns } from './plane-order.ts';
import type { PlateIndex } from './plate-index.ts';

/** The folders that a template with `/` makes of a plate. */
export interface PlaneFolders {
  /** Plane numbers, those of one folder contiguous. */
  readonly order: Uint32Array;
  /**
   * Per level, where its folders begin in `order`, and behind the last the number of planes: folder `f` of a level
   * holds `order[starts[f]] … order[starts[f + 1]]`.
   */
  readonly starts: readonly Uint32Array[];
  /** Numbers of all folders, ascending: each follows from the folder's path, so it is permanent. */
  readonly numbers: Float64Array;
  /** For each of `numbers` the folder, counted through the levels from the first on. */
  readonly folders: Uint32Array;
}

/** Folders' numbers are below. */
export const FOLDER_NUMBERS = 2 ** 39;

/** The number of a folder with this path, unless another one has it already. */
export function folderNumber(path: string): number {
  const digest = hash('sha256', path, 'buffer');
  return digest.readUIntBE(0, 5) % FOLDER_NUMBERS;
}

const shared = (bytes: number): SharedArrayBuffer => new SharedArrayBuffer(bytes);

function columnOf(index: PlateIndex, slot: number): Uint8Array | Uint16Array | Uint32Array {
  const { planes } = index;
  if (slot === FIELD) return Uint32Array.from({ length: planes.count }, (_, i) => fieldNumberOf(index, i));
  const columns: Readonly<Record<number, Uint8Array | Uint16Array | Uint32Array>> = {
    [ROW]: planes.rows,
    [COLUMN]: planes.columns,
    [SITE]: planes.sites,
    [CHANNEL]: planes.channels,
    [Z]: planes.zs,
    [T]: planes.ts,
  };
  return columns[slot] ?? planes.sites;
}

/** The values of a plane, as templates take them; `values` is filled. */
export function fillValues(index: PlateIndex, plane: number, values: Float64Array): Float64Array {
  const { planes } = index;
  values[ROW] = planes.rows[plane] ?? 0;
  values[COLUMN] = planes.columns[plane] ?? 0;
  values[SITE] = planes.sites[plane] ?? 0;
  values[FIELD] = fieldNumberOf(index, plane);
  values[CHANNEL] = planes.channels[plane] ?? 0;
  values[Z] = planes.zs[plane] ?? 0;
  values[T] = planes.ts[plane] ?? 0;
  return values;
}

/** Path of the folder of this level, from 0, that a plane lies in. */
export function folderPathOf(template: NameTemplate, values: Float64Array, level: number): string {
  return template.segments
    .slice(0, level + 1)
    .map((segment) => segment.format(values))
    .join('/');
}

/** Lays out the folders of a template, or undefined when it has none. */
export function layOutFolders(index: PlateIndex, template: NameTemplate): PlaneFolders | undefined {
  const levels = template.segments.slice(0, -1);
  if (levels.length === 0) return undefined;
  const { count } = index.planes;
  const columns = new Map<number, Uint8Array | Uint16Array | Uint32Array>();
  const columnsOfLevel = levels.map((segment) => {
    const fresh = segment.slots.filter((slot) => !columns.has(slot));
    for (const slot of fresh) columns.set(slot, columnOf(index, slot));
    return fresh.map((slot) => columns.get(slot) ?? index.planes.sites);
  });
  const order = new Uint32Array(shared(4 * count));
  order.set(orderByColumns([...columns.values()], count));
  const starts: Uint32Array[] = [];
  for (let level = 0; level < levels.length; level += 1) {
    const relevant = columnsOfLevel.slice(0, level + 1).flat();
    const found: number[] = [];
    for (let i = 0; i < count; i += 1)
      if (i === 0 || relevant.some((column) => column[order[i] ?? 0] !== column[order[i - 1] ?? 0]))
        found.push(i);
    const column = new Uint32Array(shared(4 * (found.length + 1)));
    column.set([...found, count]);
    starts.push(column);
  }
  return { order, starts, ...numberFolders(index, template, order, starts) };
}

/** Two paths with one number: the later in order takes the next free one. */
function numberFolders(
  index: PlateIndex,
  template: NameTemplate,
  order: Uint32Array,
  starts: readonly Uint32Array[],
): Pick<PlaneFolders, 'numbers' | 'folders'> {
  const values = new Float64Array(7);
  const taken = new Map<number, number>();
  let folder = 0;
  for (const [level, column] of starts.entries())
    for (let f = 0; f + 1 < column.length; f += 1, folder += 1) {
      fillValues(index, order[column[f] ?? 0] ?? 0, values);
      let number = folderNumber(folderPathOf(template, values, level));
      while (taken.has(number)) number = (number + 1) % FOLDER_NUMBERS;
      taken.set(number, folder);
    }
  const numbers = new Float64Array(shared(8 * folder));
  const folders = new Uint32Array(shared(4 * folder));
  const sorted = [...taken.keys()].sort((a, b) => a - b);
  for (const [i, number] of sorted.entries()) {
    numbers[i] = number;
    folders[i] = taken.get(number) ?? 0;
  }
  return { numbers, folders };
}
