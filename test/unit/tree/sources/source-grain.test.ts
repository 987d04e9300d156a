import { describe, expect, it } from 'vitest';
import type { ArrayItem } from '../../../../src/sources.ts';
import { sourceGrain } from '../../../../src/tree/sources/source-grain.ts';

const item = (chunkShape: readonly number[]): ArrayItem => ({
  kind: 'array',
  path: 'a',
  shape: [10, 600, 800],
  dtype: 'uint16',
  chunkShape,
});
const plane = { start: [3, 0, 0], shape: [1, 600, 800] };

describe('how planes of a source are read in parts', () => {
  it('is by its chunks, several at once where they are small', () => {
    expect(sourceGrain({}, item([1, 256, 256]), plane)).toEqual({ height: 256, width: 256 });
    expect(sourceGrain({}, item([1, 32, 32]), plane)).toEqual({ height: 32, width: 512 });
    expect(sourceGrain({}, item([1, 1, 800]), plane)).toEqual({ height: 21, width: 800 });
    expect(sourceGrain({}, item([1, 600, 800]), plane)).toEqual({ height: 600, width: 800 });
  });

  it('is not told where chunks hold other planes, or do not begin with the rows', () => {
    expect(sourceGrain({}, item([4, 256, 256]), plane)).toBeUndefined();
    expect(sourceGrain({}, item([1, 256, 256]), { start: [0, 0, 0], shape: [10, 600, 800] })).toBeUndefined();
    expect(
      sourceGrain({}, item([1, 256, 256]), { start: [0, 100, 0], shape: [1, 100, 800] }),
    ).toBeUndefined();
    expect(sourceGrain({}, item([1, 256, 256]), { start: [0, 256, 0], shape: [1, 256, 800] })).toBeDefined();
  });

  it('is what the source says, where it says it', () => {
    expect(sourceGrain({ planeGrain: () => 'rows' }, item([4, 256, 256]), plane)).toBe('rows');
    expect(sourceGrain({ planeGrain: () => undefined }, item([1, 256, 256]), plane)).toBeUndefined();
  });
});
