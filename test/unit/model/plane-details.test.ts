import { describe, expect, it } from 'vitest';
import { BadParameterError } from '../../../src/core/errors.ts';
import { type PlateIndex, WHOLE_FILE } from '../../../src/model/plate-index.ts';
import { PlateIndexBuilder } from '../../../src/model/plate-index-builder.ts';
import { bufferOf, countsOf, layOutColumns } from '../../../src/model/plate-index-columns.ts';

const FACTS = { name: 'p', format: 'x', formatDetail: '', channels: [] };
const SHAPE = { width: 7, height: 5, dtype: 'uint16' } as const;

const planesOf = (index: PlateIndex) =>
  Array.from({ length: index.planes.count }, (_, i) => ({
    site: index.planes.sites[i],
    page: index.planes.pages[i],
    shape: index.shapes[(index.planes.shapes[i] ?? 0) - 1],
    fieldId: index.planes.fieldIds[i],
    xUm: index.planes.xsUm[i],
    acquiredAtMs: index.planes.acquiredAtMs[i],
  }));

describe('details of planes', () => {
  it('cost nothing when no plane has any', () => {
    const builder = new PlateIndexBuilder('/p');
    builder.addPlane(builder.addFile(0, 'a.tif'), 0, 0, 1, 1, 1, 1, '.tif', {});
    const { planes, shapes } = builder.finish(FACTS);
    expect(planes.pages).toHaveLength(0);
    expect(planes.xsUm).toHaveLength(0);
    expect(shapes).toEqual([]);
  });

  it('stay with their planes when these are sorted, and survive being laid out again', () => {
    const builder = new PlateIndexBuilder('/p');
    const file = builder.addFile(0, 'stack.tif');
    builder.addPlane(builder.addFile(0, 'single.tif'), 0, 0, 3, 1, 1, 1, '.tif');
    builder.addPlane(file, 0, 0, 2, 1, 1, 1, '.tif', { page: 1, shape: SHAPE, fieldId: 9, xUm: -2.5 });
    builder.addPlane(file, 0, 0, 1, 1, 1, 1, '.tif', { page: 0, shape: SHAPE, acquiredAtMs: 1e12 });
    const index = builder.finish(FACTS);
    const none = { shape: undefined, fieldId: 0, xUm: Number.NaN, acquiredAtMs: Number.NaN };
    expect(planesOf(index)).toEqual([
      { ...none, site: 1, page: 0, shape: SHAPE, acquiredAtMs: 1e12 },
      { ...none, site: 2, page: 1, shape: SHAPE, fieldId: 9, xUm: -2.5 },
      { ...none, site: 3, page: WHOLE_FILE },
    ]);
    const { buffer, columns } = layOutColumns(countsOf(index));
    new Uint8Array(buffer).set(new Uint8Array(bufferOf(index)!));
    expect(planesOf({ ...index, ...columns })).toEqual(planesOf(index));
  });

  it('are refused when a name, size or column could not be right', () => {
    const builder = new PlateIndexBuilder('/p');
    const file = builder.addFile(0, 'stack.tif');
    const add = (detail: object) => () => builder.addPlane(file, 0, 0, 1, 1, 1, 1, '.tif', detail);
    expect(add({ page: 0 })).toThrow(BadParameterError);
    expect(add({ page: -1, shape: SHAPE })).toThrow(BadParameterError);
    expect(add({ page: 0, shape: { ...SHAPE, width: 0 } })).toThrow(BadParameterError);
    expect(add({ page: 0, shape: { ...SHAPE, width: 2 ** 31, height: 2 ** 30 } })).toThrow(BadParameterError);
    expect(add({ fieldId: 1.5 })).toThrow(BadParameterError);
    expect(builder.planeCount).toBe(0);
  });
});
