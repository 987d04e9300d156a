/** The two shapes of a neighbourhood. */
export type FootprintShape = 'disk' | 'box';

/**
 * How far a footprint reaches to either side in each of its 2 × radius + 1 rows, top to bottom. A disk holds
 * the pixels with y² + x² ≤ radius², as `skimage.morphology.disk` does.
 */
export function halfWidths(shape: FootprintShape, radius: number): readonly number[] {
  return Array.from({ length: 2 * radius + 1 }, (_, row) => {
    if (shape === 'box') return radius;
    const y = row - radius;
    let x = Math.floor(Math.sqrt(radius * radius - y * y));
    if (x * x + y * y > radius * radius) x--;
    return x;
  });
}

/** The footprint's pixels as [dy, dx], row by row. */
export function footprintOffsets(
  shape: FootprintShape,
  radius: number,
): readonly (readonly [number, number])[] {
  return halfWidths(shape, radius).flatMap((half, row) =>
    Array.from({ length: 2 * half + 1 }, (_, column) => [row - radius, column - half] as const),
  );
}
