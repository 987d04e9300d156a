import { HookFailedError } from '../core/errors.ts';
import type { NdArray, TypedArray } from '../core/nd-array.ts';
import { allocate, release } from '../core/nd-array.ts';
import type { Region } from '../core/region.ts';
import type { Table } from '../hooks.ts';
import type { ArrayInfo } from '../sources.ts';

const STACK_AXES = ['t', 'c', 'z'] as const;
type StackAxis = (typeof STACK_AXES)[number];

/** One plane of a stack. `index` counts from 1, as names do, for the axes that the stack has more than one of. */
export interface StackPlane {
  readonly region: Region;
  readonly index: Readonly<Partial<Record<StackAxis, number>>>;
  /** Its place in t, c, z order. */
  readonly place: number;
}

export interface PlaneStack {
  /** t, c, z, y, x */
  readonly shape: readonly [number, number, number, number, number];
  readonly planes: readonly StackPlane[];
}

/**
 * The planes of an image file, in the order t, c, z, whatever the order of its axes.
 * @throws HookFailedError for colour images and axes other than t, c, z, y, x.
 */
export function planesOf({ shape, axes }: ArrayInfo): PlaneStack {
  if (!axes.endsWith('yx') || [...axes].some((axis) => !'tczyx'.includes(axis))) {
    const detail = axes.includes('s') ? 'a colour image' : `an image with axes ${axes}`;
    throw new HookFailedError(
      `hooks work on grey planes, also in stacks of t, c and z; this is ${detail}: split it first`,
    );
  }
  const extentOf = (axis: string): number => shape[axes.indexOf(axis)] ?? 1;
  const [t, c, z, y, x] = [...STACK_AXES, 'y', 'x'].map(extentOf) as [number, number, number, number, number];
  const planes: StackPlane[] = [];
  for (let place = 0; place < t * c * z; place++) {
    const at: Record<StackAxis, number> = {
      t: Math.floor(place / (c * z)),
      c: Math.floor(place / z) % c,
      z: place % z,
    };
    const regionAxis = (axis: string): number => at[axis as StackAxis] ?? 0;
    planes.push({
      place,
      region: {
        start: [...axes].map(regionAxis),
        shape: [...axes].map((axis) => (axis === 'y' ? y : axis === 'x' ? x : 1)),
      },
      index: Object.fromEntries(
        STACK_AXES.filter((axis) => extentOf(axis) > 1).map((axis) => [axis, at[axis] + 1]),
      ),
    });
  }
  return { shape: [t, c, z, y, x], planes };
}

/** Planes of one type and shape, in order, as one array of the stack's shape. The planes' memory is taken over. */
export function stackPlanes(planes: readonly NdArray[], shape: PlaneStack['shape']): NdArray {
  const [first] = planes;
  if (first === undefined) throw new HookFailedError('a stack without planes');
  if (planes.length === 1) return { ...first, shape };
  const count = first.data.length;
  const stack = allocate(first.dtype, shape);
  planes.forEach((plane, place) => {
    (stack.data as Exclude<TypedArray, BigInt64Array | BigUint64Array>).set(
      plane.data as ArrayLike<number>,
      place * count,
    );
    release(plane);
  });
  return stack;
}

/** The tables of a stack's planes below each other, with the plane's index in front of each row. */
export function joinTables(tables: readonly Table[], planes: readonly StackPlane[]): Table {
  const names = tables[0]?.columns.map(({ name }) => name) ?? [];
  const rowCounts = tables.map(({ columns }) => columns[0]?.values.length ?? 0);
  const total = rowCounts.reduce((sum, count) => sum + count, 0);
  const indexed = STACK_AXES.filter((axis) => planes[0]?.index[axis] !== undefined).map((axis) => {
    const values = new Float64Array(total);
    let row = 0;
    planes.forEach(({ index }, plane) => {
      const count = rowCounts[plane] ?? 0;
      values.fill(index[axis] ?? 0, row, row + count);
      row += count;
    });
    return { name: axis as string, values };
  });
  const measured = names.map((name, column) => {
    const values = new Float64Array(total);
    let row = 0;
    tables.forEach(({ columns }, plane) => {
      values.set(columns[column]?.values ?? [], row);
      row += rowCounts[plane] ?? 0;
    });
    return { name, values };
  });
  return { columns: [...indexed, ...measured] };
}
