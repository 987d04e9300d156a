/** A box in an array: the half-open ranges `start[i] .. start[i] + shape[i]`. */
export interface Region {
  readonly start: readonly number[];
  readonly shape: readonly number[];
}

/** The region that covers a whole array. */
export function wholeRegion(shape: readonly number[]): Region {
  return { start: shape.map(() => 0), shape };
}

/** Whether `region` has the array's rank and lies inside it. */
export function isInside(region: Region, shape: readonly number[]): boolean {
  if (region.start.length !== shape.length || region.shape.length !== shape.length) return false;
  return shape.every((extent, axis) => {
    const start = region.start[axis] ?? -1;
    const length = region.shape[axis] ?? -1;
    return start >= 0 && length >= 0 && start + length <= extent;
  });
}
