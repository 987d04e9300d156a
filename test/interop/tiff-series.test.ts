import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { itemSizeBytes } from '../../src/core/nd-array.ts';
import { wholeRegion } from '../../src/core/region.ts';
import tiff from '../../src/sources/tiff.ts';

const PYTHON = '/usr/bin/python3';

/** Files that tifffile writes, and beside each what it reads of them: series and levels in five axes, t c z y x. */
const MAKE = `
import sys, os, json
import numpy as np, tifffile
os.chdir(sys.argv[1])
rng = np.random.default_rng(3)
def image(*shape, dtype=np.uint16): return rng.integers(0, 255 if dtype == np.uint8 else 60000, shape).astype(dtype)
um = {'PhysicalSizeX': 0.25, 'PhysicalSizeXUnit': 'µm', 'PhysicalSizeY': 0.25, 'PhysicalSizeYUnit': 'µm', 'PhysicalSizeZ': 1.5, 'PhysicalSizeZUnit': 'µm'}
a = image(2, 3, 2, 64, 80)
with tifffile.TiffWriter('pyramid.ome.tif') as w:
    o = dict(photometric='minisblack', tile=(32, 32), compression='zlib')
    w.write(a, subifds=2, metadata={'axes': 'TCZYX', 'Channel': {'Name': ['a', 'b', 'c']}, **um}, **o)
    w.write(a[..., ::2, ::2], subfiletype=1, **o); w.write(a[..., ::4, ::4], subfiletype=1, **o)
with tifffile.TiffWriter('two.ome.tif', bigtiff=True) as w:
    w.write(image(3, 20, 30), photometric='minisblack', metadata={'axes': 'ZYX', 'Name': 'first'})
    w.write(image(10, 12, dtype=np.uint8), photometric='minisblack', metadata={'axes': 'YX', 'Name': 'second'})
tifffile.imwrite('zct.ome.tif', image(2, 3, 4, 16, 18), photometric='minisblack', metadata={'axes': 'TZCYX'})
tifffile.imwrite('colour.ome.tif', image(2, 24, 26, 3, dtype=np.uint8), photometric='rgb', metadata={'axes': 'ZYXS'})
tifffile.imwrite('planar.ome.tif', image(3, 24, 26, dtype=np.uint8), photometric='rgb', planarconfig='separate', metadata={'axes': 'SYX'})
tifffile.imwrite('hyper.tif', image(2, 4, 3, 16, 18), imagej=True, resolution=(4, 4), metadata={'axes': 'TZCYX', 'unit': 'um', 'spacing': 0.5, 'finterval': 2.5})
tifffile.imwrite('one.tif', image(9, 30, 20), imagej=True, metadata={'axes': 'ZYX'}, contiguous=True)
tifffile.imwrite('pages.tif', image(5, 17, 19, dtype=np.float32), photometric='minisblack', byteorder='>')
tifffile.imwrite('bits.tif', image(17, 19) & 4095, photometric='minisblack')
for name in sorted(os.listdir('.')):
    out = []
    with tifffile.TiffFile(name) as f:
        for s in f.series:
            for level in s.levels:
                x = level.asarray(); axes = level.axes
                if 'S' in axes: axes = axes.replace('C', 'Q').replace('S', 'C')
                axes = axes.replace('I', 'Z').replace('Q', 'Z') if 'Z' not in axes else axes
                for c in 'TCZYX':
                    if c not in axes: x = x[None]; axes = c + axes
                x = x.transpose([axes.index(c) for c in 'TCZYX'])
                x.astype(x.dtype.newbyteorder('<')).tofile(f'{name}.{len(out)}.raw'); out.append([x.dtype.name, list(x.shape)])
    print(json.dumps([name, out]))
`;

describe.skipIf(!existsSync(PYTHON))(
  'TIFFs that tifffile wrote, as sources (needs python3 with tifffile)',
  () => {
    let folder = '';
    let files: [name: string, levels: [dtype: string, shape: number[]][]][] = [];
    beforeAll(async () => {
      await tiff.prepare!();
      folder = mkdtempSync(join(tmpdir(), 'platefs-series-'));
      const out = execFileSync(PYTHON, ['-W', 'ignore', '-c', MAKE, folder], {
        encoding: 'utf8',
        timeout: 200_000,
      });
      files = out
        .trim()
        .split('\n')
        .map((text) => JSON.parse(text) as (typeof files)[number]);
    });
    afterAll(() => rmSync(folder, { recursive: true, force: true }));

    const look = async (name: string) =>
      (await tiff.catalog!(join(folder, name), { root: folder }, new AbortController().signal))!;

    it('have the series and levels that tifffile finds, and their pixels', async () => {
      expect(files.length).toBe(9);
      for (const [name, levels] of files) {
        const catalog = await look(name);
        expect(catalog.warnings, name).toEqual([]);
        const found = catalog.items.flatMap((item) => {
          if (item.kind !== 'image') return [];
          const { dtype, shape } = item.image;
          return [{ path: item.path, shape, dtype }, ...item.levels.map((level) => ({ ...level, dtype }))];
        });
        expect(
          found.map(({ dtype, shape }) => [dtype, shape]),
          name,
        ).toEqual(levels);
        using source = tiff.openSync!(join(folder, name), catalog);
        for (const [i, { path, shape, dtype }] of found.entries()) {
          const bytes = new Uint8Array(shape.reduce((a, b) => a * b, itemSizeBytes(dtype)));
          source.readRegion(path, wholeRegion(shape), bytes);
          expect(
            Buffer.compare(bytes, readFileSync(join(folder, `${name}.${i}.raw`))),
            `${name} ${path}`,
          ).toBe(0);
        }
      }
    });

    it('tell their sizes, channels and times', async () => {
      const imageOf = async (name: string) =>
        (await look(name)).items.find((item) => item.kind === 'image')?.image;
      expect(await imageOf('pyramid.ome.tif')).toMatchObject({
        pixelSizeUm: { x: 0.25, y: 0.25 },
        zSpacingUm: 1.5,
        channels: [{ name: 'a' }, { name: 'b' }, { name: 'c' }],
      });
      expect(await imageOf('hyper.tif')).toMatchObject({
        pixelSizeUm: { x: 0.25, y: 0.25 },
        zSpacingUm: 0.5,
        timeIntervalS: 2.5,
      });
      expect((await look('two.ome.tif')).items.map(({ path }) => path)).toEqual([
        'first',
        'first',
        'second',
        'second',
        'description.ome.xml',
      ]);
    });
  },
);
