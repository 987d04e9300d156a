import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bytesOf } from '../../src/core/nd-array.ts';
import { wholeRegion } from '../../src/core/region.ts';
import tiff from '../../src/sources/tiff.ts';

const PYTHON = '/usr/bin/python3';
const available =
  existsSync(PYTHON) &&
  spawnSync(PYTHON, ['-c', 'import tifffile'], { stdio: 'ignore' }).status === 0 &&
  spawnSync('which', ['tiffcp'], { stdio: 'ignore' }).status === 0;
const never = new AbortController().signal;
const folder = mkdtempSync(join(tmpdir(), 'platefs-interop-read-'));
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** Writes images of several dtypes, and stacks; prints file, shape, dtype, axes and checksum of each. */
const WRITE = `
import sys, json, hashlib, numpy, tifffile
folder = sys.argv[1]
rng = numpy.random.default_rng(3)
y, x = numpy.mgrid[0:150, 0:133]
base = 500 * numpy.exp(-((x - 60) ** 2 + (y - 70) ** 2) / 900.0)
out = []
def save(name, a, axes, **how):
    path = f'{folder}/{name}.tif'
    tifffile.imwrite(path, a, **how)
    out.append(dict(name=name, path=path, shape=list(a.shape), dtype=a.dtype.name, axes=axes,
        sha=hashlib.sha256(numpy.ascontiguousarray(a).astype(a.dtype.newbyteorder('<')).tobytes()).hexdigest()))
for dtype in 'uint8 uint16 int16 uint32 int32 float32 float64 float16 uint64 int64 int8'.split():
    a = (rng.poisson(100 + base) % 120 if dtype in ('uint8', 'int8') else rng.poisson(100 + base)).astype(dtype)
    save(dtype, a, 'yx')
    if dtype != 'int8': save(dtype + '-be', a, 'yx', byteorder='>', rowsperstrip=11)
u16 = rng.poisson(100 + base).astype('uint16')
rgb = numpy.stack([u16, u16 + 1, u16 * 2], -1)
save('rgb', rgb, 'yxs', photometric='rgb')
save('planar', numpy.moveaxis(rgb, -1, 0).copy(), 'syx', photometric='rgb', planarconfig='separate')
stack = numpy.stack([u16 + i for i in range(12)]).astype('uint16')
save('imagej', stack.reshape(2, 3, 2, 150, 133), 'tzcyx', imagej=True, metadata={'axes': 'TZCYX'})
save('stack.ome', stack.reshape(2, 3, 2, 150, 133), 'tczyx', ome=True, metadata={'axes': 'TCZYX'})
save('pages', stack, 'zyx', metadata=None, bigtiff=True)
save('tiled', stack, 'zyx', metadata=None, tile=(64, 32))
save('deflate', stack, 'zyx', metadata=None, compression='zlib')
print(json.dumps(out))
`;

interface Made {
  readonly name: string;
  readonly path: string;
  readonly shape: number[];
  readonly dtype: string;
  readonly axes: string;
  readonly sha: string;
}

const sha = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

describe.skipIf(!available)('TIFFs of other writers (needs python3-tifffile and libtiff-tools)', () => {
  let made: Made[] = [];
  beforeAll(() => {
    made = JSON.parse(execFileSync(PYTHON, ['-c', WRITE, folder], { encoding: 'utf8' })) as Made[];
  });

  it('reads what tifffile writes: dtypes, byte orders, stacks and their axes', async () => {
    for (const { name, path, shape, dtype, axes, sha: expected } of made) {
      await using source = await tiff.openArray(path, never);
      expect(source.info, name).toEqual({ shape, dtype, axes });
      expect(sha(bytesOf(await source.read(wholeRegion(shape), never))), name).toBe(expected);
    }
  });

  it.each([['lzw'], ['lzw:2'], ['zip'], ['zip:2'], ['packbits'], ['none']])(
    'reads what tiffcp writes with %s: strips, tiles, planes, both byte orders, BigTIFF',
    (codec) => {
      const layouts = [
        ['-r', '7'],
        ['-r', '150', '-B'],
        ['-t', '-w', '64', '-l', '32'],
        ['-t', '-w', '32', '-l', '64', '-B'],
        ['-8', '-r', '3'],
        ['-f', 'msb2lsb'],
        ['-f', 'lsb2msb', '-r', '20'],
      ];
      let checked = 0;
      for (const { name, path, dtype } of made.filter((file) =>
        ['uint8', 'uint16', 'uint32', 'rgb', 'imagej'].includes(file.name),
      )) {
        for (const layout of name === 'rgb' ? [...layouts, ['-p', 'separate']] : layouts) {
          const copy = join(folder, 'copy.tif');
          const run = spawnSync('tiffcp', ['-c', codec, ...layout, path, copy], { encoding: 'utf8' });
          // libtiff has no predictor for some depths.
          if (run.status !== 0) continue;
          const { bytes, info } = tiff.readPlaneSync!(copy, 0);
          const original = tiff.readPlaneSync!(path, 0);
          const what = `${name} ${layout.join(' ')}`;
          expect(info.dtype, what).toBe(dtype);
          if (layout[0] !== '-p') expect(sha(bytes), what).toBe(sha(original.bytes));
          else {
            const item = bytes.length / (150 * 133 * 3);
            const pixels = 150 * 133;
            const chunky = Buffer.alloc(bytes.length);
            for (let s = 0; s < 3; s++)
              for (let i = 0; i < pixels; i++)
                chunky.set(
                  bytes.subarray((s * pixels + i) * item, (s * pixels + i + 1) * item),
                  (i * 3 + s) * item,
                );
            expect(sha(chunky), what).toBe(sha(original.bytes));
          }
          checked++;
        }
      }
      expect(checked).toBeGreaterThan(25);
    },
  );
});
