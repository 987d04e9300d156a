import { UnsupportedHdf5Error, UnsupportedZarrError } from '../../core/errors.ts';
import type { TableColumn, TableRows } from '../../sources.ts';
import {
  badElement,
  below,
  encodingOf,
  numberArray,
  readIndices,
  readNumbers,
  textOf,
} from './anndata-values.ts';
import type { ByteLru } from './byte-lru.ts';
import type { EnumName, Hierarchy, NodePath } from './hierarchy.ts';

export type Cell = TableRows['columns'][number][number];

/** Categories are in memory while cells are read: no more than these. */
const MAX_CATEGORIES = 4_000_000;

/** A column of a data frame, read by rows. */
export interface Column extends TableColumn {
  readonly rowCount: number;
  /** Cells `first … first + count`, inside the column; `undefined` is missing. */
  read(first: number, count: number): readonly Cell[];
}

/** What columns need to be read: the file, and memory for what many rows share. */
export interface ColumnSource {
  readonly tree: Hierarchy;
  readonly kept: ByteLru<unknown>;
}

/**
 * A column as AnnData writes it (anndata documentation, "On-disk format"): an array; an array with a `categories`
 * attribute (0.7); a group that is `categorical` (`codes`, `categories`; code -1 is missing) or `nullable-…`
 * (`values`, `mask`; true is missing).
 * @throws BadMetadataError, UnsupportedHdf5Error or UnsupportedZarrError naming the element.
 */
export function openColumn(source: ColumnSource, path: NodePath, name: string, frame: NodePath): Column {
  const { tree } = source;
  const kind = tree.kindOf(path);
  if (kind === undefined) throw badElement(tree, path, 'is listed, but is not there');
  const attributes = tree.attributes(path);
  if (kind === 'array') {
    const categories = textOf(attributes['categories']);
    if (categories === undefined) return arrayColumn(source, path, name);
    // A path from the frame in Zarr, a reference to the node in HDF5.
    const place = tree.format === 'zarr' ? below(frame, categories) : categories.replace(/^\//, '');
    return categoricalColumn(source, name, path, place);
  }
  const encoding = encodingOf(attributes);
  if (encoding === 'categorical')
    return categoricalColumn(source, name, below(path, 'codes'), below(path, 'categories'));
  if (encoding?.startsWith('nullable-')) return maskedColumn(source, path, name);
  throw unsupported(tree, path, `column of encoding ${encoding ?? 'unknown'}`);
}

export function unsupported(tree: Hierarchy, path: NodePath, detail: string) {
  const message = `${path}: ${detail}`;
  return tree.format === 'zarr'
    ? new UnsupportedZarrError(tree.file, message)
    : new UnsupportedHdf5Error(tree.file, message);
}

const enumText = (
  tree: Hierarchy,
  path: NodePath,
  names: readonly EnumName[],
  value: number | bigint,
): string => {
  const found = names.find((item) => BigInt(item.value) === BigInt(value));
  if (!found) throw badElement(tree, path, `${value} has no name`);
  return found.name;
};

/** An array of one axis: numbers, booleans, names of numbers or text. */
function arrayColumn({ tree }: ColumnSource, path: NodePath, name: string): Column {
  const { shape, type, unreadable } = tree.arrayFacts(path);
  if (unreadable !== undefined) throw unsupported(tree, path, unreadable);
  const [rowCount = 0] = shape;
  if (shape.length !== 1) throw badElement(tree, path, `has ${shape.length} axes, not one`);
  if (type.kind === 'text') {
    const read = (first: number, count: number): readonly Cell[] =>
      count === 0 ? [] : tree.readText(path, { start: [first], shape: [count] });
    return { name, type: 'text', rowCount, read };
  }
  if (type.kind === 'compound' || type.kind === 'other')
    throw unsupported(tree, path, `column of ${type.kind === 'other' ? type.name : 'compounds'}`);
  const { dtype } = numberArray(tree, path);
  const numbers = (first: number, count: number): readonly (number | bigint)[] => [
    ...readNumbers(tree, path, dtype, first, count),
  ];
  if (type.kind === 'number') return { name, type: dtype, rowCount, read: numbers };
  if (type.kind === 'boolean') {
    const read = (first: number, count: number): readonly Cell[] =>
      numbers(first, count).map((value) => value !== 0);
    return { name, type: 'boolean', rowCount, read };
  }
  const read = (first: number, count: number): readonly Cell[] =>
    numbers(first, count).map((value) => enumText(tree, path, type.names, value));
  return { name, type: 'text', rowCount, read };
}

const cellBytes = (cells: readonly Cell[]): number =>
  cells.reduce<number>((sum, cell) => sum + 16 + (typeof cell === 'string' ? 2 * cell.length : 0), 0);

/** Codes that count categories from 0; a negative one is a missing value. */
function categoricalColumn(
  source: ColumnSource,
  name: string,
  codesPath: NodePath,
  categoriesPath: NodePath,
): Column {
  const { tree, kept } = source;
  const codes = numberArray(tree, codesPath);
  if (codes.shape.length !== 1) throw badElement(tree, codesPath, 'has not one axis');
  if (codes.dtype.startsWith('float')) throw badElement(tree, codesPath, 'codes are no whole numbers');
  const categories = openColumn(source, categoriesPath, name, '');
  if (categories.rowCount > MAX_CATEGORIES)
    throw unsupported(tree, categoriesPath, `${categories.rowCount} categories, more than ${MAX_CATEGORIES}`);
  return {
    name,
    type: categories.type,
    rowCount: codes.shape[0] ?? 0,
    read(first, count) {
      const all = kept.getOrMake(
        `categories ${categoriesPath}`,
        (cells) => cellBytes(cells as readonly Cell[]),
        () => categories.read(0, categories.rowCount),
      ) as readonly Cell[];
      return [...readNumbers(tree, codesPath, codes.dtype, first, count)].map((value, at) => {
        const code = Number(value);
        if (code < 0) return undefined;
        if (code >= all.length)
          throw badElement(tree, codesPath, `row ${first + at} has code ${code} of ${all.length} categories`);
        return all[code];
      });
    },
  };
}

/** Values, and which of them are missing. */
function maskedColumn(source: ColumnSource, path: NodePath, name: string): Column {
  const { tree } = source;
  const values = openColumn(source, below(path, 'values'), name, '');
  const maskPath = below(path, 'mask');
  const mask = numberArray(tree, maskPath);
  if (mask.shape.length !== 1 || mask.shape[0] !== values.rowCount)
    throw badElement(tree, maskPath, `has shape [${mask.shape}] for ${values.rowCount} values`);
  return {
    ...values,
    read(first, count) {
      const missing = readIndices(tree, maskPath, mask.dtype, { first, count, end: 2 });
      return values.read(first, count).map((cell, at) => (missing[at] === 1 ? undefined : cell));
    },
  };
}
