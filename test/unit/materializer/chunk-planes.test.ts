import { describe, expect, it } from 'vitest';
import { planesPerChunk } from '../../../src/materializer/chunk-planes.ts';
import { downsamplingOf, levelArray, levelCount } from '../../../src/materializer/image-levels.ts';

const MIB = 2 ** 20;

describe('planes in one chunk file', () => {
  it('is one, whatever there is, of single files', () => {
    expect(planesPerChunk('file', [5, 4, 3], MIB)).toEqual([1, 1, 1]);
  });

  it('are all of a field, within what a worker can hold: fewer frames first, then slices, then channels', () => {
    expect(planesPerChunk('well', [5, 3, 2], MIB)).toEqual([5, 3, 2]);
    expect(planesPerChunk('well', [50, 4, 3], 2 * MIB)).toEqual([4, 4, 3]);
    expect(planesPerChunk('well', [1, 4, 100], 8 * MIB)).toEqual([1, 4, 4]);
    expect(planesPerChunk('well', [9, 4, 9], 100 * MIB)).toEqual([1, 1, 1]);
  });

  it('are some more in a shard, so that what comes later finds room', () => {
    expect(planesPerChunk('sharded', [5, 3, 2], MIB)).toEqual([8, 4, 2]);
    expect(planesPerChunk('sharded', [1, 1, 1], MIB)).toEqual([1, 4, 1]);
    expect(planesPerChunk('sharded', [1, 5, 1], MIB)).toEqual([1, 8, 1]);
  });

  it('are within a bound in a shard, too', () => {
    expect(planesPerChunk('sharded', [1000, 4, 10], 8 * MIB)).toEqual([2, 4, 16]);
    expect(planesPerChunk('sharded', [1, 1, 1], 900 * MIB)).toEqual([1, 1, 1]);
  });
});

describe('levels', () => {
  it('go on until the image is small, or as many as asked for', () => {
    expect(levelCount('auto', [1, 1, 1, 2048, 2048])).toBe(4);
    expect(levelCount('auto', [1, 1, 1, 200, 256])).toBe(1);
    expect(levelCount(3, [1, 1, 1, 2048, 2048])).toBe(3);
    expect(levelCount(8, [1, 1, 1, 3, 2])).toBe(3);
  });

  it('have extents rounded up', () => {
    const format = { version: '0.4', codec: { name: 'none' }, planes: [1, 1, 1], isSharded: false } as const;
    const image = { shape: [2, 3, 4, 101, 67], dtype: 'uint16', format } as const;
    expect(levelArray(image, 2).shape).toEqual([2, 3, 4, 26, 17]);
  });

  it.each([
    ['results/A01_s001_w1_z001_t001_labels.tif', 'uint16', 'nearest'],
    ['masks/A01_s001_w1_z001_t001.tif', 'uint8', 'nearest'],
    ['results/A01_s001_w1_z001_t001_labels.tif', 'float32', 'mean'],
    ['results/labelled.tif', 'uint16', 'mean'],
    ['images/A01_s001_w1_z001_t001.tif', 'uint16', 'mean'],
  ] as const)('of %s (%s) are made by %s', (path, dtype, how) =>
    expect(downsamplingOf(path, dtype)).toBe(how),
  );
});
