import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { UnsupportedZarrError } from '../../../src/core/errors.ts';
import { bytesOf } from '../../../src/core/nd-array.ts';
import { wholeRegion } from '../../../src/core/region.ts';
import zarr from '../../../src/sources/zarr.ts';
import { sourceConformance } from '../../conformance/sources.ts';
import { type ArrayToWrite, writeV2, writeV3 } from '../../fixtures/zarr.ts';

const never = new AbortController().signal;
const DATA = resolve(import.meta.dirname, '../../../../shared/data');

function ramp(shape: readonly number[], chunkShape: readonly number[], itemBytes: number): ArrayToWrite {
  const count = shape.reduce((total, extent) => total * extent, itemBytes);
  return {
    shape,
    chunkShape,
    itemBytes,
    bytes: Uint8Array.from({ length: count }, (_, i) => (i * 37) & 127),
  };
}

sourceConformance(zarr, (folder) => {
  const plain = ramp([3, 2, 6, 5], [1, 1, 6, 5], 2);
  const ragged = ramp([2, 2, 7, 9], [2, 1, 4, 4], 2);
  const large = ramp([5, 6], [8, 8], 4);
  const bytes = ramp([2, 9, 8], [2, 9, 8], 1);
  const info = (array: ArrayToWrite, dtype: 'uint8' | 'uint16' | 'float32', axes: string) => ({
    info: { shape: array.shape, dtype, axes },
    bytes: array.bytes,
  });
  let serial = 0;
  const place = (): string => join(folder, `array${serial++}`);
  const shard = { shape: [2, 2, 8, 12], location: 'end' } as const;
  return [
    { path: writeV2(place(), plain, { dtype: '<u2' }), ...info(plain, 'uint16', 'czyx') },
    { path: writeV2(place(), plain, { dtype: '<u2', separator: '' }), ...info(plain, 'uint16', 'czyx') },
    { path: writeV2(place(), plain, { dtype: '>u2', packing: 'zlib' }), ...info(plain, 'uint16', 'czyx') },
    { path: writeV2(place(), ragged, { dtype: '<u2', packing: 'blosc' }), ...info(ragged, 'uint16', 'czyx') },
    { path: writeV2(place(), ragged, { dtype: '<u2', order: 'F' }), ...info(ragged, 'uint16', 'czyx') },
    { path: writeV2(place(), large, { dtype: '<f4', separator: '.' }), ...info(large, 'float32', 'yx') },
    { path: writeV2(place(), bytes, { dtype: '|u1', packing: 'crc32' }), ...info(bytes, 'uint8', 'zyx') },
    { path: writeV3(place(), plain, { dtype: 'uint16' }), ...info(plain, 'uint16', 'czyx') },
    {
      path: writeV3(place(), plain, {
        dtype: 'uint16',
        dimensionNames: ['t', 'z', 'y', 'x'],
        keys: { name: 'v2', separator: '.' },
        packing: 'crc32c',
      }),
      ...info(plain, 'uint16', 'tzyx'),
    },
    {
      path: writeV3(place(), ragged, { dtype: 'uint16', transpose: [1, 3, 0, 2], bigEndian: true }),
      ...info(ragged, 'uint16', 'czyx'),
    },
    { path: writeV3(place(), ragged, { dtype: 'uint16', shard }), ...info(ragged, 'uint16', 'czyx') },
    {
      path: writeV3(place(), ragged, {
        dtype: 'uint16',
        packing: 'zstd',
        shard: { ...shard, location: 'start' },
      }),
      ...info(ragged, 'uint16', 'czyx'),
    },
  ];
});

interface TruthArray {
  readonly path: string;
  readonly shape: readonly number[];
  readonly sha256_array?: string;
}

interface TruthPlane {
  readonly source: string;
  readonly index: readonly (number | null)[];
  readonly sha256_pixels: string;
}

const truth = <T>(set: string): T => JSON.parse(readFileSync(join(DATA, `${set}.truth.json`), 'utf8')) as T;
const sha = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const metadataOf = (folder: string): string =>
  ['.zarray', 'zarr.json'].map((name) => join(folder, name)).find(existsSync) ?? folder;

describe.skipIf(!existsSync(DATA))('real arrays (skipped where ../shared/data is absent)', () => {
  it.each(['zarr-arrays', 'ngff-images'])(
    'every array of %s has the checksum of its truth file',
    async (set) => {
      const refused: string[] = [];
      for (const array of truth<{ arrays: TruthArray[] }>(set).arrays) {
        const path = metadataOf(join(DATA, set, array.path));
        if (array.sha256_array === undefined) {
          await expect(zarr.openArray(path, never), array.path).rejects.toThrow(UnsupportedZarrError);
          refused.push(array.path);
          continue;
        }
        await using source = await zarr.openArray(path, never);
        expect(source.info.shape.slice(0, array.shape.length), array.path).toEqual(array.shape);
        const { shape } = source.info;
        expect(sha(bytesOf(await source.read(wholeRegion(shape), never))), array.path).toBe(
          array.sha256_array,
        );
        // The planes one by one are the array.
        const planes = shape.slice(0, Math.max(0, array.shape.length - 2)).reduce((a, b) => a * b, 1);
        const hash = createHash('sha256');
        for (let page = 0; page < planes; page++) hash.update(zarr.readPlaneSync!(path, page).bytes);
        expect(hash.digest('hex'), array.path).toBe(array.sha256_array);
      }
      // Text of variable length is no array of numbers.
      for (const path of refused) expect(path).toMatch(/\.O$|string/);
    },
  );

  it.each([
    'ngff04-hcs-3d',
    'ngff05-hcs',
    'openhcs-plate-zarr',
    'openhcs-plate-zarr-file',
    'openhcs-plate-zarr-2026',
  ])('every plane of %s has the checksum of its truth file', (set) => {
    const { plate_root, planes } = truth<{ plate_root: string; planes: TruthPlane[] }>(set);
    let read = 0;
    for (const { source, index, sha256_pixels } of planes) {
      const path = metadataOf(join(DATA, set, plate_root, source));
      if (!path.endsWith('.zarray') && !path.endsWith('zarr.json')) continue;
      const shape = (JSON.parse(readFileSync(path, 'utf8')) as { shape: number[] }).shape;
      const leading = index.slice(0, shape.length - 2);
      const page = leading.reduce<number>((total, at, axis) => total * shape[axis]! + (at ?? 0), 0);
      expect(sha(zarr.readPlaneSync!(path, page).bytes), source).toBe(sha256_pixels);
      read += 1;
    }
    expect(read).toBeGreaterThan(9);
  });
});
