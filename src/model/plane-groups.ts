/**
 * Which images of a file are decoded together: they are numbered in C order of `extents`, and so many along each axis as
 * `perChunk` says share their chunks.
 */
export interface PlaneGroups {
  readonly extents: readonly number[];
  readonly perChunk: readonly number[];
}

/** How an array's planes, over all but its last two axes, share chunks; undefined where each has its own. */
export function planeGroups(
  shape: readonly number[],
  decodedShape: readonly number[],
): PlaneGroups | undefined {
  const perChunk = decodedShape.slice(0, -2);
  return perChunk.some((extent) => extent > 1) ? { extents: shape.slice(0, -2), perChunk } : undefined;
}

/** The number of the group that an image belongs to. */
export function groupOfPage({ extents, perChunk }: PlaneGroups, page: number): number {
  let group = 0;
  let groups = 1;
  let rest = page;
  for (let axis = extents.length - 1; axis >= 0; axis--) {
    const extent = extents[axis] ?? 1;
    const shared = perChunk[axis] ?? 1;
    group += groups * Math.floor((rest % extent) / shared);
    groups *= Math.ceil(extent / shared);
    rest = Math.floor(rest / extent);
  }
  return group;
}
