/** Boxes of n-dimensional arrays in memory: copying and filling. Strides and offsets are in items. */

/** An array's items in memory. */
export interface Items {
  readonly bytes: Uint8Array;
  /** Of the box's first item. */
  readonly offset: number;
  readonly strides: readonly number[];
}

/** Strides of a C-order array without gaps. */
export function contiguousStrides(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length).fill(1);
  for (let axis = shape.length - 2; axis >= 0; axis--)
    strides[axis] = (strides[axis + 1] ?? 1) * (shape[axis + 1] ?? 1);
  return strides;
}

/** Where a position lies, in items. */
export function offsetOf(position: readonly number[], strides: readonly number[]): number {
  let offset = 0;
  for (let axis = 0; axis < strides.length; axis++) offset += (position[axis] ?? 0) * (strides[axis] ?? 0);
  return offset;
}

/** Whether a box of `shape` with these strides lies in one run, C order, as an array of that shape would. */
export function isOneRun(shape: readonly number[], strides: readonly number[]): boolean {
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const extent = shape[axis] ?? 1;
    if (extent !== 1 && strides[axis] !== stride) return false;
    stride *= extent;
  }
  return true;
}

/** Reorders by axes: entry i of the result is entry `order[i]`. */
export function permuted(values: readonly number[], order: readonly number[] | undefined): readonly number[] {
  return order === undefined ? values : order.map((axis) => values[axis] ?? 0);
}

/** Calls `visit` with the positions in `from … from + extents`, last axis fastest. The array is reused. */
export function forEachPosition(
  from: readonly number[],
  extents: readonly number[],
  visit: (position: readonly number[]) => void,
): void {
  if (extents.some((extent) => extent <= 0)) return;
  const position = [...from];
  for (;;) {
    visit(position);
    let axis = extents.length - 1;
    for (; axis >= 0; axis--) {
      const next = (position[axis] ?? 0) + 1;
      if (next < (from[axis] ?? 0) + (extents[axis] ?? 0)) {
        position[axis] = next;
        break;
      }
      position[axis] = from[axis] ?? 0;
    }
    if (axis < 0) return;
  }
}

/** Axes of one box in two arrays. */
interface Axis {
  readonly extent: number;
  readonly from: number;
  readonly to: number;
}

/** Drops axes of one item and joins neighbours that lie in one run in both arrays; the last is the innermost. */
function joinAxes(shape: readonly number[], from: readonly number[], to: readonly number[]): Axis[] {
  const axes: Axis[] = [];
  for (let axis = 0; axis < shape.length; axis++) {
    const next = { extent: shape[axis] ?? 1, from: from[axis] ?? 0, to: to[axis] ?? 0 };
    if (next.extent === 1) continue;
    const last = axes.at(-1);
    if (last && last.from === next.from * next.extent && last.to === next.to * next.extent)
      axes[axes.length - 1] = { ...next, extent: last.extent * next.extent };
    else axes.push(next);
  }
  return axes;
}

/** Copies a box of items of `itemBytes` from one array into another. */
export function copyBox(shape: readonly number[], source: Items, target: Items, itemBytes: number): void {
  if (shape.includes(0)) return;
  const axes = joinAxes(shape, source.strides, target.strides);
  const inner = axes.at(-1);
  const copyRun =
    inner === undefined || (inner.from === 1 && inner.to === 1)
      ? runCopier(source.bytes, target.bytes, (inner?.extent ?? 1) * itemBytes, itemBytes)
      : stridedCopier(source.bytes, target.bytes, inner, itemBytes);
  const outer = axes.slice(0, -1);
  forEachPosition(
    outer.map(() => 0),
    outer.map(({ extent }) => extent),
    (position) => {
      let from = source.offset;
      let to = target.offset;
      outer.forEach((axis, index) => {
        from += (position[index] ?? 0) * axis.from;
        to += (position[index] ?? 0) * axis.to;
      });
      copyRun(from, to);
    },
  );
}

type CopyRun = (from: number, to: number) => void;

function runCopier(source: Uint8Array, target: Uint8Array, runBytes: number, itemBytes: number): CopyRun {
  return (from, to) => {
    target.set(source.subarray(from * itemBytes, from * itemBytes + runBytes), to * itemBytes);
  };
}

function stridedCopier(source: Uint8Array, target: Uint8Array, axis: Axis, itemBytes: number): CopyRun {
  const aligned = source.byteOffset % itemBytes === 0 && target.byteOffset % itemBytes === 0;
  if (aligned && itemBytes === 2) return itemCopier(words(source), words(target), axis);
  if (itemBytes === 1) return itemCopier(source, target, axis);
  if (aligned && itemBytes === 4) return itemCopier(doubleWords(source), doubleWords(target), axis);
  return (from, to) => {
    for (let index = 0; index < axis.extent; index++) {
      const read = (from + index * axis.from) * itemBytes;
      const write = (to + index * axis.to) * itemBytes;
      for (let byte = 0; byte < itemBytes; byte++) target[write + byte] = source[read + byte] ?? 0;
    }
  };
}

const words = (bytes: Uint8Array): Uint16Array =>
  new Uint16Array(bytes.buffer, bytes.byteOffset, Math.floor(bytes.length / 2));
const doubleWords = (bytes: Uint8Array): Uint32Array =>
  new Uint32Array(bytes.buffer, bytes.byteOffset, Math.floor(bytes.length / 4));

function itemCopier<T extends Uint8Array | Uint16Array | Uint32Array>(
  source: T,
  target: T,
  axis: Axis,
): CopyRun {
  const { extent, from: step, to: stride } = axis;
  return (from, to) => {
    for (let index = 0; index < extent; index++)
      target[to + index * stride] = source[from + index * step] ?? 0;
  };
}

/** Sets every item of a box to one of `pattern`'s: along the last axis item `patternStart + i`, or its only item. */
export function fillBox(
  shape: readonly number[],
  target: Items,
  itemBytes: number,
  pattern: Uint8Array,
  patternStart: number,
): void {
  if (shape.includes(0)) return;
  const { strides } = target;
  const items = pattern.length / itemBytes;
  const run = shape.length === 0 ? 1 : (shape.at(-1) ?? 1);
  if (isOneRun(shape, strides) && pattern.every((byte) => byte === pattern[0])) {
    const count = shape.reduce((product, extent) => product * extent, 1);
    target.bytes.fill(pattern[0] ?? 0, target.offset * itemBytes, (target.offset + count) * itemBytes);
    return;
  }
  const row = new Uint8Array(run * itemBytes);
  for (let index = 0; index < run; index++) {
    const from = items === 1 ? 0 : (patternStart + index) * itemBytes;
    row.set(pattern.subarray(from, from + itemBytes), index * itemBytes);
  }
  const source = {
    bytes: row,
    offset: 0,
    strides: shape.map((_, axis) => (axis === shape.length - 1 ? 1 : 0)),
  };
  copyBox(shape, source, target, itemBytes);
}
