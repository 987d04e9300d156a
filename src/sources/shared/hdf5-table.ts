import { type Dtype, elementCount, fromBytes } from '../../core/nd-array.ts';
import type { Region } from '../../core/region.ts';
import type { TableColumn, TableRows } from '../../sources.ts';
import type { Hdf5Dataset } from './hdf5-dataset.ts';
import type { NumberReader } from './hdf5-read.ts';
import { readCompounds, readTexts } from './hdf5-read-values.ts';
import { jsonOf } from './hdf5-values.ts';
import type { CompoundField, CompoundValue, ElementType } from './hierarchy.ts';

/** Columns of one table: a field that is an array has one per element. */
const MAX_COLUMNS = 4096;

type Cell = number | bigint | string | boolean | undefined;

/** A column, and how its cell is found in an element. */
interface Column extends TableColumn {
  cell(value: CompoundValue): Cell;
}

/** A dataset as rows: one per element in C order, its place first where it has more than one axis. */
export interface TablePlan {
  readonly columns: readonly TableColumn[];
  readonly rowCount: number;
  read(firstRow: number, rowCount: number): TableRows;
}

/**
 * The table of a dataset of compounds, texts or named numbers; undefined when it is none, or has too many columns.
 * `numbers` reads an enumeration's.
 */
export function tablePlan(
  dataset: Hdf5Dataset,
  name: string,
  numbers: () => NumberReader,
): TablePlan | undefined {
  const { shape, type } = dataset;
  // One text is a file of its own.
  if (shape.length === 0 && type.kind !== 'compound') return undefined;
  const columns = columnsOf(type, name);
  if (columns === undefined || columns.length > MAX_COLUMNS) return undefined;
  const places: TableColumn[] =
    shape.length <= 1 ? [] : shape.map((_, axis) => ({ name: `axis${axis}`, type: 'int64' }));
  const rowCount = elementCount(shape);
  return {
    columns: [...places, ...columns.map((column) => ({ name: column.name, type: column.type }))],
    rowCount,
    read(firstRow, count) {
      if (
        !(
          Number.isInteger(firstRow) &&
          Number.isInteger(count) &&
          firstRow >= 0 &&
          count >= 0 &&
          firstRow + count <= rowCount
        )
      )
        throw new RangeError(`rows ${firstRow} to ${firstRow + count} of ${rowCount}`);
      const values = regionsOf(shape, firstRow, count).flatMap((region) =>
        valuesOf(dataset, region, numbers),
      );
      const cells: Cell[][] = places.map((_, axis) => {
        const step = elementCount(shape.slice(axis + 1));
        const extent = shape[axis] ?? 1;
        return values.map((_value, index) => BigInt(Math.floor((firstRow + index) / step) % extent));
      });
      for (const column of columns) cells.push(values.map((value) => column.cell(value)));
      return { columns: cells };
    },
  };
}

function valuesOf(
  dataset: Hdf5Dataset,
  region: Region,
  numbers: () => NumberReader,
): readonly CompoundValue[] {
  const { type } = dataset;
  if (type.kind === 'text') return readTexts(dataset, region);
  if (type.kind === 'compound') return readCompounds(dataset, region);
  if (type.kind !== 'enum') return [];
  const reader = numbers();
  const bytes = new Uint8Array(elementCount(region.shape) * reader.itemBytes);
  reader.read(region, bytes);
  return Array.from<number | bigint>(fromBytes(type.dtype, [elementCount(region.shape)], bytes).data);
}

/** Boxes that, one after the other, hold elements `first … first + count` in C order. */
function regionsOf(shape: readonly number[], first: number, count: number): Region[] {
  if (count === 0) return [];
  if (shape.length === 0) return [{ start: [], shape: [] }];
  const inner = elementCount(shape.slice(1));
  if (shape.length === 1 || inner === 0) return [{ start: [first], shape: [count] }];
  const row = Math.floor(first / inner);
  const at = first % inner;
  const below = (start: number, length: number, outer: number): Region[] =>
    regionsOf(shape.slice(1), start, length).map((region) => ({
      start: [outer, ...region.start],
      shape: [1, ...region.shape],
    }));
  if (at !== 0 || count < inner) {
    const part = Math.min(count, inner - at);
    return [...below(at, part, row), ...regionsOf(shape, first + part, count - part)];
  }
  const rows = Math.floor(count / inner);
  const whole: Region = { start: [row, ...shape.slice(1).map(() => 0)], shape: [rows, ...shape.slice(1)] };
  return [whole, ...regionsOf(shape, first + rows * inner, count - rows * inner)];
}

function columnsOf(type: ElementType, name: string): Column[] | undefined {
  if (type.kind === 'compound')
    return type.fields.flatMap((field, index) => fieldColumns(field, field.name, index));
  if (type.kind !== 'text' && type.kind !== 'enum') return undefined;
  return valueColumns(type, name, (value) => value);
}

type Pick = (value: CompoundValue) => CompoundValue | undefined;

const elementAt =
  (pick: Pick, index: number): Pick =>
  (value) => {
    const list = pick(value);
    return Array.isArray(list) ? (list as readonly CompoundValue[])[index] : undefined;
  };

function fieldColumns(
  field: CompoundField,
  name: string,
  index: number,
  from: Pick = (value) => value,
): Column[] {
  const pick = elementAt(from, index);
  if (field.shape === undefined) return valueColumns(field.type, name, pick);
  const count = elementCount(field.shape);
  if (count > MAX_COLUMNS) return Array.from({ length: MAX_COLUMNS + 1 }, () => textColumn(name, pick));
  return Array.from({ length: count }, (_, element) =>
    valueColumns(field.type, `${name}[${placeOf(field.shape ?? [], element)}]`, elementAt(pick, element)),
  ).flat();
}

function placeOf(shape: readonly number[], element: number): string {
  const place: number[] = [];
  let rest = element;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const extent = shape[axis] ?? 1;
    place.unshift(rest % extent);
    rest = Math.floor(rest / extent);
  }
  return place.join(',');
}

function valueColumns(type: ElementType, name: string, pick: Pick): Column[] {
  switch (type.kind) {
    case 'number':
      return [{ name, type: type.dtype, cell: (value) => numberCell(pick(value), type.dtype) }];
    case 'boolean':
      return [{ name, type: 'boolean', cell: (value) => pick(value) === true }];
    case 'enum': {
      const names = new Map(type.names.map((one) => [String(one.value), one.name]));
      const nameOf = (value: CompoundValue | undefined): string => names.get(String(value)) ?? String(value);
      return [{ name, type: 'text', cell: (value) => nameOf(pick(value)) }];
    }
    case 'compound':
      return type.fields.flatMap((field, index) => fieldColumns(field, `${name}.${field.name}`, index, pick));
    default:
      return [textColumn(name, pick)];
  }
}

function numberCell(value: CompoundValue | undefined, dtype: Dtype): Cell {
  const wanted = dtype === 'int64' || dtype === 'uint64' ? 'bigint' : 'number';
  return typeof value === wanted ? (value as Cell) : undefined;
}

const textColumn = (name: string, pick: Pick): Column => ({
  name,
  type: 'text',
  cell: (value) => {
    const text = pick(value);
    if (typeof text === 'string') return text;
    return text === undefined ? undefined : jsonOf(text);
  },
});
