import { describe, expect, it } from 'vitest';
import { rasterOrder } from '../../../src/formats/shared/field-raster.ts';

const at = (...places: [number, number][]) =>
  rasterOrder(places.map(([xUm, yUm], i) => ({ field: i + 1, xUm, yUm })));

describe('rasterOrder', () => {
  it('goes through rows from the top, each from left to right', () => {
    expect(at([0, 0], [-1, 1], [0, 1], [1, 1], [1, 0], [1, -1], [0, -1], [-1, -1], [-1, 0])).toMatchObject({
      inOrder: [2, 3, 4, 9, 1, 5, 8, 7, 6],
      orphans: [],
      grid: { rows: 3, columns: 3 },
    });
  });

  it('sets apart fields more than three times as far as the others', () => {
    expect(at([0, 0], [1, 0], [4.1, 0])).toMatchObject({ inOrder: [1, 2], orphans: [3] });
    expect(at([0, 0], [1, 0], [4, 0])).toMatchObject({ inOrder: [1, 2, 3], orphans: [] });
    expect(at([50, -50], [0, 0], [1, 0], [0, 1], [90, 0])).toMatchObject({
      inOrder: [4, 2, 3],
      orphans: [1, 5],
      grid: { rows: 2, columns: 2 },
    });
  });

  it('needs three fields for that, and copes with one, and with fields at one place', () => {
    expect(at([0, 0], [1000, 0])).toMatchObject({
      inOrder: [1, 2],
      orphans: [],
      grid: { rows: 1, columns: 2 },
    });
    expect(at([3, 4])).toMatchObject({ inOrder: [1], orphans: [], grid: { rows: 1, columns: 1 } });
    expect(at([0, 0], [0, 0], [0, 0])).toMatchObject({
      inOrder: [1, 2, 3],
      orphans: [],
      grid: { rows: 1, columns: 1 },
    });
  });

  it('takes coordinates that differ by less than a tenth of the spacing for one row', () => {
    expect(at([100, 0], [0, 5], [0, 100], [100, 95]).inOrder).toEqual([3, 4, 2, 1]);
  });
});
