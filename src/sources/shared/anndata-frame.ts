import { PlateFsError } from '../../core/errors.ts';
import type { Dtype } from '../../core/nd-array.ts';
import type { SourceCatalog } from '../../sources.ts';
import { type Cell, type Column, type ColumnSource, openColumn, unsupported } from './anndata-column.ts';
import { badElement, below, encodingOf, textOf, textsOf } from './anndata-values.ts';
import type { CompoundField, CompoundValue, NodePath } from './hierarchy.ts';

export type Warning = SourceCatalog['warnings'][number];

/** Columns that a table is shown with; each has a reader of its own. */
const MAX_COLUMNS = 100_000;
/** Rows of a table: each is looked at when its file's size is asked for. */
export const MAX_ROWS = 2 ** 29;
/** Rows of a compound array that are read at once when it is searched. */
const SCAN_ROWS = 16_384;

/** A data frame, its index before its columns. */
export interface Frame {
  readonly path: NodePath;
  readonly rowCount: number;
  readonly index: Column;
  /** With the index. */
  readonly columns: readonly Column[];
  /** Columns that are left out, and why. */
  readonly warnings: readonly Warning[];
}

/** Categories of files of before 0.7, which lie in `uns` by the name of their column. */
export type LegacyCategories = (column: string) => NodePath | undefined;

/** Whether a node is a data frame, of any generation. */
export function isFrame({ tree }: ColumnSource, path: NodePath): boolean {
  const kind = tree.kindOf(path);
  if (kind === 'array') return tree.arrayFacts(path).type.kind === 'compound';
  if (kind === undefined) return false;
  const attributes = tree.attributes(path);
  return encodingOf(attributes) === 'dataframe' || textOf(attributes['_index']) !== undefined;
}

/**
 * A data frame: a group with `_index` and `column-order` and a node per column (0.7 and later; anndata documentation,
 * "On-disk format", dataframe), or one compound array whose first field is the index (0.5 and 0.6).
 * @throws BadMetadataError when there is no such frame, or none of its rows has a name.
 */
export function openFrame(source: ColumnSource, path: NodePath, legacy?: LegacyCategories): Frame {
  const { tree } = source;
  const frame =
    tree.kindOf(path) === 'array' ? compoundFrame(source, path, legacy) : groupFrame(source, path);
  if (!(frame.rowCount <= MAX_ROWS))
    throw unsupported(tree, path, `${frame.rowCount} rows, more than ${MAX_ROWS}`);
  return frame;
}

function groupFrame(source: ColumnSource, path: NodePath): Frame {
  const { tree } = source;
  if (tree.kindOf(path) !== 'group') throw badElement(tree, path, 'is no data frame');
  const attributes = tree.attributes(path);
  const indexName = textOf(attributes['_index']);
  if (indexName === undefined) throw badElement(tree, path, 'has no attribute _index');
  const names = textsOf(attributes['column-order']);
  if (names === undefined) throw badElement(tree, path, 'has no attribute column-order');
  if (names.length > MAX_COLUMNS)
    throw unsupported(tree, path, `${names.length} columns, more than ${MAX_COLUMNS}`);
  const index = openColumn(source, below(path, indexName), indexName, path);
  const columns = [index];
  const warnings: Warning[] = [];
  for (const name of names) {
    const place = below(path, name);
    try {
      const column = openColumn(source, place, name, path);
      if (column.rowCount !== index.rowCount)
        throw badElement(tree, place, `has ${column.rowCount} rows, the index ${index.rowCount}`);
      columns.push(column);
    } catch (error) {
      warnings.push(leftOut(place, error));
    }
  }
  return { path, rowCount: index.rowCount, index, columns, warnings };
}

/** States that pass: whoever asked tries again. */
const PASSING: readonly PlateFsError['tag'][] = ['source-not-ready', 'source-busy', 'source-changed'];

/** What can't be shown, as a warning. @throws what is no error of a file, or one that passes. */
export function leftOut(path: NodePath, error: unknown): Warning {
  if (!(error instanceof PlateFsError) || PASSING.includes(error.tag)) throw error;
  return { path, message: error.message };
}

function fieldType({ type }: CompoundField): Column['type'] | undefined {
  if (type.kind === 'number') return type.dtype;
  if (type.kind === 'boolean' || type.kind === 'text') return type.kind;
  return undefined;
}

/** A compound array of one axis as a frame. */
function compoundFrame(source: ColumnSource, path: NodePath, legacy?: LegacyCategories): Frame {
  const { tree } = source;
  const { shape, type, unreadable } = tree.arrayFacts(path);
  if (type.kind !== 'compound' || shape.length !== 1)
    throw badElement(tree, path, 'is neither a group nor a compound array of one axis');
  if (unreadable !== undefined) throw unsupported(tree, path, unreadable);
  const [rowCount = 0] = shape;
  // The columns are read one after the other, for the same rows.
  let held: { first: number; rows: readonly (readonly CompoundValue[])[] } = { first: -1, rows: [] };
  const rows = (first: number, count: number): readonly (readonly CompoundValue[])[] => {
    if (held.first !== first || held.rows.length !== count)
      held = { first, rows: tree.readCompound(path, first, count) };
    return held.rows;
  };
  const columns: Column[] = [];
  const warnings: Warning[] = [];
  for (const [at, field] of type.fields.entries()) {
    const columnType = fieldType(field);
    const place = below(path, field.name);
    if (columnType === undefined || field.shape !== undefined) {
      warnings.push(leftOut(place, unsupported(tree, place, 'field that is no number and no text')));
      continue;
    }
    const read = (first: number, count: number): readonly Cell[] =>
      rows(first, count).map((row) => row[at] as Cell);
    const plain: Column = { name: field.name, type: columnType, rowCount, read };
    const categories = columnType === 'text' ? undefined : legacy?.(field.name);
    columns.push(categories === undefined ? plain : legacyColumn(source, plain, place, categories));
  }
  const [index] = columns;
  if (!index) throw badElement(tree, path, 'has no column that can be read');
  return { path, rowCount, index, columns, warnings };
}

/**
 * Codes of a compound's field with categories in `uns`. Both axes may have a column of the name: where a code is
 * beyond the categories they are not this one's, and the numbers are meant.
 */
function legacyColumn(source: ColumnSource, plain: Column, place: NodePath, categories: NodePath): Column {
  const texts = openColumn(source, categories, plain.name, '');
  if ((plain.type as Dtype).startsWith('float') || plain.type === 'boolean') return plain;
  for (let first = 0; first < plain.rowCount; first += SCAN_ROWS) {
    const codes = plain.read(first, Math.min(SCAN_ROWS, plain.rowCount - first));
    if (codes.some((code) => Number(code) >= texts.rowCount)) return plain;
  }
  const all = texts.read(0, texts.rowCount);
  return {
    ...plain,
    type: texts.type,
    read: (first, count) =>
      plain.read(first, count).map((value, at) => {
        const code = Number(value);
        if (code < 0) return undefined;
        if (code >= all.length)
          throw badElement(
            source.tree,
            place,
            `row ${first + at} has code ${code} of ${all.length} categories`,
          );
        return all[code];
      }),
  };
}
