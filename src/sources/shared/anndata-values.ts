import { BadMetadataError } from '../../core/errors.ts';
import { allocate, bytesOf, type Dtype, type TypedArray } from '../../core/nd-array.ts';
import type { Attributes, AttributeValue, Hierarchy, NodePath } from './hierarchy.ts';

/** Rows of tables and members of families that can be counted exactly. */
const MAX_EXTENT = Number.MAX_SAFE_INTEGER;

/** What is wrong with an element of an AnnData file, so that it can be found. */
export function badElement(
  tree: Hierarchy,
  path: NodePath,
  detail: string,
  cause?: unknown,
): BadMetadataError {
  return new BadMetadataError(tree.file, `${path === '' ? 'the root' : path}: ${detail}`, {
    ...(cause === undefined ? {} : { cause }),
    advice: 'write the file again with anndata',
  });
}

/** A node below another; neither may begin or end with a slash. */
export const below = (path: NodePath, name: string): NodePath => (path === '' ? name : `${path}/${name}`);

/** An attribute that is a text, or a list of one. */
export function textOf(value: AttributeValue | undefined): string | undefined {
  const only = Array.isArray(value) && value.length === 1 ? value[0] : value;
  return typeof only === 'string' ? only : undefined;
}

/** An attribute that is a list of texts, or one text; an empty list is of no type in HDF5. */
export function textsOf(value: AttributeValue | undefined): readonly string[] | undefined {
  if (typeof value === 'string') return [value];
  if (!Array.isArray(value)) return undefined;
  const texts = value.filter((item) => typeof item === 'string');
  return texts.length === value.length ? texts : undefined;
}

/** What an element says it is encoded as (`encoding-type`), or undefined for those of before 0.7. */
export const encodingOf = (attributes: Attributes): string | undefined => textOf(attributes['encoding-type']);

/** A number of rows, columns or entries. @throws BadMetadataError when it can't be one. */
export function extentOf(tree: Hierarchy, path: NodePath, value: AttributeValue | undefined): number {
  const count = typeof value === 'bigint' ? Number(value) : value;
  if (typeof count === 'number' && Number.isSafeInteger(count) && count >= 0 && count < MAX_EXTENT)
    return count;
  throw badElement(tree, path, `${String(value)} is no extent`);
}

/** Shape and type of an array of numbers or booleans. */
export interface NumberArray {
  readonly shape: readonly number[];
  readonly dtype: Dtype;
  readonly chunkShape: readonly number[];
}

/** @throws BadMetadataError when the node holds no numbers, or such as can't be read. */
export function numberArray(tree: Hierarchy, path: NodePath): NumberArray {
  if (tree.kindOf(path) !== 'array') throw badElement(tree, path, 'is no array');
  const { shape, type, chunkShape, unreadable } = tree.arrayFacts(path);
  if (unreadable !== undefined) throw badElement(tree, path, unreadable);
  for (const extent of shape) extentOf(tree, path, extent);
  if (type.kind === 'number' || type.kind === 'enum') return { shape, dtype: type.dtype, chunkShape };
  if (type.kind === 'boolean') return { shape, dtype: 'uint8', chunkShape };
  throw badElement(tree, path, `holds ${type.kind === 'other' ? type.name : type.kind}, not numbers`);
}

/** Elements `first … first + count` of an array of numbers with one axis. */
export function readNumbers(
  tree: Hierarchy,
  path: NodePath,
  dtype: Dtype,
  first: number,
  count: number,
): TypedArray {
  const numbers = allocate(dtype, [count]);
  if (count > 0) tree.readRegion(path, { start: [first], shape: [count] }, bytesOf(numbers));
  return numbers.data;
}

/** Whole numbers that are exact as JavaScript numbers. */
export type Indices = Exclude<TypedArray, BigInt64Array | BigUint64Array>;

/** 64-bit integers as numbers; what is beyond 2^53 is rounded, but stays beyond. Some 20 times faster than `Number`. */
function narrowed(numbers: BigInt64Array | BigUint64Array): Float64Array {
  const halves = new Int32Array(numbers.buffer, numbers.byteOffset, 2 * numbers.length);
  const indices = new Float64Array(numbers.length);
  for (let at = 0; at < indices.length; at += 1)
    indices[at] = (halves[2 * at + 1] ?? 0) * 2 ** 32 + ((halves[2 * at] ?? 0) >>> 0);
  return indices;
}

/** Where the first element stands that is no whole number in `0 … end - 1`, or -1. */
function firstBad(indices: Indices, end: number, isWhole: boolean): number {
  for (let at = 0; at < indices.length; at += 1) {
    const index = indices[at] ?? -1;
    if (!(index >= 0 && index < end && (isWhole || Number.isInteger(index)))) return at;
  }
  return -1;
}

/**
 * Whole numbers that count or point at something. @throws BadMetadataError for one that is no whole number or
 * not in `0 … end - 1`, naming where it stands.
 */
export function readIndices(
  tree: Hierarchy,
  path: NodePath,
  dtype: Dtype,
  { first, count, end }: { readonly first: number; readonly count: number; readonly end: number },
): Indices {
  const numbers = readNumbers(tree, path, dtype, first, count);
  const isWide = numbers instanceof BigInt64Array || numbers instanceof BigUint64Array;
  const indices = isWide ? narrowed(numbers) : numbers;
  const bad = firstBad(indices, end, !dtype.startsWith('float'));
  if (bad >= 0)
    throw badElement(tree, path, `element ${first + bad} is ${numbers[bad]}, not in 0 … ${end - 1}`);
  return indices;
}

/** The error for an array that should have two axes. */
export function unshaped(tree: Hierarchy, path: NodePath, shape: readonly number[]): BadMetadataError {
  return badElement(tree, path, `has shape [${shape}], not two axes`);
}
