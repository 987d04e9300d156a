import { execFileSync, spawnSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { allocate, bytesOf, type Dtype } from '../../src/core/nd-array.ts';
import omeTiff from '../../src/encoders/ome-tiff.ts';
import tiff from '../../src/encoders/tiff.ts';
import type { ImageEncoder } from '../../src/encoders.ts';
import { ByteCache } from '../../src/memory/byte-cache.ts';
import type { ImageInfo } from '../../src/model/image.ts';
import { LayoutReader } from '../../src/tree/layout-reader.ts';
import { SourceFiles } from '../../src/tree/source-files.ts';

const PYTHON = '/usr/bin/python3';
const hasTifffile =
  existsSync(PYTHON) && spawnSync(PYTHON, ['-c', 'import tifffile'], { stdio: 'ignore' }).status === 0;
const hasProgram = (name: string): boolean => spawnSync('which', [name], { stdio: 'ignore' }).status === 0;
const folder = mkdtempSync(join(tmpdir(), 'platefs-interop-tiff-'));
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** The value of a pixel: different in every plane, small enough for every dtype. */
const pixelValue = (index: number, dtype: Dtype): number =>
  dtype === 'uint8'
    ? index % 251
    : dtype === 'int8'
      ? (index % 251) - 125
      : dtype.startsWith('u')
        ? index * 3
        : index * 3 - 700;

/** Reads the virtual file piece by piece and saves it. */
function materialize(encoder: ImageEncoder, image: ImageInfo): string {
  const [, channels, slices, height, width] = image.shape;
  const layout = encoder.layout(image);
  const files = new SourceFiles();
  const reader = new LayoutReader({
    layout,
    files,
    planes: new ByteCache(1 << 20),
    cacheKey: image.name,
    pixels: {
      readPixels(region, target) {
        const [t = 0, c = 0, z = 0] = region.start;
        const plane = allocate(image.dtype, [height, width]);
        const first = ((t * channels + c) * slices + z) * height * width;
        for (let i = 0; i < height * width; i++) plane.data[i] = pixelValue(first + i, image.dtype);
        target.set(bytesOf(plane));
      },
    },
  });
  const bytes = new Uint8Array(layout.sizeBytes);
  for (let at = 0; at < bytes.length; )
    at += reader.read(at, bytes.subarray(at, Math.min(at + 5000, bytes.length)));
  files[Symbol.dispose]();
  const path = join(folder, `${image.dtype}-${image.shape.join('x')}${encoder.extension}`);
  writeFileSync(path, bytes);
  return path;
}

const CHANNELS = [{ name: 'DAPI', emissionNm: 461 }, { name: 'GFP <µ>' }, {}];
const imageOf = (shape: ImageInfo['shape'], dtype: Dtype): ImageInfo => ({
  name: 'A01_s001 "x" & <y>',
  shape,
  dtype,
  pixelSizeUm: { x: 0.65, y: 1.3672 },
  zSpacingUm: 2.5,
  timeIntervalS: 30,
  channels: CHANNELS.slice(0, shape[1]),
});

const SHAPES: ImageInfo['shape'][] = [
  [1, 1, 1, 9, 11],
  [1, 1, 5, 9, 11],
  [1, 3, 1, 9, 11],
  [2, 3, 4, 9, 11],
  [3, 1, 2, 9, 11],
];

const PROBE = `
import json, sys, tifffile, numpy
out = {}
for path in sys.argv[1:]:
    with tifffile.TiffFile(path) as t:
        s = t.series[0]
        a = s.asarray()
        page = t.pages[0]
        x, y = page.tags['XResolution'].value, page.tags['YResolution'].value
        ij = t.imagej_metadata or {}
        labels = ij.get('Labels')
        out[path] = dict(axes=s.axes, shape=list(s.shape), dtype=str(s.dtype), pages=len(t.pages), imagej=bool(t.is_imagej),
            ome=t.ome_metadata, x=x[1]/x[0], y=y[1]/y[0], spacing=ij.get('spacing'), finterval=ij.get('finterval'), unit=ij.get('unit'),
            labels=[labels] if isinstance(labels, str) else labels, values=a.astype('float64').ravel().tolist(),
            every=bool(all(numpy.array_equal(p.asarray(), q) for p, q in zip(t.pages, a.reshape((-1,) + a.shape[-2:])))),
            offset=page.dataoffsets[0])
    m = tifffile.memmap(path, mode='r')
    out[path]['mapped'] = bool(numpy.array_equal(m, a))
print(json.dumps(out))
`;

interface Seen {
  readonly axes: string;
  readonly shape: number[];
  readonly dtype: string;
  readonly pages: number;
  readonly imagej: boolean;
  readonly ome: string | null;
  readonly x: number;
  readonly y: number;
  readonly spacing: number | null;
  readonly finterval: number | null;
  readonly unit: string | null;
  readonly labels: string[] | null;
  readonly values: number[];
  readonly every: boolean;
  readonly offset: number;
  readonly mapped: boolean;
}

/** Values in the order of the file: t, z, c, y, x. */
function expectedValues(image: ImageInfo): number[] {
  const [times, channels, slices, height, width] = image.shape;
  const values: number[] = [];
  for (let t = 0; t < times; t++)
    for (let z = 0; z < slices; z++)
      for (let c = 0; c < channels; c++)
        for (let i = 0; i < height * width; i++)
          values.push(pixelValue(((t * channels + c) * slices + z) * height * width + i, image.dtype));
  return values;
}

describe.skipIf(!hasTifffile)('tifffile reads (needs python3-tifffile)', () => {
  const look = (paths: readonly string[]): Record<string, Seen> =>
    JSON.parse(
      execFileSync(PYTHON, ['-c', PROBE, ...paths], { encoding: 'utf8', maxBuffer: 1 << 28 }),
    ) as Record<string, Seen>;

  it.each([
    ['ImageJ hyperstacks', tiff, ['uint8', 'uint16', 'int16', 'uint32', 'int32', 'float32']],
    ['OME-TIFFs', omeTiff, ['uint8', 'int8', 'uint16', 'int16', 'uint32', 'int32', 'float32']],
  ] as const)('%s: pixels, axes, calibration, names', (_, encoder, dtypes) => {
    const images = [
      ...SHAPES.map((shape) => imageOf(shape, 'uint16')),
      ...dtypes.map((dtype) => imageOf([2, 2, 2, 5, 7], dtype)),
    ];
    const paths = images.map((image) => materialize(encoder, image));
    const seen = look(paths);
    images.forEach((image, index) => {
      const got = seen[paths[index]!]!;
      const [t, c, z, y, x] = image.shape;
      const extents: [string, number][] = [
        ['T', t],
        ['Z', z],
        ['C', c],
        ['Y', y],
        ['X', x],
      ];
      const kept = extents.filter(([axis, extent]) => extent > 1 || 'YX'.includes(axis));
      expect(got.axes).toBe(kept.map(([axis]) => axis).join(''));
      expect(got.shape).toEqual(kept.map(([, extent]) => extent));
      expect(got.dtype).toBe(image.dtype);
      expect(got.pages).toBe(t * c * z);
      expect(got.values).toEqual(expectedValues(image));
      expect([got.every, got.mapped, got.offset % 4096]).toEqual([true, true, 0]);
      if (encoder === tiff) {
        expect([got.x, got.y]).toEqual([0.65, 1.3672]);
        expect(got.imagej).toBe(true);
        expect(got.unit).toBe('micron');
        if (z > 1) expect(got.spacing).toBe(2.5);
        if (t > 1) expect(got.finterval).toBe(30);
        expect(got.labels).toEqual(Array.from({ length: t * c * z }, (_, i) => CHANNELS[i % c]?.name ?? ''));
      } else {
        expect(got.x * 1e4).toBeCloseTo(0.65, 9);
        expect(got.y * 1e4).toBeCloseTo(1.3672, 9);
        expect(got.ome).toContain('Name="A01_s001 &quot;x&quot; &amp; &lt;y&gt;"');
        expect(got.ome).toContain('PhysicalSizeXUnit="µm"');
      }
    });
  });
});

describe.skipIf(!hasTifffile)('tifffile reads more than 4 GiB (needs python3-tifffile)', () => {
  it('an OME-TIFF as BigTIFF: axes, first and last pixel', () => {
    const image = imageOf([5, 2, 64, 2048, 2048], 'uint16');
    const layout = omeTiff.layout(image);
    const path = join(folder, 'large.ome.tif');
    const fd = openSync(path, 'w');
    try {
      ftruncateSync(fd, layout.sizeBytes);
      const pixels = layout.segments(0, 1 << 20).find((segment) => segment.kind === 'pixels');
      const start = pixels?.offsetBytes ?? 0;
      for (const segment of layout.segments(0, start)) {
        if (segment.kind === 'bytes')
          writeSync(fd, segment.bytes, 0, segment.bytes.length, segment.offsetBytes);
      }
      writeSync(fd, Uint8Array.of(7, 1), 0, 2, start);
      writeSync(fd, Uint8Array.of(9, 2), 0, 2, layout.sizeBytes - 2);
    } finally {
      closeSync(fd);
    }
    const probe = `import sys, tifffile
with tifffile.TiffFile(sys.argv[1]) as t:
    s = t.series[0]
    print(t.is_bigtiff, s.axes, s.shape, s.dtype, len(t.pages), t.pages[0].resolution)
m = tifffile.memmap(sys.argv[1], mode='r')
print(m.ravel()[0], m.ravel()[-1])`;
    const text = execFileSync(PYTHON, ['-c', probe, path], { encoding: 'utf8' });
    rmSync(path);
    expect(text).toMatch(
      /^True TZCYX \(5, 64, 2, 2048, 2048\) uint16 640 \(15384\.6\d*, 7314\.2\d*\)\n263 521\n$/,
    );
  });
});

describe.skipIf(!hasProgram('tiffinfo'))('libtiff reads (needs libtiff-tools)', () => {
  it.each([tiff, omeTiff])('every directory of $id without complaint', (encoder) => {
    const path = materialize(encoder, imageOf([2, 3, 4, 9, 11], 'uint16'));
    const { stdout, stderr, status } = spawnSync('tiffinfo', ['-D', path], { encoding: 'utf8' });
    expect(status).toBe(0);
    expect(stdout.match(/=== TIFF directory/g)).toHaveLength(24);
    expect(
      stderr.split('\n').filter((line) => line !== '' && !line.includes('Unknown field with tag 5083')),
    ).toEqual([]);
  });
});

describe.skipIf(!hasProgram('imagej') || !hasProgram('xvfb-run'))(
  'ImageJ opens (needs imagej and xvfb)',
  () => {
    const macro = `
open(getArgument());
getDimensions(w, h, c, z, t); getVoxelSize(vw, vh, vd, unit);
print("SIZE", w, h, c, z, t, vw, vh, vd, unit, Stack.getFrameInterval());
for (i = 1; i <= nSlices; i++) {
  setSlice(i); s = 0;
  for (y = 0; y < h; y++) for (x = 0; x < w; x++) s += calibrate(getPixel(x, y)) * (1 + x + y * w);
  print("PLANE", i, d2s(s, 0), getInfo("slice.label"));
}
`;
    it.each([
      ['uint8', [2, 3, 4, 5, 7]],
      ['uint16', [2, 3, 4, 5, 7]],
      ['int16', [1, 2, 2, 5, 7]],
      ['float32', [1, 1, 3, 5, 7]],
      ['uint16', [1, 1, 1, 5, 7]],
    ] as [Dtype, ImageInfo['shape']][])(
      'a hyperstack of %s %s: axes, calibration, labels, every pixel',
      (dtype, shape) => {
        const image = imageOf(shape, dtype);
        const path = materialize(tiff, image);
        const script = join(folder, 'look.ijm');
        writeFileSync(script, macro);
        // Its exit status says nothing: the macro's output is what counts.
        const { stdout: text } = spawnSync('xvfb-run', ['-a', 'imagej', '-b', script, path], {
          encoding: 'utf8',
          timeout: 200_000,
        });
        const [t, c, z, height, width] = shape;
        const size = text.split('\n').find((line) => line.startsWith('SIZE')) ?? text;
        const [, w, h, gotC, gotZ, gotT, vw, vh, vd, unit] = size.split(' ');
        expect([w, h, gotC, gotZ, gotT].map(Number)).toEqual([width, height, c, z, t]);
        expect([vw, vh].map(Number)).toEqual([0.65, 1.3672]);
        if (z > 1) expect(Number(vd)).toBe(2.5);
        expect(unit).toMatch(/^(microns?|µm)$/);
        const values = expectedValues(image);
        for (let plane = 0; plane < t * c * z; plane++) {
          let sum = 0;
          for (let i = 0; i < height * width; i++) sum += values[plane * height * width + i]! * (1 + i);
          const label = CHANNELS[plane % c]?.name ?? '';
          const line = text.split('\n').find((row) => row.startsWith(`PLANE ${plane + 1} `));
          expect(line?.trimEnd()).toBe(`PLANE ${plane + 1} ${sum} ${label}`.trimEnd());
        }
      },
    );
  },
);
