import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type ChunkGrid,
  gridEntries,
  gridPath,
  isGridFolder,
  isSameNumbering,
  ordinalOf,
  placeOf,
  placeOfName,
} from '../../../src/model/chunk-grid.ts';

const extents = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 });
const nested = (all: readonly number[]): ChunkGrid => ({
  steps: all.map((extent) => ({ prefix: '', extents: [extent] })),
});
const anyGrid: fc.Arbitrary<ChunkGrid> = extents.chain((all) =>
  fc.constantFrom<ChunkGrid>(
    nested(all),
    { steps: [{ prefix: 'c', extents: [] }, ...nested(all).steps] },
    { steps: [{ prefix: '', extents: all }] },
    { steps: [{ prefix: 'c.', extents: all }] },
  ),
);

describe('a grid of chunks', () => {
  it('numbers every folder and file once, and finds them again by number and by name', () => {
    fc.assert(
      fc.property(anyGrid, (grid) => {
        const paths = new Set<string>();
        for (let ordinal = 0; ordinal < gridEntries(grid); ordinal++) {
          const place = placeOf(grid, ordinal)!;
          expect(ordinalOf(grid, place)).toBe(ordinal);
          const path = gridPath(grid, place);
          paths.add(path);
          expect(path.split('/').map((name, step) => placeOfName(grid, step, name))).toEqual(place);
          expect(isGridFolder(grid, place)).toBe(place.length < grid.steps.length);
        }
        expect(paths.size).toBe(gridEntries(grid));
        expect(placeOf(grid, gridEntries(grid))).toBeUndefined();
      }),
    );
  });

  it('keeps its numbers when the first axis grows, and only then', () => {
    const before: ChunkGrid = { steps: [{ prefix: 'c', extents: [] }, ...nested([2, 3]).steps] };
    const grown: ChunkGrid = { steps: [{ prefix: 'c', extents: [] }, ...nested([5, 3]).steps] };
    for (let ordinal = 0; ordinal < gridEntries(before); ordinal++)
      expect(placeOf(grown, ordinal)).toEqual(placeOf(before, ordinal));
    expect(isSameNumbering(before, grown)).toBe(true);
    expect(isSameNumbering(nested([2, 3]), nested([2, 4]))).toBe(false);
    expect(isSameNumbering(nested([2, 3]), before)).toBe(false);
    expect(
      isSameNumbering(
        { steps: [{ prefix: '', extents: [2, 3] }] },
        { steps: [{ prefix: '', extents: [9, 3] }] },
      ),
    ).toBe(true);
  });

  it('knows only names as chunk keys are written', () => {
    const flat: ChunkGrid = { steps: [{ prefix: 'c.', extents: [2, 12] }] };
    expect(placeOfName(flat, 0, 'c.1.11')).toBe(23);
    for (const name of ['c.1.12', 'c.01.1', '1.1', 'c.1', 'c.1.1.1', 'c.-1.1', 'c.1.', 'c', ''])
      expect(placeOfName(flat, 0, name), name).toBeUndefined();
    expect(placeOfName(nested([2]), 1, '0')).toBeUndefined();
  });
});
