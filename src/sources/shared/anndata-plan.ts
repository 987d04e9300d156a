import type { Dtype } from '../../core/nd-array.ts';
import type { Region } from '../../core/region.ts';
import type { ItemPath, SourceCatalog, SourceItem } from '../../sources.ts';
import { type Cell, type Column, type ColumnSource, openColumn, unsupported } from './anndata-column.ts';
import { CompressedMatrix, sparseOrder } from './anndata-compressed.ts';
import { denseMatrix } from './anndata-dense.ts';
import { fieldArrays } from './anndata-field-array.ts';
import { type Frame, isFrame, leftOut, MAX_ROWS, openFrame, type Warning } from './anndata-frame.ts';
import type { Matrix, SparseMatrix } from './anndata-matrix.ts';
import { UnsDocument } from './anndata-uns.ts';
import { badElement, below, encodingOf, type NumberArray, numberArray } from './anndata-values.ts';
import type { NodePath } from './hierarchy.ts';

/** Elements of one kind: layers, embeddings, graphs. */
const MAX_ELEMENTS = 4096;
/** Columns of an embedding that is shown as a table, too. */
const MAX_TABLE_COLUMNS = 1024;

/** An array that is read by regions, which lie inside it. */
export interface RegionReader {
  readonly shape: readonly number[];
  readonly dtype: Dtype;
  readRegion(region: Region, target: Uint8Array): void;
}

/** A table per gene or cell. */
interface Family {
  /** Names of members. */
  readonly members: Column;
  /** Names in the rows of each. */
  readonly rows: Column;
  values(member: number, first: number, count: number): readonly Cell[];
}

/** What an AnnData file is shown as, and how each item is read, by its path. */
export interface Plan {
  readonly catalog: SourceCatalog;
  readonly arrays: ReadonlyMap<ItemPath, RegionReader>;
  readonly tables: ReadonlyMap<ItemPath, readonly Column[]>;
  readonly matrices: ReadonlyMap<ItemPath, SparseMatrix>;
  readonly families: ReadonlyMap<ItemPath, Family>;
}

/** Whether a tree is AnnData: it says so (0.7.6 and later), or has data frames `obs` and `var`. */
export function isAnnData(source: ColumnSource): boolean {
  const { tree } = source;
  if (tree.kindOf('') !== 'group') return false;
  if (encodingOf(tree.attributes('')) === 'anndata') return true;
  return isFrame(source, 'obs') && isFrame(source, 'var');
}

/** Looks at every element without reading matrices. Elements that can't be shown become warnings. */
export function planOf(source: ColumnSource): Plan {
  return new Planner(source).plan();
}

class Planner {
  readonly #source: ColumnSource;
  readonly #items: SourceItem[] = [];
  readonly #warnings: Warning[] = [];
  readonly #arrays = new Map<ItemPath, RegionReader>();
  readonly #tables = new Map<ItemPath, readonly Column[]>();
  readonly #matrices = new Map<ItemPath, SparseMatrix>();
  readonly #families = new Map<ItemPath, Family>();
  /** Members of uns that hold the categories of a column of before 0.7. */
  readonly #legacyCategories = new Set<string>();

  constructor(source: ColumnSource) {
    this.#source = source;
  }

  plan(): Plan {
    const { tree } = this.#source;
    const obs = this.#frame('obs', 'obs');
    const vars = this.#frame('var', 'var');
    const matrix = this.#matrix('X', 'X');
    if (matrix && obs && vars) this.#attempt('X', () => this.#addFamilies(matrix, obs, vars));
    this.#each('layers', (path) => this.#matrix(path, path));
    this.#each('obsm', (path) => this.#embedding(path, path, obs));
    this.#each('varm', (path) => this.#embedding(path, path, vars));
    for (const pairs of ['obsp', 'varp']) this.#each(pairs, (path) => this.#matrix(path, path));
    this.#raw();
    this.#uns();
    const isOld = tree.kindOf('obs') === 'array';
    const catalog: SourceCatalog = {
      title: `AnnData${isOld ? ' of before 0.7' : ''} (${tree.format === 'zarr' ? 'Zarr' : 'HDF5'})`,
      items: this.#items,
      warnings: this.#warnings,
    };
    return {
      catalog,
      arrays: this.#arrays,
      tables: this.#tables,
      matrices: this.#matrices,
      families: this.#families,
    };
  }

  /** What `make` gives; a warning when it can't be shown. */
  #attempt<T>(path: NodePath, make: () => T): T | undefined {
    try {
      return make();
    } catch (error) {
      this.#warnings.push(leftOut(path, error));
      return undefined;
    }
  }

  /** Every element of a group that is there. Before 0.7 embeddings were the fields of one compound array. */
  #each(group: NodePath, add: (path: NodePath) => void): void {
    const { tree } = this.#source;
    const kind = tree.kindOf(group);
    if (kind === 'array') {
      this.#attempt(group, () => {
        const { fields, warnings } = fieldArrays(tree, group);
        this.#warnings.push(...warnings);
        for (const field of fields) this.#addArray(below(group, field.name), field);
      });
      return;
    }
    if (kind === undefined) return;
    const { children, isCut } = tree.children(group, MAX_ELEMENTS);
    for (const { name } of children) add(below(group, name));
    if (isCut)
      this.#attempt(group, () => {
        throw unsupported(tree, group, `more than ${MAX_ELEMENTS} elements: the others are not shown`);
      });
  }

  #frame(path: NodePath, item: ItemPath): Frame | undefined {
    const { tree } = this.#source;
    if (tree.kindOf(path) === undefined) return undefined;
    return this.#attempt(path, () => {
      const frame = openFrame(this.#source, path, (column) => {
        const place = `uns/${column}_categories`;
        if (tree.kindOf(place) !== 'array') return undefined;
        this.#legacyCategories.add(`${column}_categories`);
        return place;
      });
      this.#warnings.push(...frame.warnings);
      this.#addTable(item, frame.columns, frame.rowCount);
      return frame;
    });
  }

  #addTable(path: ItemPath, columns: readonly Column[], rowCount: number): void {
    if (!(rowCount <= MAX_ROWS))
      throw unsupported(this.#source.tree, path, `${rowCount} rows, more than ${MAX_ROWS}`);
    this.#tables.set(path, columns);
    // anndata writes the index under the name `_index` when it has none.
    const isNameless = columns[0]?.name === '_index' && !columns.some(({ name }) => name === 'index');
    const shown = columns.map(({ name, type }, at) => ({
      name: at === 0 && isNameless ? 'index' : name,
      type,
    }));
    this.#items.push({ kind: 'table', path, rowCount, columns: shown });
  }

  #addArray(path: ItemPath, array: RegionReader & { readonly chunkShape: readonly number[] }): void {
    this.#arrays.set(path, array);
    const { shape, dtype, chunkShape } = array;
    this.#items.push({ kind: 'array', path, shape, dtype, chunkShape });
  }

  /** An array as it is stored. */
  #addStored(path: NodePath, item: ItemPath): NumberArray {
    const { tree } = this.#source;
    const facts = numberArray(tree, path);
    this.#addArray(item, { ...facts, readRegion: (region, target) => tree.readRegion(path, region, target) });
    return facts;
  }

  /** A sparse matrix as entries and, where that is bearable, as an array. */
  #addSparse(path: ItemPath, matrix: SparseMatrix): void {
    const { shape, dtype, entryCount } = matrix;
    this.#matrices.set(path, matrix);
    this.#items.push({ kind: 'sparse', path, shape, dtype, entryCount });
    if (matrix.isDenseBearable) this.#addArray(path, matrix);
  }

  /** A matrix of two axes; an array of others. */
  #matrix(path: NodePath, item: ItemPath): Matrix | undefined {
    const { tree, kept } = this.#source;
    const kind = tree.kindOf(path);
    if (kind === undefined) return undefined;
    return this.#attempt(path, () => {
      const attributes = tree.attributes(path);
      const encoding = encodingOf(attributes);
      if (encoding === 'null') return undefined;
      const order = sparseOrder(attributes);
      if (kind === 'group' && order) {
        const matrix = new CompressedMatrix(tree, path, order, kept);
        this.#addSparse(item, matrix);
        return matrix;
      }
      if (kind === 'group') throw unsupported(tree, path, `matrix of encoding ${encoding ?? 'unknown'}`);
      const facts = this.#addStored(path, item);
      return facts.shape.length === 2 ? denseMatrix(tree, path, kept) : undefined;
    });
  }

  /** An element with a row per observation (variable): a frame, a matrix, and with it a table that names the rows. */
  #embedding(path: NodePath, item: ItemPath, frame: Frame | undefined): void {
    if (isFrame(this.#source, path)) {
      this.#frame(path, item);
      return;
    }
    const matrix = this.#matrix(path, item);
    if (!matrix || !frame || 'entryCount' in matrix) return;
    const [rows, columns] = matrix.shape;
    if (rows !== frame.rowCount)
      this.#warnings.push(
        leftOut(path, badElement(this.#source.tree, path, `has ${rows} rows, the index ${frame.rowCount}`)),
      );
    else if (columns <= MAX_TABLE_COLUMNS) this.#addTable(item, embeddingColumns(item, matrix, frame), rows);
  }

  #addFamilies(matrix: Matrix, obs: Frame, vars: Frame): void {
    const [rows, columns] = matrix.shape;
    if (rows !== obs.rowCount || columns !== vars.rowCount)
      throw badElement(
        this.#source.tree,
        'X',
        `has shape [${matrix.shape}] for ${obs.rowCount} observations and ${vars.rowCount} variables`,
      );
    const shared = [
      { name: 'name', type: 'text' },
      { name: 'value', type: matrix.dtype },
    ] as const;
    this.#families.set('genes', {
      members: vars.index,
      rows: obs.index,
      values: (member, first, count) => [...matrix.column(member, first, count)],
    });
    this.#items.push({
      kind: 'family',
      path: 'genes',
      memberCount: columns,
      rowCount: rows,
      columns: shared,
    });
    this.#families.set('cells', {
      members: obs.index,
      rows: vars.index,
      values: (member, first, count) => [...matrix.row(member, first, count)],
    });
    this.#items.push({
      kind: 'family',
      path: 'cells',
      memberCount: rows,
      rowCount: columns,
      columns: shared,
    });
  }

  /** The data as they were before genes were left out; before 0.7 its elements had names with a dot. */
  #raw(): void {
    const { tree } = this.#source;
    const place = (name: string): NodePath =>
      tree.kindOf(`raw/${name}`) === undefined ? `raw.${name}` : `raw/${name}`;
    const vars = this.#frame(place('var'), 'raw/var');
    this.#matrix(place('X'), 'raw/X');
    const varm = place('varm');
    this.#each(varm, (path) => this.#embedding(path, `raw/varm${path.slice(varm.length)}`, vars));
  }

  #uns(): void {
    const { tree } = this.#source;
    if (tree.kindOf('uns') !== 'group') return;
    this.#attempt('uns', () => {
      const document = new UnsDocument(this.#source, {
        take: (path) => this.#takeUns(path),
        leaveOut: (path, error) => this.#warnings.push(leftOut(path, error)),
      });
      const text = document.text('uns', this.#legacyCategories);
      this.#items.push({ kind: 'text', path: 'uns.json', text });
    });
  }

  #takeUns(path: NodePath): { readonly [fact: string]: unknown } | undefined {
    const { tree, kept } = this.#source;
    const attributes = tree.attributes(path);
    if (isFrame(this.#source, path)) {
      const { columns, rowCount, warnings } = openFrame(this.#source, path);
      this.#warnings.push(...warnings);
      this.#addTable(path, columns, rowCount);
      return { table: path, rows: rowCount, columns: columns.map(({ name }) => name) };
    }
    const order = sparseOrder(attributes);
    if (order) {
      const matrix = new CompressedMatrix(tree, path, order, kept);
      this.#addSparse(path, matrix);
      return { sparse: path, shape: matrix.shape, dtype: matrix.dtype };
    }
    const isColumn = /^(?:categorical|nullable-)/.test(encodingOf(attributes) ?? '');
    if (tree.kindOf(path) === 'group' && !isColumn) return undefined;
    const facts = isColumn ? undefined : tree.arrayFacts(path);
    if (facts === undefined || (facts.type.kind === 'text' && facts.shape.length === 1)) {
      const column = openColumn(this.#source, path, 'value', '');
      this.#addTable(path, [rowNumbers(column.rowCount), column], column.rowCount);
      return { table: path, rows: column.rowCount, columns: ['row', 'value'] };
    }
    if (facts.type.kind === 'text' || facts.type.kind === 'compound') return undefined;
    const { shape, dtype } = this.#addStored(path, path);
    return { array: path, shape, dtype };
  }
}

/** Rows counted from 0: a list without names would have rows that are an empty line. */
const rowNumbers = (rowCount: number): Column => ({
  name: 'row',
  type: 'uint32',
  rowCount,
  read: (first, count) => Array.from({ length: count }, (_, at) => first + at),
});

/** The index, and a column per dimension: `X_pca1`, `X_pca2`, as anndata names them in data frames. */
function embeddingColumns(item: ItemPath, matrix: Matrix, { index }: Frame): readonly Column[] {
  const name = item.slice(item.lastIndexOf('/') + 1);
  const [rowCount, columnCount] = matrix.shape;
  const columns = Array.from(
    { length: columnCount },
    (_, column): Column => ({
      name: `${name}${column + 1}`,
      type: matrix.dtype,
      rowCount,
      read: (first, count) => [...matrix.column(column, first, count)],
    }),
  );
  return [index, ...columns];
}
