import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BadMetadataError } from '../../../src/core/errors.ts';
import { bytesOf } from '../../../src/core/nd-array.ts';
import { CompressedMatrix } from '../../../src/sources/shared/anndata-compressed.ts';
import { denseMatrix } from '../../../src/sources/shared/anndata-dense.ts';
import { ByteLru } from '../../../src/sources/shared/byte-lru.ts';
import { MemoryHierarchy, type MemoryNodes, numbers } from '../../fixtures/memory-hierarchy.ts';

type Order = 'csr' | 'csc';
type Entry = readonly [row: number, column: number, value: number];

/** A sparse matrix as AnnData writes it. */
function sparseNodes(
  order: Order,
  [rows, columns]: readonly [number, number],
  entries: readonly Entry[],
): MemoryNodes {
  const major = order === 'csr' ? 0 : 1;
  const majorCount = order === 'csr' ? rows : columns;
  const sorted = [...entries].sort((a, b) => a[major] - b[major]);
  const indptr = Array.from(
    { length: majorCount + 1 },
    (_, at) => sorted.filter((e) => e[major] < at).length,
  );
  return {
    X: { attributes: { 'encoding-type': `${order}_matrix`, shape: [BigInt(rows), BigInt(columns)] } },
    'X/data': numbers(Float32Array.from(sorted, ([, , value]) => value)),
    'X/indices': numbers(Int32Array.from(sorted, (entry) => entry[1 - major]!)),
    'X/indptr': numbers(BigInt64Array.from(indptr, BigInt)),
  };
}

const open = (nodes: MemoryNodes, order: Order, kept = 1 << 20) =>
  new CompressedMatrix(new MemoryHierarchy(nodes), 'X', order, new ByteLru<unknown>(kept));

const anyMatrix = fc
  .tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 }), fc.constantFrom<Order>('csr', 'csc'))
  .chain(([rows, columns, order]) =>
    fc
      .array(fc.tuple(fc.nat(rows - 1), fc.nat(columns - 1), fc.integer({ min: -9, max: 9 })), {
        maxLength: 30,
      })
      .map((entries) => ({ rows, columns, order, entries })),
  );

describe('compressed matrices', () => {
  it('give entries, rows, columns and regions; entries stored twice are added up', () => {
    fc.assert(
      fc.property(
        anyMatrix,
        fc.nat(),
        fc.nat(),
        fc.nat(),
        fc.nat(),
        ({ rows, columns, order, entries }, a, b, c, d) => {
          const matrix = open(sparseNodes(order, [rows, columns], entries), order);
          const dense = Array.from({ length: rows }, () => Array.from({ length: columns }, () => 0));
          for (const [row, column, value] of entries) dense[row]![column]! += value;
          const [row, column] = [a % rows, b % columns];
          const [height, width] = [1 + (c % (rows - row)), 1 + (d % (columns - column))];

          expect([...matrix.row(row, column, width)]).toEqual(dense[row]!.slice(column, column + width));
          expect([...matrix.column(column, row, height)]).toEqual(
            dense.slice(row, row + height).map((line) => line[column]),
          );
          const region = new Float32Array(height * width);
          matrix.readRegion(
            { start: [row, column], shape: [height, width] },
            bytesOf({ dtype: 'float32', shape: [region.length], data: region }),
          );
          expect([...region]).toEqual(
            dense.slice(row, row + height).flatMap((line) => line.slice(column, column + width)),
          );

          const first = entries.length === 0 ? 0 : a % entries.length;
          const read = matrix.entries(first, entries.length - first);
          const sorted = [...entries]
            .sort((x, y) => (order === 'csr' ? x[0] - y[0] : x[1] - y[1]))
            .slice(first);
          expect([...read.rows]).toEqual(sorted.map(([at]) => at));
          expect([...read.columns]).toEqual(sorted.map(([, at]) => at));
          expect([...read.values]).toEqual(sorted.map(([, , value]) => value));
        },
      ),
    );
  });

  it.each(['csr', 'csc'] as const)('of no rows, no columns, no entries are empty (%s)', (order) => {
    for (const shape of [
      [0, 5],
      [5, 0],
      [0, 0],
      [3, 3],
    ] as const) {
      const matrix = open(sparseNodes(order, shape, []), order);
      expect(matrix.entries(0, 0).rows.length).toBe(0);
      if (shape[0] > 0 && shape[1] > 0) expect([...matrix.row(0, 0, shape[1])]).toEqual([0, 0, 0]);
    }
  });

  const good = sparseNodes(
    'csr',
    [4, 5],
    [
      [0, 1, 1],
      [2, 4, 2],
      [3, 0, 3],
    ],
  );
  const hostile: readonly (readonly [string, MemoryNodes, RegExp])[] = [
    [
      'pointers that fall',
      { 'X/indptr': numbers(Int32Array.of(0, 2, 1, 2, 3)) },
      /X\/indptr: element 2 is 1, less than 2/,
    ],
    [
      'pointers that end early',
      { 'X/indptr': numbers(Int32Array.of(0, 1, 1, 2, 2)) },
      /X\/indptr: ends at 2.*3 entries/,
    ],
    [
      'pointers that begin late',
      { 'X/indptr': numbers(Int32Array.of(1, 1, 1, 2, 3)) },
      /X\/indptr: element 0 is 1/,
    ],
    [
      'pointers beyond the entries',
      { 'X/indptr': numbers(Int32Array.of(0, 9, 9, 9, 9)) },
      /X\/indptr: element 1 is 9/,
    ],
    [
      'negative pointers',
      { 'X/indptr': numbers(Int32Array.of(0, -1, 1, 2, 3)) },
      /X\/indptr: element 1 is -1/,
    ],
    [
      'indices out of range',
      { 'X/indices': numbers(Int32Array.of(1, 5, 0)) },
      /X\/indices: element 1 is 5, not in 0 … 4/,
    ],
    ['negative indices', { 'X/indices': numbers(Int32Array.of(1, -1, 0)) }, /X\/indices: element 1 is -1/],
    [
      'indices that are no whole numbers',
      { 'X/indices': numbers(Float64Array.of(1, 0.5, Number.NaN)) },
      /X\/indices: element 1 is 0.5/,
    ],
    [
      'too few pointers',
      { 'X/indptr': numbers(Int32Array.of(0, 1, 3)) },
      /X\/indptr: has shape \[3\], not \[5\]/,
    ],
    [
      'fewer indices than values',
      { 'X/indices': numbers(Int32Array.of(1)) },
      /X\/indices: has shape \[1\], data has \[3\]/,
    ],
    ['a part that is missing', { 'X/data': { attributes: {} } }, /X\/data: is no array/],
    [
      'texts for values',
      { 'X/data': { shape: [3], type: { kind: 'text' }, values: ['a', 'b', 'c'] } },
      /X\/data: holds text/,
    ],
    ['2^60 rows', { X: { attributes: { shape: [2n ** 60n, 5n] } } }, /X: 1152921504606846976 is no extent/],
    ['2^50 rows', { X: { attributes: { shape: [2 ** 50, 5] } } }, /X\/indptr: has shape \[5\]/],
    ['a negative extent', { X: { attributes: { shape: [-1, 5] } } }, /X: -1 is no extent/],
    ['no shape', { X: { attributes: {} } }, /X: has no attribute shape/],
  ];
  it.each(hostile)('refuse %s, naming file and element', (_, changed, message) => {
    const read = () => {
      const matrix = open({ ...good, ...changed }, 'csr');
      matrix.row(0, 0, 5);
      matrix.entries(0, 3);
      matrix.readRegion({ start: [0, 0], shape: [4, 5] }, new Uint8Array(4 * 5 * 4));
    };
    expect(read).toThrow(BadMetadataError);
    expect(read).toThrow(message);
    expect(read).toThrow('/nowhere/test.h5ad');
  });

  it('refuse more rows than can be looked at, without reading one', () => {
    const nodes: MemoryNodes = {
      X: { attributes: { shape: [2 ** 40, 5] } },
      'X/data': numbers(new Float32Array(0)),
      'X/indices': numbers(new Int32Array(0)),
      'X/indptr': numbers(new Int32Array(0), [2 ** 40 + 1]),
    };
    expect(() => open(nodes, 'csr')).toThrow(/X\/indptr: pointers of 1099511627776 lines/);
  });

  it('cut neighbouring columns out of rows in one pass, and keep no more than they may', () => {
    const entries: Entry[] = Array.from({ length: 2000 }, (_, at) => [at % 500, (at * 7) % 40, at]);
    const tree = new MemoryHierarchy(sparseNodes('csr', [500, 40], entries));
    const kept = new ByteLru<unknown>(1 << 20);
    const matrix = new CompressedMatrix(tree, 'X', 'csr', kept);
    matrix.column(0, 0, 500);
    const onePass = tree.bytesRead;
    for (let column = 1; column < 40; column += 1) matrix.column(column, 0, 500);
    expect(tree.bytesRead).toBe(onePass);
    expect(kept.usedBytes).toBeLessThanOrEqual(1 << 20);
  });

  it('are shown dense only where that is bearable', () => {
    const huge = (rows: number, columns: number): MemoryNodes => ({
      X: { attributes: { shape: [rows, columns] } },
      'X/data': numbers(new Float32Array(0)),
      'X/indices': numbers(new Int32Array(0)),
      'X/indptr': numbers(new Int32Array(0), [rows + 1]),
    });
    expect(open(huge(65_536, 65_536), 'csr').isDenseBearable).toBe(true);
    expect(open(huge(65_536, 65_537), 'csr').isDenseBearable).toBe(false);
  });
});

describe('dense matrices', () => {
  it('give rows and columns', () => {
    const values = Float64Array.from({ length: 6 }, (_, at) => at + 0.5);
    const matrix = denseMatrix(
      new MemoryHierarchy({ X: numbers(values, [2, 3]) }),
      'X',
      new ByteLru(1 << 16),
    );
    expect([...matrix.row(1, 1, 2)]).toEqual([4.5, 5.5]);
    expect([...matrix.column(2, 0, 2)]).toEqual([2.5, 5.5]);
  });
});
