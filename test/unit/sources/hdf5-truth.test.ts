import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { elementCount, itemSizeBytes } from '../../../src/core/nd-array.ts';
import { wholeRegion } from '../../../src/core/region.ts';
import hdf5 from '../../../src/sources/hdf5.ts';
import { Hdf5Hierarchy } from '../../../src/sources/shared/hdf5-hierarchy.ts';
import { NumberReader } from '../../../src/sources/shared/hdf5-read.ts';

const DATA = resolve(import.meta.dirname, '../../../../shared/data');

interface Truth {
  readonly file?: string;
  readonly path: string;
  readonly link?: string;
  readonly sha256_array?: string;
  readonly sha256_array_without_padding?: string;
  readonly planes?: readonly string[];
}

const truthOf = (set: string): readonly Truth[] =>
  (JSON.parse(readFileSync(join(DATA, `${set}.truth.json`), 'utf8')) as { arrays: Truth[] }).arrays;
const sum = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

describe.skipIf(!existsSync(DATA))('real HDF5 files (skipped where ../shared/data is absent)', () => {
  beforeAll(() => Hdf5Hierarchy.prepare());

  it.each(['bdv-h5', 'ilastik-h5', 'hdf5-features', 'h5ad'])(
    'reads every number of %s exactly, from the bytes and through the library alike',
    (set) => {
      let compared = 0;
      for (const { file = '', path, link, sha256_array: wanted } of truthOf(set)) {
        if (link !== undefined) continue;
        const folder = join(DATA, set);
        using hierarchy = Hdf5Hierarchy.open(join(folder, file), folder);
        const dataset = hierarchy.dataset(path.slice(1));
        expect(dataset.unreadable, `${file}${path}`).toBeUndefined();
        if (!['number', 'boolean', 'enum'].includes(dataset.type.kind)) {
          expect(wanted, `${file}${path}`).toBeUndefined();
          continue;
        }
        const region = wholeRegion(dataset.shape);
        const read = (reader: NumberReader): Uint8Array => {
          const bytes = new Uint8Array(elementCount(dataset.shape) * reader.itemBytes).fill(0xa5);
          reader.read(region, bytes);
          return bytes;
        };
        const own = new NumberReader(dataset);
        const bytes = read(own);
        expect(Buffer.compare(bytes, read(new NumberReader(dataset, { onlyLibrary: true })))).toBe(0);
        if (wanted !== undefined) expect(sum(bytes), `${file}${path}`).toBe(wanted);
        compared += 1;
      }
      expect(compared).toBeGreaterThan(0);
    },
  );

  it('shows the image of an Imaris file without its padding', async () => {
    const [truth] = truthOf('imaris-derived');
    const path = join(DATA, 'imaris-derived/derived.ims');
    const catalog = await hdf5.catalog!(path, { root: DATA }, new AbortController().signal);
    const image = catalog?.items.find((item) => item.kind === 'image');
    expect(image).toMatchObject({
      path: 'DataSet',
      image: {
        name: 'derived',
        shape: [1, 1, 27, 226, 186],
        dtype: 'uint16',
        pixelSizeUm: { x: 1, y: 1 },
        zSpacingUm: 2,
        channels: [{ name: 'Channel 0' }],
      },
      levels: [{ shape: [1, 1, 27, 113, 93] }],
    });
    using source = hdf5.openSync!(path, catalog!);
    const bytes = new Uint8Array(27 * 226 * 186 * 2);
    source.readRegion('DataSet', wholeRegion([1, 1, 27, 226, 186]), bytes);
    expect(sum(bytes)).toBe(truth?.sha256_array_without_padding);
    for (const [z, wanted] of truth!.planes!.entries()) {
      const plane = new Uint8Array(226 * 186 * 2);
      source.readRegion('DataSet', { start: [0, 0, z, 0, 0], shape: [1, 1, 1, 226, 186] }, plane);
      expect(sum(plane)).toBe(wanted);
    }
  });

  it('shows each setup of a BigDataViewer file with its levels, unsigned, named as the XML says', async () => {
    const path = join(DATA, 'bdv-h5/mri-stack-multilevel.h5');
    const catalog = await hdf5.catalog!(path, { root: DATA }, new AbortController().signal);
    expect(catalog).toMatchObject({ title: 'BigDataViewer HDF5', warnings: [] });
    const image = catalog?.items[0];
    expect(image).toMatchObject({
      kind: 'image',
      path: 's00',
      // One pixel is 1 cm by 1 cm by 10 cm in this demonstration.
      image: {
        name: 'mri-stack',
        dtype: 'uint16',
        shape: [1, 1, 27, 226, 186],
        pixelSizeUm: { x: 10_000, y: 10_000 },
        zSpacingUm: 100_000,
      },
    });
    using source = hdf5.openSync!(path, catalog!);
    const levels =
      image?.kind === 'image' ? [{ path: 's00', shape: image.image.shape }, ...image.levels] : [];
    expect(levels).toHaveLength(4);
    for (const [number, level] of levels.entries()) {
      const wanted = truthOf('bdv-h5').find(
        (one) => one.file === 'mri-stack-multilevel.h5' && one.path === `/t00000/s00/${number}/cells`,
      );
      const bytes = new Uint8Array(elementCount(level.shape) * itemSizeBytes('uint16'));
      source.readRegion(level.path, wholeRegion(level.shape), bytes);
      expect(sum(bytes)).toBe(wanted?.sha256_array);
    }
  });

  it('takes an image in pixels for one of unknown pixel size', async () => {
    const path = join(DATA, 'bdv-h5/demoSlice.h5');
    const catalog = await hdf5.catalog!(path, { root: DATA }, new AbortController().signal);
    const image = catalog?.items[0];
    expect(image?.kind === 'image' && image.image).not.toHaveProperty('pixelSizeUm');
  });

  it('reads the axes of an ilastik export from its tags', async () => {
    const path = join(DATA, 'ilastik-h5/probabilities-2channels.h5');
    const catalog = await hdf5.catalog!(path, { root: DATA }, new AbortController().signal);
    expect(catalog).toMatchObject({ title: 'ilastik HDF5', warnings: [] });
    expect(catalog?.items[0]).toMatchObject({ kind: 'image', image: { shape: [1, 2, 1, 254, 256] } });
    using source = hdf5.openSync!(path, catalog!);
    const planes = new Uint8Array(2 * 254 * 256);
    const stored = new Uint8Array(planes.length);
    source.readRegion('exported_data', wholeRegion([1, 2, 1, 254, 256]), planes);
    source.readRegion('exported_data', wholeRegion([254, 256, 2]), stored);
    const second = planes.subarray(254 * 256);
    expect(second.every((value, at) => value === stored[at * 2 + 1])).toBe(true);
  });
});
