import { allocate, bytesOf, type Dtype, elementCount } from '../../core/nd-array.ts';
import type { Region } from '../../core/region.ts';
import { unsupported } from './anndata-column.ts';
import { leftOut, type Warning } from './anndata-frame.ts';
import { badElement, below } from './anndata-values.ts';
import type { CompoundValue, Hierarchy, NodePath } from './hierarchy.ts';

/** Rows of a compound array that are read at once. */
const BLOCK_ROWS = 4096;

/** One field of a compound array, as an array of its own: the rows, then the field's axes. */
interface FieldArray {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: Dtype;
  readonly chunkShape: readonly number[];
  readRegion(region: Region, target: Uint8Array): void;
}

/** The numbers of a field of one row. */
const numbersOf = (value: CompoundValue | undefined): readonly (number | bigint)[] =>
  (Array.isArray(value) ? value.flat(8) : [value]).map((item) =>
    typeof item === 'boolean' ? Number(item) : typeof item === 'bigint' ? item : Number(item),
  );

/**
 * The fields of a compound array with one axis, as anndata of before 0.7 wrote `obsm` and `varm`. @throws
 * BadMetadataError when it is none.
 */
export function fieldArrays(
  tree: Hierarchy,
  path: NodePath,
): { readonly fields: readonly FieldArray[]; readonly warnings: readonly Warning[] } {
  const { shape, type, unreadable } = tree.arrayFacts(path);
  if (type.kind !== 'compound' || shape.length !== 1)
    throw badElement(tree, path, 'is neither a group nor a compound array of one axis');
  if (unreadable !== undefined) throw unsupported(tree, path, unreadable);
  const fields: FieldArray[] = [];
  const warnings: Warning[] = [];
  for (const [at, field] of type.fields.entries()) {
    const place = below(path, field.name);
    if (field.type.kind !== 'number') {
      warnings.push(leftOut(place, unsupported(tree, place, 'field that is no number')));
      continue;
    }
    const { dtype } = field.type;
    const inner = field.shape ?? [];
    const readRegion = (region: Region, target: Uint8Array): void => {
      const [firstRow = 0, ...start] = region.start;
      const [rows = 0, ...extents] = region.shape;
      const rowBytes = elementCount(extents) * allocate(dtype, [1]).data.BYTES_PER_ELEMENT;
      for (let row = 0; row < rows; row += BLOCK_ROWS) {
        const read = tree.readCompound(path, firstRow + row, Math.min(BLOCK_ROWS, rows - row));
        for (const [below, values] of read.entries()) {
          const picked = pick(numbersOf(values[at]), inner, start, extents);
          const bytes = allocate(dtype, [picked.length]);
          for (const [to, value] of picked.entries()) bytes.data[to] = value;
          target.set(bytesOf(bytes), (row + below) * rowBytes);
        }
      }
    };
    const whole = [...shape, ...inner];
    fields.push({ name: field.name, shape: whole, dtype, chunkShape: whole, readRegion });
  }
  return { fields, warnings };
}

/** The part `start … start + extents` of values in C order of a shape. */
function pick<T>(
  values: readonly T[],
  shape: readonly number[],
  start: readonly number[],
  extents: readonly number[],
): readonly T[] {
  const [, ...inner] = shape;
  if (shape.length === 0) return values;
  const step = elementCount(inner);
  const picked: T[] = [];
  for (let at = 0; at < (extents[0] ?? 0); at += 1) {
    const from = ((start[0] ?? 0) + at) * step;
    picked.push(...pick(values.slice(from, from + step), inner, start.slice(1), extents.slice(1)));
  }
  return picked;
}
