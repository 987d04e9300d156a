import { spawnSync } from 'node:child_process';
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
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { allocate, bytesOf, type Dtype, itemSizeBytes, type TypedArray } from '../../../src/core/nd-array.ts';
import baselineTiff from '../../../src/encoders/baseline-tiff.ts';
import imagejTiff from '../../../src/encoders/imagej-tiff.ts';
import omeTiff from '../../../src/encoders/ome-tiff.ts';
import png from '../../../src/encoders/png.ts';
import tiff from '../../../src/encoders/tiff.ts';
import type { ImageEncoder } from '../../../src/encoders.ts';
import type { ImageInfo } from '../../../src/model/image.ts';
import { cutRegion, VirtualFile } from '../../conformance/virtual-file.ts';

const PYTHON = '/usr/bin/python3';
const hasPython =
  existsSync(PYTHON) &&
  spawnSync(PYTHON, ['-c', 'import tifffile, skimage, PIL'], { stdio: 'ignore' }).status === 0;
const has = (program: string): boolean => spawnSync('which', [program], { stdio: 'ignore' }).status === 0;
const folder = mkdtempSync(join(tmpdir(), 'platefs-interop-readers-'));
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

const SHAPES: readonly ImageInfo['shape'][] = [
  [1, 1, 1, 5, 7],
  [1, 1, 3, 5, 7],
  [1, 2, 1, 5, 7],
  [3, 1, 1, 5, 7],
  [2, 2, 3, 5, 7],
];
const COMMON: readonly Dtype[] = [
  'uint8',
  'int8',
  'uint16',
  'int16',
  'uint32',
  'int32',
  'float16',
  'float32',
];
const NAMES = ['DAPI', 'GFP'];

type Reader = 'tifffile' | 'memmap' | 'scikit-image' | 'Pillow' | 'vips' | 'libtiff' | 'ImageMagick';

interface Rendered {
  readonly path: string;
  readonly image: ImageInfo;
  readonly encoder: ImageEncoder;
  /** Pixel type of the file. */
  readonly dtype: Dtype;
  /** All pixels, as the file orders them: t, z, c, y, x. */
  readonly values: TypedArray;
}

/** Small whole numbers that every type holds, different from plane to plane. */
const valueAt = (index: number, dtype: Dtype): number =>
  dtype === 'uint8' ? (index * 5) % 251 : dtype.startsWith('u') ? index * 3 : (index % 256) - 128;

function render(
  encoder: ImageEncoder,
  dtype: Dtype,
  shape: ImageInfo['shape'],
  more: Partial<ImageInfo> = {},
): Rendered {
  const image: ImageInfo = {
    name: 'A01_s001',
    shape,
    dtype,
    channels: NAMES.slice(0, shape[1]).map((name) => ({ name, color: name === 'GFP' ? '00FF00' : '0000FF' })),
    pixelSizeUm: { x: 0.65, y: 0.5 },
    zSpacingUm: 2.5,
    timeIntervalS: 30,
    acquiredAtMs: Date.UTC(2026, 1, 3, 4, 5, 6),
    ...more,
  };
  const stored = allocate(dtype, shape);
  for (let i = 0; i < stored.data.length; i += 1) stored.data[i] = valueAt(i, dtype);
  const layout = encoder.layout(image, (t) => ({ elapsedS: t * 30, xUm: 1.5 }));
  using file = new VirtualFile(layout, (region, target) =>
    cutRegion(bytesOf(stored), shape, itemSizeBytes(dtype), region, target),
  );
  const path = join(folder, `${encoder.id}-${dtype}-${shape.join('x')}${encoder.extension}`);
  writeFileSync(path, file.whole());
  const shown = layout.shownDtype ?? dtype;
  const [ts, cs, zs, h, w] = shape;
  const { data: values } = allocate(shown, [ts * zs * cs * h * w]);
  let to = 0;
  for (let t = 0; t < ts; t += 1)
    for (let z = 0; z < zs; z += 1)
      for (let c = 0; c < cs; c += 1)
        for (let i = 0; i < h * w; i += 1, to += 1)
          values[to] = Number(stored.data[((t * cs + c) * zs + z) * h * w + i]);
  return { path, image, encoder, dtype: shown, values };
}

/** Which readers open such a file exactly; the others are told of in src/encoders/README.md. */
function readersOf({ encoder, dtype }: Rendered): Reader[] {
  const readers: Reader[] = ['tifffile', 'memmap', 'scikit-image'];
  if (encoder === imagejTiff) return readers;
  if (has('tiffcp')) readers.push('libtiff');
  if (has('vips') && dtype !== 'float64') readers.push('vips');
  if (dtype !== 'int8' && dtype !== 'float64') readers.push('Pillow');
  if (has('convert-im6.q16') && (dtype === 'uint8' || dtype === 'uint16')) readers.push('ImageMagick');
  return readers;
}

function complaints(files: readonly (Rendered & { readonly readers?: readonly Reader[] })[]): string[] {
  const list = files.map((file) => {
    const truth = `${file.path}.truth`;
    writeFileSync(truth, bytesOf({ dtype: file.dtype, shape: [], data: file.values }));
    return { path: file.path, truth, dtype: file.dtype, readers: file.readers ?? readersOf(file) };
  });
  const { stdout, stderr } = spawnSync(PYTHON, [join(import.meta.dirname, 'read-files.py')], {
    input: JSON.stringify(list),
    encoding: 'utf8',
    timeout: 200_000,
  });
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout) as string[];
}

const everyFile = (): Rendered[] => [
  ...[tiff, imagejTiff, baselineTiff, omeTiff].flatMap((encoder) =>
    COMMON.flatMap((dtype) =>
      (dtype === 'uint16' ? SHAPES : SHAPES.slice(-1)).map((shape) => render(encoder, dtype, shape)),
    ),
  ),
  render(omeTiff, 'float64', [2, 2, 3, 5, 7]),
];

describe.skipIf(!hasPython)(
  'every pixel of every type and axes (needs python3-tifffile, -skimage, -pil)',
  () => {
    it('is read by tifffile, scikit-image, Pillow, libtiff, vips and ImageMagick', () => {
      expect(complaints(everyFile())).toEqual([]);
    });

    it('of a float64 image shown as float32 is read by all', () => {
      const rounded = (encoder: ImageEncoder): Rendered =>
        render(encoder, 'float64', [1, 2, 3, 5, 7], { float64As: 'float32' });
      const files = [tiff, omeTiff].map(rounded);
      expect(files.map(({ dtype }) => dtype)).toEqual(['float32', 'float32']);
      expect(complaints(files)).toEqual([]);
    });

    it('of a preview is read by Pillow, scikit-image, vips and ImageMagick', () => {
      const image = render(png, 'uint8', [1, 1, 1, 5, 7]);
      const values = Array.from(image.values, Number);
      const [least, greatest] = [Math.min(...values), Math.max(...values)];
      const shades = Uint8Array.from(values, (value) =>
        Math.round((255 * (value - least)) / (greatest - least)),
      );
      const readers: Reader[] = ['Pillow', 'scikit-image'];
      if (has('vips')) readers.push('vips');
      if (has('convert-im6.q16')) readers.push('ImageMagick');
      expect(complaints([{ ...image, values: shades, readers }])).toEqual([]);
    });
  },
);

/** A file of more than 4 GiB, all zeros but for the last pixel of the last plane. */
function renderLarge(): string {
  const shape: ImageInfo['shape'] = [5, 2, 55, 2048, 2048];
  const layout = imagejTiff.layout({ name: 'large', shape, dtype: 'uint16', channels: [] });
  const path = join(folder, 'large.ij.tif');
  const fd = openSync(path, 'w');
  try {
    ftruncateSync(fd, layout.sizeBytes);
    const [front] = layout.segments(0, 1);
    if (front?.kind === 'bytes') writeSync(fd, front.bytes, 0, front.bytes.length, 0);
    writeSync(fd, Uint8Array.of(57, 48), 0, 2, layout.sizeBytes - 2);
  } finally {
    closeSync(fd);
  }
  return path;
}

describe.skipIf(!hasPython || !has('imagej') || !has('xvfb-run'))(
  'a stack over 4 GiB in one directory',
  () => {
    it('is read to its last pixel by tifffile and ImageJ', () => {
      const path = renderLarge();
      try {
        const python = `import sys, tifffile
m = tifffile.memmap(sys.argv[1], mode='r')
print(m.shape, m.dtype, m.ravel()[-1])`;
        const seen = spawnSync(PYTHON, ['-c', python, path], { encoding: 'utf8' });
        expect(seen.stdout).toBe('(5, 55, 2, 2048, 2048) uint16 12345\n');
        const macro = join(folder, 'large.ijm');
        writeFileSync(
          macro,
          `run("TIFF Virtual Stack...", "open=[" + getArgument() + "]");
getDimensions(w, h, c, z, t); setSlice(nSlices);
print("LAST", w, h, c, z, t, getPixel(w - 1, h - 1));`,
        );
        const { stdout } = spawnSync('xvfb-run', ['-a', 'imagej', '-b', macro, path], {
          encoding: 'utf8',
          timeout: 200_000,
        });
        expect(stdout).toContain('LAST 2048 2048 2 55 5 12345');
      } finally {
        rmSync(path);
      }
    });
  },
);

describe.skipIf(!has('imagej') || !has('xvfb-run'))('ImageJ (needs imagej and xvfb)', () => {
  const files = [tiff, imagejTiff, baselineTiff].flatMap((encoder) => [
    ...COMMON.map((dtype) => render(encoder, dtype, [2, 2, 3, 5, 7])),
    ...SHAPES.map((shape) => render(encoder, 'uint16', shape)),
  ]);
  let lines: string[] = [];

  beforeAll(() => {
    const list = join(folder, 'list.txt');
    writeFileSync(list, files.map(({ path }) => path).join('\n'));
    // Its exit status says nothing: the macro's output is what counts.
    const { stdout } = spawnSync(
      'xvfb-run',
      ['-a', 'imagej', '-b', join(import.meta.dirname, 'read-stacks.ijm'), list],
      { encoding: 'utf8', timeout: 200_000 },
    );
    lines = stdout.split('\n').map((line) => line.trimEnd());
  });

  it('gets to the end of the list', () => {
    expect(lines).toContain('DONE');
  });

  it.each(files.map((file, index) => [basename(file.path), file, index] as const))(
    'opens %s whole and as a virtual stack',
    (_, { image, encoder, values }, index) => {
      const [t, c, z, h, w] = image.shape;
      const planeSize = h * w;
      for (const virtual of [0, 1]) {
        const size = lines.find((line) => line.startsWith(`SIZE ${index} ${virtual} `))?.split(' ') ?? [];
        expect(size.slice(3, 8).map(Number)).toEqual([w, h, c, z, t]);
        expect(size.slice(8, 10).map(Number)).toEqual([0.65, 0.5]);
        if (z > 1) expect(Number(size[10])).toBe(2.5);
        if (t > 1) expect(Number(size[12])).toBe(30);
        for (let plane = 0; plane < t * c * z; plane += 1) {
          let sum = 0;
          for (let i = 0; i < planeSize; i += 1) sum += Number(values[plane * planeSize + i]) * (1 + i);
          const start = `PLANE ${index} ${virtual} ${plane + 1} `;
          const [seen, ...label] =
            lines
              .find((line) => line.startsWith(start))
              ?.slice(start.length)
              .split(' ') ?? [];
          expect(Number(seen)).toBe(sum);
          if (virtual === 0 && encoder !== baselineTiff) expect(label.join(' ')).toBe(NAMES[plane % c]);
        }
      }
    },
  );
});
