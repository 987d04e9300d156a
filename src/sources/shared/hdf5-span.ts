import { elementCount } from '../../core/nd-array.ts';
import {
  contiguousStrides,
  copyBox,
  forEachPosition,
  type Items,
  isOneRun,
  offsetOf,
} from '../../zarr/box.ts';
import type { Hdf5Bytes } from './hdf5-bytes.ts';

/** So much more than is wanted may be read to save calls. */
const MAX_EXCESS = 2;
/** A span up to this long is read at once whatever is wanted of it. */
const SMALL_SPAN_BYTES = 65_536;
/** Memory for one span. */
const MAX_SPAN_BYTES = 8 * 1024 * 1024;

/** An array in C order that lies in one piece of the file. */
export interface StoredArray {
  readonly address: number;
  readonly shape: readonly number[];
  readonly itemBytes: number;
}

/**
 * Copies a box of a stored array into memory, reading little more than it needs: whole spans where what is wanted
 * lies close together, else its runs one by one. @throws BadHdf5Error, UnreadableSourceError
 */
export function readStoredBox(
  file: Hdf5Bytes,
  stored: StoredArray,
  start: readonly number[],
  shape: readonly number[],
  target: Items,
): void {
  if (shape.includes(0)) return;
  const { itemBytes } = stored;
  const strides = contiguousStrides(stored.shape);
  const split = splitAxis(shape, strides, itemBytes);
  const inner = shape.slice(split);
  const innerStrides = strides.slice(split);
  const spanItems = spanOf(inner, innerStrides);
  const targetStrides = target.strides.slice(split);
  const isRun = spanItems === elementCount(inner) && isOneRun(inner, targetStrides);
  const scratch = isRun ? undefined : Buffer.allocUnsafe(spanItems * itemBytes);
  const outerTarget = target.strides.slice(0, split);
  forEachPosition(
    shape.slice(0, split).map(() => 0),
    shape.slice(0, split),
    (position) => {
      const from = offsetOf(start, strides) + offsetOf(position, strides.slice(0, split));
      const to = target.offset + offsetOf(position, outerTarget);
      const bytes = scratch ?? target.bytes.subarray(to * itemBytes, (to + spanItems) * itemBytes);
      file.readInto(bytes, stored.address + from * itemBytes);
      if (scratch !== undefined)
        copyBox(
          inner,
          { bytes: scratch, offset: 0, strides: innerStrides },
          { bytes: target.bytes, offset: to, strides: targetStrides },
          itemBytes,
        );
    },
  );
}

/** Items from a box's first to behind its last. */
function spanOf(shape: readonly number[], strides: readonly number[]): number {
  return shape.reduce((items, extent, axis) => items + (extent - 1) * (strides[axis] ?? 0), 1);
}

/** The first axis from which on a box is read as one span. */
function splitAxis(shape: readonly number[], strides: readonly number[], itemBytes: number): number {
  for (let axis = 0; axis < shape.length; axis++) {
    const inner = shape.slice(axis);
    const items = spanOf(inner, strides.slice(axis));
    const wanted = elementCount(inner);
    if (items === wanted) return axis;
    const spanBytes = items * itemBytes;
    if (spanBytes <= SMALL_SPAN_BYTES || (spanBytes <= MAX_SPAN_BYTES && items <= MAX_EXCESS * wanted))
      return axis;
  }
  return shape.length;
}
