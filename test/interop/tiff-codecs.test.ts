import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import tiff from '../../src/sources/tiff.ts';

const PYTHON = '/usr/bin/python3';
const hasProgram = (name: string): boolean =>
  (process.env['PATH'] ?? '').split(delimiter).some((folder) => existsSync(join(folder, name)));
const problem = !existsSync(PYTHON) || !hasProgram('tiffcp') || !hasProgram('vips');

/**
 * Files that libtiff's own programs compress, and what libtiff gives back of them: `NAME.tif` and `NAME.raw`, the bytes
 * of its pixels. Smooth images with edges: rounding shows.
 */
const MAKE = `
import subprocess, sys, os
import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter
os.chdir(sys.argv[1])
rng = np.random.default_rng(7)
def smooth(h, w, s): a = gaussian_filter(rng.random((h, w)), s); return (a - a.min()) / np.ptp(a)
rgb = np.stack([smooth(109, 133, s) for s in (1, 3, 6)], -1)
rgb[30:60, 40:90] = (1, 0, 0.2)
rgb = (rgb * 255).astype(np.uint8)
Image.fromarray(rgb).save('rgb.tif'); Image.fromarray(rgb[..., 0]).save('grey.tif')
def run(*words): subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
def keep(name):
    np.asarray(Image.open(name + '.tif')).tofile(name + '.raw')
    print(name)
run('tiffcp', '-c', 'jpeg:r:60', '-r', '16', 'rgb.tif', 'jpeg-strips.tif'); keep('jpeg-strips')
run('tiffcp', '-c', 'jpeg:30', '-t', '-w', '64', '-l', '48', 'rgb.tif', 'jpeg-tiles.tif'); keep('jpeg-tiles')
run('tiffcp', '-c', 'jpeg:90', '-r', '24', 'grey.tif', 'jpeg-grey.tif'); keep('jpeg-grey')
for mode in ('on', 'off'):
    run('vips', 'tiffsave', 'rgb.tif', f'jpeg-vips-{mode}.tif', '--compression', 'jpeg', '--Q', '50' if mode == 'on' else '95', '--tile', '--tile-width', '64', '--tile-height', '64')
    keep(f'jpeg-vips-{mode}')
edge = smooth(97, 5400, 2) > 0.5
edge[3] = False; edge[4] = True; edge[5, ::2] = True; edge[6, 4000:] = False; edge[7, :2600] = True; edge[10:40, 100:5000] = rng.random((30, 4900)) > 0.5
for r in range(40, 97): edge[r, :64 * (r - 30)] = r % 2 == 0
for name, a in {'wide': edge, 'odd': edge[:, 90:123], 'one': edge[:, 300:301]}.items():
    Image.fromarray(a).save('plain.tif')
    Image.fromarray(a).save(f'fax-{name}-rle.tif', compression='tiff_ccitt'); a.astype(np.uint8).tofile(f'fax-{name}-rle.raw'); print(f'fax-{name}-rle')
    for codec in ('g3', 'g3:2d', 'g3:fill', 'g4', 'packbits'):
        for order in ('lsb2msb', 'msb2lsb'):
            out = f'fax-{name}-{codec.replace(":", "")}-{order}'
            run('tiffcp', '-c', codec, '-f', order, '-r', '32', 'plain.tif', out + '.tif')
            np.asarray(Image.open(out + '.tif')).astype(np.uint8).tofile(out + '.raw'); print(out)
for name, a in {
    'u1': rgb[..., 1], 'rgb': rgb, 'u2': (smooth(70, 91, 3) * 60000).astype(np.uint16), 'i2': (smooth(70, 91, 3) * 6000 - 3000).astype(np.int16),
    'f4': smooth(65, 77, 2).astype(np.float32), 'f8': smooth(40, 40, 2), 'i4': (smooth(40, 40, 2) * 2e9 - 1e9).astype(np.int32), 'i1': (smooth(40, 40, 2) * 250 - 125).astype(np.int8), 'flat': np.full((40, 40), 7, np.uint16),
}.items():
    import tifffile
    tifffile.imwrite('plain.tif', a, photometric='rgb' if a.ndim == 3 else 'minisblack')
    for sub in (0, 1, 2):
        out = f'lerc-{name}-{sub}'
        run('tiffcp', '-c', f'lerc:0:s{sub}', '-t', '-w', '32', '-l', '16', 'plain.tif', out + '.tif')
        a.tofile(out + '.raw'); print(out)
    if a.dtype.kind != 'f':
        out = f'lerc-{name}-big-endian'
        run('tiffcp', '-c', 'lerc', '-B', '-r', '14', 'plain.tif', out + '.tif')
        a.tofile(out + '.raw'); print(out)
`;

describe.skipIf(problem)(
  'TIFFs that libtiff compressed (needs python3 with scipy and PIL, tiffcp, vips)',
  () => {
    let folder = '';
    let names: string[] = [];
    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), 'platefs-codecs-'));
      names = execFileSync(PYTHON, ['-c', MAKE, folder], { encoding: 'utf8', timeout: 200_000 })
        .trim()
        .split('\n');
    });
    afterAll(() => rmSync(folder, { recursive: true, force: true }));

    it.each([
      ['jpeg', 5],
      ['lerc', 34],
      ['fax', 33],
    ])('%s: the bytes are those that libtiff gives', (codec, count) => {
      const own = names.filter((name) => name.startsWith(codec));
      expect(own).toHaveLength(count);
      for (const name of own) {
        const { bytes } = tiff.readPlaneSync!(join(folder, `${name}.tif`), 0);
        expect(Buffer.compare(bytes, readFileSync(join(folder, `${name}.raw`))), name).toBe(0);
      }
    });
  },
);
