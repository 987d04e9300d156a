import { BadHdf5Error } from '../../core/errors.ts';
import { type Dtype, elementCount, itemSizeBytes } from '../../core/nd-array.ts';
import { isInside, type Region } from '../../core/region.ts';
import type { ByteWindow, ItemPath } from '../../sources.ts';
import { contiguousStrides, copyBox } from '../../zarr/box.ts';
import type { Hdf5Hierarchy } from './hdf5-hierarchy.ts';
import type { NodePath } from './hierarchy.ts';

export type FiveExtents = readonly [t: number, c: number, z: number, y: number, x: number];

const FIVE = 'tczyx';

/** An image, or one of its levels: the five axes, and where its pixels stand. */
export interface ImagePlan {
  readonly path: ItemPath;
  readonly shape: FiveExtents;
  readonly chunkShape: FiveExtents;
  readonly dtype: Dtype;
  /** One letter per axis of each dataset. */
  readonly axes: string;
  /** Every time and channel is a dataset of its own, of axes z, y and x. */
  readonly choosesDataset: boolean;
  /** Datasets may be larger than the image: what lies behind it is filling. */
  readonly isPadded: boolean;
  /** Undefined for a time and channel that was not recorded: zeros. */
  datasetAt(t: number, c: number): NodePath | undefined;
}

/** Extents in the five axes of a shape whose axes are named; 1 for those it lacks. */
export function fiveOf(shape: readonly number[], axes: string): FiveExtents {
  const extent = (letter: string): number => (axes.includes(letter) ? (shape[axes.indexOf(letter)] ?? 1) : 1);
  return [extent('t'), extent('c'), extent('z'), extent('y'), extent('x')];
}

/** The same in the order of a dataset's axes. */
function ofAxes(five: readonly number[], axes: string): number[] {
  return [...axes].map((letter) => five[FIVE.indexOf(letter)] ?? 0);
}

const isOrdered = (axes: string): boolean =>
  [...axes].every((letter, at) => at === 0 || FIVE.indexOf(letter) > FIVE.indexOf(axes[at - 1] ?? ''));

function check(hierarchy: Hdf5Hierarchy, plan: ImagePlan, region: Region): void {
  if (!isInside(region, plan.shape))
    throw new RangeError(
      `[${region.start}] + [${region.shape}] is not inside [${plan.shape}] of ${hierarchy.file}:${plan.path}`,
    );
}

/** Parts of a region of which each lies in one dataset, in the order in which they lie in the region. */
function forEachPart(
  plan: ImagePlan,
  region: Region,
  visit: (path: NodePath | undefined, part: Region) => void,
): void {
  const [firstT = 0, firstC = 0, ...firstZyx] = region.start;
  const [countT = 1, countC = 1, ...zyx] = region.shape;
  if (!plan.choosesDataset) {
    visit(plan.datasetAt(firstT, firstC), region);
    return;
  }
  for (let t = firstT; t < firstT + countT; t++)
    for (let c = firstC; c < firstC + countC; c++)
      visit(plan.datasetAt(t, c), { start: [t, c, ...firstZyx], shape: [1, 1, ...zyx] });
}

/** Where a part lies in its dataset: axes that choose a dataset are no axes of it. */
function inDataset(plan: ImagePlan, part: Region): Region {
  return { start: ofAxes(part.start, plan.axes), shape: ofAxes(part.shape, plan.axes) };
}

/**
 * Fills `target` with a region of the five axes.
 * @throws RangeError, and what `Hdf5Hierarchy.readRegion` throws
 */
export function readImage(
  hierarchy: Hdf5Hierarchy,
  plan: ImagePlan,
  region: Region,
  target: Uint8Array,
): void {
  check(hierarchy, plan, region);
  const itemBytes = itemSizeBytes(plan.dtype);
  const sizeBytes = elementCount(region.shape) * itemBytes;
  if (target.length !== sizeBytes)
    throw new RangeError(
      `[${region.shape}] of ${hierarchy.file}:${plan.path} needs ${sizeBytes} bytes, not ${target.length}`,
    );
  if (sizeBytes === 0) return;
  let done = 0;
  forEachPart(plan, region, (path, part) => {
    const bytes = target.subarray(done, done + elementCount(part.shape) * itemBytes);
    readPart(hierarchy, plan, path, part, bytes);
    done += bytes.length;
  });
}

function readPart(
  hierarchy: Hdf5Hierarchy,
  plan: ImagePlan,
  path: NodePath | undefined,
  part: Region,
  bytes: Uint8Array,
): void {
  if (path === undefined) {
    bytes.fill(0);
    return;
  }
  checkDataset(hierarchy, plan, path);
  const region = inDataset(plan, part);
  if (isOrdered(plan.axes)) {
    hierarchy.readRegion(path, region, bytes);
    return;
  }
  const itemBytes = itemSizeBytes(plan.dtype);
  const stored = new Uint8Array(bytes.length);
  hierarchy.readRegion(path, region, stored);
  const strides = contiguousStrides(region.shape);
  const ordered = [...FIVE].filter((letter) => plan.axes.includes(letter));
  copyBox(
    ordered.map((letter) => part.shape[FIVE.indexOf(letter)] ?? 1),
    { bytes: stored, offset: 0, strides: ordered.map((letter) => strides[plan.axes.indexOf(letter)] ?? 0) },
    {
      bytes,
      offset: 0,
      strides: contiguousStrides(ordered.map((letter) => part.shape[FIVE.indexOf(letter)] ?? 1)),
    },
    itemBytes,
  );
}

/** One of an image's datasets may have another size or type than the first, by which the image was described. */
function checkDataset(hierarchy: Hdf5Hierarchy, plan: ImagePlan, path: NodePath): void {
  const { shape } = hierarchy.dataset(path);
  const isGood =
    shape.length === plan.axes.length &&
    shape.every((extent, axis) => {
      const wanted = ofAxes(plan.shape, plan.axes)[axis] ?? 0;
      return extent === wanted || (plan.isPadded && extent > wanted);
    }) &&
    hierarchy.numbers(path).itemBytes === itemSizeBytes(plan.dtype);
  if (!isGood)
    throw new BadHdf5Error(hierarchy.file, `${path} is [${shape}], not as the others of ${plan.path}`);
}

/** Where a region's bytes lie verbatim. @throws RangeError when it isn't inside the image. */
export function imageWindow(
  hierarchy: Hdf5Hierarchy,
  plan: ImagePlan,
  region: Region,
): ByteWindow | undefined {
  check(hierarchy, plan, region);
  if (!isOrdered(plan.axes) || region.shape.includes(0)) return undefined;
  const [countT = 0, countC = 0] = region.shape;
  if (plan.choosesDataset && (countT !== 1 || countC !== 1)) return undefined;
  const path = plan.datasetAt(region.start[0] ?? 0, region.start[1] ?? 0);
  if (path === undefined) return undefined;
  checkDataset(hierarchy, plan, path);
  return hierarchy.window(path, inDataset(plan, region));
}
