import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NGFF_VERSIONS } from '../../../../src/model/ngff.ts';
import { ImageFolder } from '../../../../src/tree/ngff/image-folder.ts';
import { imageDocument, levelDocument, planImage } from '../../../../src/tree/ngff/image-plan.ts';

const planOf = (shape: readonly [number, number, number, number, number], version: '0.4' | '0.5') =>
  planImage({ name: 'A01_s001', shape, dtype: 'uint16', channels: [] }, version, []);

/** Every path below a folder, with its ordinal. */
function walk(
  folder: ImageFolder,
  levels: number,
  holds: (t: number, c: number, z: number) => boolean,
): Map<string, number> {
  const found = new Map<string, number>();
  const enter = (ordinal: number, path: string): void => {
    let cookie = 0;
    for (;;) {
      const entry = folder.entryAfter(ordinal, cookie, () => levels, holds);
      if (!entry) return;
      expect(entry.cookie).toBeGreaterThan(cookie);
      ({ cookie } = entry);
      const below = path === '' ? entry.name : `${path}/${entry.name}`;
      found.set(below, entry.ordinal);
      expect(folder.lookup(ordinal, entry.name, () => levels)).toBe(entry.ordinal);
      expect(folder.pathOf(entry.ordinal)).toBe(below);
      if (folder.isDirectory(entry.ordinal)) enter(entry.ordinal, below);
    }
  };
  enter(0, '');
  return found;
}

describe('the folder of an image', () => {
  it('has the names that Zarr v2 and v3 want', () => {
    const twoZ = { t: 1, c: 1, z: 2 };
    const v2 = walk(ImageFolder.ofPlanes(twoZ.t, twoZ.c, twoZ.z, '0.4'), 2, () => true);
    expect([...v2.keys()]).toEqual([
      '.zgroup',
      '.zattrs',
      ...['0', '1'].flatMap((level) => [
        level,
        `${level}/.zarray`,
        ...['0', '0/0', '0/0/0', '0/0/0/0', '0/0/0/0/0', '0/0/1', '0/0/1/0', '0/0/1/0/0'].map(
          (key) => `${level}/${key}`,
        ),
      ]),
    ]);
    const v3 = walk(ImageFolder.ofPlanes(1, 1, 1, '0.5'), 1, () => true);
    expect([...v3.keys()]).toEqual([
      'zarr.json',
      '0',
      '0/zarr.json',
      '0/c',
      '0/c/0',
      '0/c/0/0',
      '0/c/0/0/0',
      '0/c/0/0/0/0',
      '0/c/0/0/0/0/0',
    ]);
  });

  it.each(NGFF_VERSIONS)('%s: every entry has an ordinal of its own below the count', (version) => {
    const extent = fc.integer({ min: 1, max: 4 });
    fc.assert(
      fc.property(extent, extent, extent, fc.integer({ min: 0, max: 4 }), (t, c, z, levels) => {
        const folder = ImageFolder.ofPlanes(t, c, z, version);
        const found = [...walk(folder, levels, () => true).values()];
        expect(new Set(found).size).toBe(found.length);
        for (const ordinal of found) expect(ordinal).toBeLessThan(folder.entryCount);
        for (const { parent, name, chunk } of folder.planePlaces(t - 1, c - 1, z - 1).slice(0, levels)) {
          const plane = folder.lookup(parent, name, () => levels);
          expect(folder.pathOf(chunk)).toBe(`${folder.pathOf(plane ?? 0)}/0/0`);
        }
      }),
    );
  });

  it('leaves out the planes that are not there, and knows no other names', () => {
    const folder = ImageFolder.ofPlanes(1, 2, 3, '0.4');
    const found = walk(folder, 1, (_t, c, z) => c === 1 && z === 2);
    expect([...found.keys()].filter((path) => /^0\/\d/.test(path))).toEqual([
      '0/0',
      '0/0/0',
      '0/0/1',
      '0/0/1/2',
      '0/0/1/2/0',
      '0/0/1/2/0/0',
    ]);
    const level = found.get('0')!;
    for (const name of ['.zattrs', 'zarr.json', '00', '1', '-1', '0.0', 'x', ''])
      expect(folder.lookup(level, name, () => 1)).toBeUndefined();
    for (const name of ['zarr.json', '.zarray', '1', '01', '.zmetadata'])
      expect(folder.lookup(0, name, () => 1)).toBeUndefined();
  });

  it('numbers an image of unknown extents as it will be', () => {
    const planned = ImageFolder.of(planOf([2, 3, 4, 1000, 1400], '0.4'));
    const unknown = ImageFolder.ofPlanes(2, 3, 4, '0.4');
    for (const [path, ordinal] of walk(planned, 4, () => true)) expect(unknown.pathOf(ordinal)).toBe(path);
  });
});

describe('the plan of an image', () => {
  it('halves until both extents are small, rounding up', () => {
    const { levels } = planOf([2, 1, 1, 1000, 1400], '0.4');
    expect(levels.map(({ shape }) => shape.slice(3))).toEqual([
      [1000, 1400],
      [500, 700],
      [250, 350],
      [125, 175],
    ]);
    expect(planOf([1, 1, 1, 256, 256], '0.4').levels).toHaveLength(1);
    expect(planOf([1, 1, 1, 1, 1_000_000], '0.4').levels).toHaveLength(8);
  });

  it('says the pixel size and nothing where it is unknown', () => {
    const said = (known: object) => {
      const image = { name: 'A01_s001', dtype: 'uint8', channels: [{}, {}], ...known } as const;
      const plan = planImage({ ...image, shape: [1, 2, 3, 300, 999] }, '0.4', ['w1', 'w3']);
      return JSON.parse(String(imageDocument(plan, '.zattrs')));
    };
    const unknown = said({});
    expect(unknown).not.toHaveProperty('omero');
    const [{ axes, datasets }] = unknown.multiscales;
    expect(axes.filter((axis: object) => 'unit' in axis)).toEqual([]);
    expect(datasets).toEqual(
      [1, 2, 4].map((factor, level) => ({
        path: String(level),
        coordinateTransformations: [{ type: 'scale', scale: [1, 1, 1, factor, factor] }],
      })),
    );
    const known = said({
      pixelSizeUm: { x: 0.5, y: 0.25 },
      timeIntervalS: 60,
      channels: [{ name: 'GFP', emissionNm: 520 }, { color: 'FF00FF' }],
    });
    expect(known.multiscales[0].datasets[2].coordinateTransformations).toEqual([
      { type: 'scale', scale: [60, 1, 1, 1, 2] },
    ]);
    expect(known.omero.channels).toMatchObject([
      { label: 'GFP', color: '00FF00', window: { start: 0, end: 255 } },
      { label: 'w3', color: 'FF00FF' },
    ]);
  });

  it('describes arrays of one chunk per plane', () => {
    const text = (version: '0.4' | '0.5'): unknown =>
      JSON.parse(String(levelDocument(planOf([2, 3, 1, 300, 400], version), 1)));
    expect(text('0.4')).toMatchObject({
      shape: [2, 3, 1, 150, 200],
      chunks: [1, 1, 1, 150, 200],
      dtype: '<u2',
    });
    expect(text('0.5')).toMatchObject({
      shape: [2, 3, 1, 150, 200],
      chunk_grid: { configuration: { chunk_shape: [1, 1, 1, 150, 200] } },
      data_type: 'uint16',
    });
  });
});
