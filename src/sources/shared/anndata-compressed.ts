import { allocate, type Dtype, elementCount, itemSizeBytes, type TypedArray } from '../../core/nd-array.ts';
import type { Region } from '../../core/region.ts';
import type { SparseEntries } from '../../sources.ts';
import type { SparseMatrix } from './anndata-matrix.ts';
import { Pointers } from './anndata-pointers.ts';
import { CrossLines, type Tile } from './anndata-tiles.ts';
import {
  badElement,
  below,
  encodingOf,
  extentOf,
  type Indices,
  numberArray,
  readIndices,
  readNumbers,
  textOf,
} from './anndata-values.ts';
import type { ByteLru } from './byte-lru.ts';
import type { Attributes, Hierarchy, NodePath } from './hierarchy.ts';

/** Entries read at once. */
const BLOCK_ENTRIES = 2 ** 18;
/** Dense bytes of a matrix that is shown as one dense array: row by row, and column by column (many passes). */
const MAX_DENSE_BYTES = { csr: 2 ** 34, csc: 2 ** 30 } as const;
/** Bytes of the dense piece that is worth reading at once. */
const DENSE_PIECE_BYTES = 2 ** 20;

type Order = 'csr' | 'csc';

/** Which way a group's matrix is compressed, or undefined when it holds none. */
export function sparseOrder(attributes: Attributes): Order | undefined {
  const encoding = encodingOf(attributes) ?? '';
  // Before 0.7: `h5sparse_format` and `h5sparse_shape` (found in files of anndata 0.6).
  const word = encoding.replace(/_matrix$/, '') || textOf(attributes['h5sparse_format']);
  return word === 'csr' || word === 'csc' ? word : undefined;
}

/** Adds one element of `values` to one of `target`, both of one dtype. */
function addTo(target: TypedArray, at: number, values: TypedArray, from: number): void {
  const sum = target[at];
  const value = values[from];
  if (typeof sum === 'bigint' && typeof value === 'bigint') target[at] = sum + value;
  else if (typeof sum === 'number' && typeof value === 'number') target[at] = sum + value;
}

/**
 * A matrix whose rows (`csr`) or columns (`csc`) lie one after the other as pairs of index and value: group of
 * `data`, `indices` and `indptr` with attribute `shape` (anndata documentation, "On-disk format", sparse arrays). What
 * lies along the other way is named minor here.
 */
export class CompressedMatrix implements SparseMatrix {
  readonly shape: readonly [rows: number, columns: number];
  readonly dtype: Dtype;
  readonly entryCount: number;
  readonly chunkShape: readonly number[];
  readonly #tree: Hierarchy;
  readonly #order: Order;
  readonly #dataPath: NodePath;
  readonly #indicesPath: NodePath;
  readonly #indexDtype: Dtype;
  readonly #pointers: Pointers;
  readonly #minorCount: number;
  readonly #cross: CrossLines;

  /** @throws BadMetadataError when a part is missing or parts don't fit each other. */
  constructor(tree: Hierarchy, path: NodePath, order: Order, kept: ByteLru<unknown>) {
    const attributes = tree.attributes(path);
    const stated = attributes['shape'] ?? attributes['h5sparse_shape'];
    if (!Array.isArray(stated) || stated.length !== 2)
      throw badElement(tree, path, 'has no attribute shape of two numbers');
    const rows = extentOf(tree, path, stated[0]);
    const columns = extentOf(tree, path, stated[1]);
    const [dataPath, indicesPath] = [below(path, 'data'), below(path, 'indices')];
    const data = numberArray(tree, dataPath);
    const indices = numberArray(tree, indicesPath);
    if (data.shape.length !== 1) throw badElement(tree, dataPath, `has shape [${data.shape}], not one axis`);
    if (indices.shape.length !== 1 || indices.shape[0] !== data.shape[0])
      throw badElement(tree, indicesPath, `has shape [${indices.shape}], data has [${data.shape}]`);
    const isByRow = order === 'csr';
    const majorCount = isByRow ? rows : columns;
    this.#tree = tree;
    this.#order = order;
    this.#dataPath = dataPath;
    this.#indicesPath = indicesPath;
    this.#indexDtype = indices.dtype;
    this.#minorCount = isByRow ? columns : rows;
    this.shape = [rows, columns];
    this.dtype = data.dtype;
    this.entryCount = data.shape[0] ?? 0;
    this.#pointers = new Pointers(tree, below(path, 'indptr'), kept, {
      majorCount,
      entryCount: this.entryCount,
    });
    const shape = { dtype: this.dtype, majorCount, minorCount: this.#minorCount };
    this.#cross = new CrossLines(path, shape, kept, (tile) => this.#fill(tile));
    const rowBytes = Math.max(1, columns * itemSizeBytes(this.dtype));
    const pieceRows = isByRow ? Math.floor(DENSE_PIECE_BYTES / rowBytes) : this.#cross.panelMinors;
    const pieceColumns = Math.min(columns, DENSE_PIECE_BYTES);
    this.chunkShape = [Math.max(1, Math.min(rows, pieceRows)), Math.max(1, pieceColumns)];
  }

  get isDenseBearable(): boolean {
    return elementCount(this.shape) * itemSizeBytes(this.dtype) <= MAX_DENSE_BYTES[this.#order];
  }

  entries(first: number, count: number): SparseEntries {
    const majors = new Float64Array(count);
    const minors = Float64Array.from(this.#minors(first, count));
    const values = readNumbers(this.#tree, this.#dataPath, this.dtype, first, count);
    let major = count === 0 ? 0 : this.#pointers.majorOf(first);
    let end = count === 0 ? 0 : this.#pointers.at(major + 1);
    for (let at = 0; at < count; at += 1) {
      while (end <= first + at) {
        major += 1;
        end = this.#pointers.at(major + 1);
      }
      majors[at] = major;
    }
    return this.#order === 'csr'
      ? { rows: majors, columns: minors, values }
      : { rows: minors, columns: majors, values };
  }

  row(row: number, first: number, count: number): TypedArray {
    return this.#order === 'csr' ? this.#along(row, first, count) : this.#cross.read(row, first, count);
  }

  column(column: number, first: number, count: number): TypedArray {
    return this.#order === 'csc' ? this.#along(column, first, count) : this.#cross.read(column, first, count);
  }

  readRegion({ start, shape }: Region, target: Uint8Array): void {
    const [firstRow = 0, firstColumn = 0] = start;
    const [rows = 0, columns = 0] = shape;
    if (this.#order === 'csc') {
      for (let row = 0; row < rows; row += 1) {
        const line = this.#cross.read(firstRow + row, firstColumn, columns);
        target.set(new Uint8Array(line.buffer, line.byteOffset, line.byteLength), row * line.byteLength);
      }
      return;
    }
    const { data } = allocate(this.dtype, [rows, columns]);
    this.#walk(firstRow, rows, (row, minors, values, from, end) => {
      for (let at = from; at < end; at += 1) {
        const column = (minors[at] ?? 0) - firstColumn;
        if (column >= 0 && column < columns) addTo(data, (row - firstRow) * columns + column, values, at);
      }
    });
    target.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }

  /** A line in the direction of storage. */
  #along(major: number, first: number, count: number): TypedArray {
    const line = allocate(this.dtype, [count]).data;
    this.#walk(major, 1, (_, minors, values, from, end) => {
      for (let at = from; at < end; at += 1) {
        const minor = (minors[at] ?? 0) - first;
        if (minor >= 0 && minor < count) addTo(line, minor, values, at);
      }
    });
    return line;
  }

  #fill({ firstMajor, majors, firstMinor, minors: minorCount, data }: Tile): void {
    this.#walk(firstMajor, majors, (major, minors, values, from, end) => {
      for (let at = from; at < end; at += 1) {
        const minor = (minors[at] ?? 0) - firstMinor;
        if (minor >= 0 && minor < minorCount) addTo(data, minor * majors + major - firstMajor, values, at);
      }
    });
  }

  #minors(first: number, count: number): Indices {
    return readIndices(this.#tree, this.#indicesPath, this.#indexDtype, {
      first,
      count,
      end: this.#minorCount,
    });
  }

  /** Calls `visit` with the entries `from … end` of each of some rows (columns), a block of entries at a time. */
  #walk(
    firstMajor: number,
    count: number,
    visit: (major: number, minors: Indices, values: TypedArray, from: number, end: number) => void,
  ): void {
    const stop = count === 0 ? 0 : this.#pointers.at(firstMajor + count);
    let major = firstMajor;
    for (let first = count === 0 ? 0 : this.#pointers.at(firstMajor); first < stop; first += BLOCK_ENTRIES) {
      const size = Math.min(BLOCK_ENTRIES, stop - first);
      const minors = this.#minors(first, size);
      const values = readNumbers(this.#tree, this.#dataPath, this.dtype, first, size);
      for (; major < firstMajor + count; major += 1) {
        const from = Math.max(0, this.#pointers.at(major) - first);
        const end = Math.min(size, this.#pointers.at(major + 1) - first);
        if (from < end) visit(major, minors, values, from, end);
        if (this.#pointers.at(major + 1) > first + size) break;
      }
    }
  }
}
