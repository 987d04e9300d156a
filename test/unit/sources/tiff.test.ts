import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { BadTiffError, PlateFsError, UnsupportedTiffError } from '../../../src/core/errors.ts';
import { bytesOf } from '../../../src/core/nd-array.ts';
import { wholeRegion } from '../../../src/core/region.ts';
import { TiffFile } from '../../../src/sources/shared/tiff-file.ts';
import tiff from '../../../src/sources/tiff.ts';
import { sourceConformance } from '../../conformance/sources.ts';
import { itemOf, type PageToWrite, writeTiff } from '../../fixtures/tiff.ts';

const never = new AbortController().signal;
const folder = mkdtempSync(join(tmpdir(), 'platefs-tiff-'));
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});
const DATA = resolve(import.meta.dirname, '../../../../shared/data');

const DTYPES: Record<string, string> = {
  '1-8': 'uint8',
  '1-16': 'uint16',
  '1-32': 'uint32',
  '1-64': 'uint64',
  '2-8': 'int8',
  '2-16': 'int16',
  '2-32': 'int32',
  '2-64': 'int64',
  '3-16': 'float16',
  '3-32': 'float32',
  '3-64': 'float64',
};

/** Any page the reader must decode, with smooth and noisy pixels. */
const anyPage: fc.Arbitrary<PageToWrite> = fc
  .record({
    width: fc.integer({ min: 1, max: 50 }),
    height: fc.integer({ min: 1, max: 40 }),
    kind: fc.constantFrom(
      ...Object.keys(DTYPES).map((key) => key.split('-').map(Number)),
      [1, 1],
      [1, 2],
      [1, 4],
      [1, 6],
      [1, 10],
      [1, 12],
      [1, 14],
    ),
    samples: fc.integer({ min: 1, max: 4 }),
    planar: fc.boolean(),
    compression: fc.constantFrom(1, 5, 8, 32773, 32946, 50000),
    predictor: fc.constantFrom(1, 2, 3),
    fillOrder: fc.constantFrom(1, 1, 2),
    rowsPerStrip: fc.integer({ min: 1, max: 50 }),
    tile: fc.option(fc.tuple(fc.constantFrom(16, 32), fc.constantFrom(16, 48))),
    seed: fc.nat(),
  })
  .map(({ kind, tile, seed, predictor, compression, ...rest }) => {
    const [format, bits] = kind as [number, number];
    const whole = [8, 16, 32, 64].includes(bits);
    const count = rest.width * rest.height * rest.samples * itemOf(bits);
    const pixels = new Uint8Array(count);
    let state = seed;
    for (let i = 0; i < count; i++) {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      pixels[i] = seed % 3 === 0 ? state >>> 24 : (i >> 4) + (state % 7 === 0 ? 1 : 0);
    }
    if (!whole) {
      const item = itemOf(bits);
      for (let i = item - 1; i < count; i += item) pixels[i]! &= (1 << (bits - 8 * (item - 1))) - 1;
    }
    const allowed = whole && [5, 8, 32946, 50000].includes(compression);
    return {
      ...rest,
      bits,
      format,
      pixels,
      compression,
      predictor: !allowed || (predictor === 3 && format !== 3) ? 1 : predictor,
      ...(tile === null ? {} : { tile }),
    };
  });

let serial = 0;
function save(bytes: Uint8Array): string {
  const path = join(folder, `${serial++}.tif`);
  writeFileSync(path, bytes);
  return path;
}

const ramp = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => (i * 7) & 255);

sourceConformance(tiff, (into) => {
  const sample = (
    name: string,
    page: Omit<PageToWrite, 'pixels'>,
    count: number,
    axes: string,
    shape: number[],
    file = {},
  ) => {
    const item = itemOf(page.bits);
    const planeBytes = page.width * page.height * (page.samples ?? 1) * item;
    const bytes = ramp(planeBytes * count);
    const pages = Array.from({ length: count }, (_, i) => ({
      ...page,
      pixels: bytes.subarray(i * planeBytes, (i + 1) * planeBytes),
    }));
    const path = join(into, `${name}.tif`);
    writeFileSync(path, writeTiff({ ...file, pages }));
    return {
      path,
      bytes,
      info: { axes, shape, dtype: DTYPES[`${page.format ?? 1}-${page.bits}`] as 'uint16' },
    };
  };
  const base = { width: 21, height: 13, bits: 16 };
  const imagej = 'ImageJ=1.53t\nimages=6\nchannels=3\nframes=2\nhyperstack=true\n';
  return [
    sample('plain', base, 1, 'yx', [13, 21]),
    sample('strips', { ...base, rowsPerStrip: 4 }, 1, 'yx', [13, 21]),
    sample('lzw-tiles', { ...base, compression: 5, predictor: 2, tile: [16, 16] }, 1, 'yx', [13, 21]),
    sample('big-endian', { ...base, compression: 5, predictor: 2 }, 1, 'yx', [13, 21], { bigEndian: true }),
    sample('rgb', { ...base, bits: 8, samples: 3, rowsPerStrip: 5 }, 1, 'yxs', [13, 21, 3]),
    sample('planar', { ...base, samples: 3, planar: true }, 1, 'syx', [3, 13, 21]),
    sample('pages', { ...base, compression: 8 }, 5, 'zyx', [5, 13, 21], { big: true }),
    sample('imagej', { ...base, description: imagej }, 6, 'tcyx', [2, 3, 13, 21]),
    sample('float', { ...base, bits: 32, format: 3, compression: 8, predictor: 3 }, 1, 'yx', [13, 21]),
  ];
});

describe('TIFF decoding', () => {
  it('gives back what was written, for every layout, codec, predictor and byte order', () => {
    fc.assert(
      fc.property(anyPage, fc.boolean(), fc.boolean(), (page, bigEndian, big) => {
        const path = save(writeTiff({ pages: [page], bigEndian, big }));
        const { bytes } = tiff.readPlaneSync!(path, 0);
        rmSync(path);
        expect(Buffer.compare(bytes, page.pixels)).toBe(0);
      }),
      { numRuns: 400 },
    );
  });

  it('survives damage: right pixels or an error that names the file', () => {
    fc.assert(
      fc.property(
        anyPage,
        fc.boolean(),
        fc.boolean(),
        fc.array(
          fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.constantFrom(0, 1, 2, 127, 128, 255)),
          { maxLength: 4 },
        ),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (page, bigEndian, big, changes, cut) => {
          const whole = writeTiff({ pages: [page, page], bigEndian, big });
          const from = whole.length;
          const damaged = Buffer.from(cut < 0.5 ? whole.subarray(0, Math.floor(cut * 2 * from)) : whole);
          for (const [at, value] of changes)
            if (damaged.length) damaged[Math.floor(at * (damaged.length - 1))] = value;
          const path = save(damaged);
          try {
            using file = new TiffFile(path);
            const count = Math.min(file.pageCount(), 4);
            for (let index = 0; index < count; index++) {
              const { bytes, info } = tiff.readPlaneSync!(path, index);
              expect(info.shape.every((extent) => extent > 0)).toBe(true);
              if (changes.length === 0) expect(Buffer.compare(bytes, page.pixels)).toBe(0);
            }
          } catch (error) {
            if (!(error instanceof PlateFsError)) throw error;
            expect(error.message).toContain(path);
          } finally {
            rmSync(path);
          }
        },
      ),
      { numRuns: 600 },
    );
  });

  const page: PageToWrite = { width: 8, height: 6, bits: 16, pixels: ramp(96), rowsPerStrip: 2 };
  const changed = (tag: number, values: number[], from: PageToWrite = page): string => {
    const bytes = writeTiff({ pages: [from] });
    const directory = bytes.readUInt32LE(4);
    for (let entry = 0; entry < bytes.readUInt16LE(directory); entry++) {
      const at = directory + 2 + entry * 12;
      if (bytes.readUInt16LE(at) !== tag) continue;
      if (values.length === 2) bytes.writeUInt32LE(values[1]!, at + 4);
      bytes.writeUInt32LE(values[0]!, at + 8);
    }
    return save(bytes);
  };

  it.each([
    ['a compression it lacks', () => changed(259, [34712]), /tag 259 has value 34712 \(jpeg2000\)/],
    ['an unknown compression', () => changed(259, [4711]), /tag 259 has value 4711/],
    ['an unknown predictor', () => changed(317, [9], { ...page, compression: 8 }), /tag 317 has value 9/],
    ['complex samples', () => changed(339, [6]), /tag 339 has value 6: complex numbers/],
    ['40-bit samples', () => changed(258, [40]), /tag 258 has value 40/],
    ['an odd planar configuration', () => changed(284, [5]), /tag 284 has value 5/],
  ])('refuses %s, naming tag and value', (_, make, message) => {
    const path = make();
    expect(() => tiff.readPlaneSync!(path, 0)).toThrow(UnsupportedTiffError);
    expect(() => tiff.readPlaneSync!(path, 0)).toThrow(message);
  });

  it.each([
    ['no rows', () => changed(257, [0])],
    ['an absurd size', () => changed(256, [0x7fffffff])],
    ['an absurd compressed size', () => changed(257, [0x7fffffff], { ...page, compression: 8 })],
    ['no strips', () => changed(273, [0, 0])],
    ['too few strips', () => changed(273, [8, 1])],
    ['more offsets than the file has bytes', () => changed(273, [8, 0x40000000])],
    ['rows per strip of zero', () => changed(278, [0])],
    ['strips longer than the file', () => changed(279, [0xfffffff0, 1], { ...page, rowsPerStrip: 6 })],
    ['strips too short for their rows', () => changed(279, [20, 1], { ...page, rowsPerStrip: 6 })],
    ['a strip of no bytes', () => changed(279, [0, 1], { ...page, rowsPerStrip: 6 })],
  ])('calls %s a bad TIFF', (_, make) => {
    const path = make();
    expect(() => tiff.readPlaneSync!(path, 0)).toThrow(BadTiffError);
    expect(() => tiff.readPlaneSync!(path, 0)).toThrow(path);
  });

  it.each([
    [false, 0x030201],
    [true, 0x010203],
  ])('takes 24-bit samples in the order of the file (big-endian: %s)', (bigEndian, value) => {
    // The writer packs bits from the left, whatever the order: here 1, 2, 3.
    const pixels = Uint8Array.of(3, 2, 1, 0, 6, 5, 4, 0);
    const path = save(writeTiff({ pages: [{ width: 2, height: 1, bits: 24, pixels }], bigEndian }));
    const { bytes, info } = tiff.readPlaneSync!(path, 0);
    expect(info.dtype).toBe('uint32');
    expect(Buffer.from(bytes).readUInt32LE(0)).toBe(value);
    expect(Buffer.from(bytes).readUInt32LE(4)).toBe(value + 0x030303);
  });

  it('finds a circle in the chain of directories', async () => {
    const bytes = writeTiff({ pages: [page, page] });
    const first = bytes.readUInt32LE(4);
    const second = bytes.readUInt32LE(first + 2 + bytes.readUInt16LE(first) * 12);
    bytes.writeUInt32LE(first, second + 2 + bytes.readUInt16LE(second) * 12);
    const path = save(bytes);
    await expect(tiff.openArray(path, never)).rejects.toThrow(/circle/);
  });

  it('shows the directories below a page', () => {
    const path = save(writeTiff({ pages: [page] }));
    using plain = new TiffFile(path);
    const offset = plain.page(0).ifdOffset;
    const nested = save(
      writeTiff({ pages: [{ ...page, extra: [{ tag: 330, type: 13, values: [offset, offset] }] }] }),
    );
    using file = new TiffFile(nested);
    expect(file.page(0).subIfdOffsets()).toEqual([offset, offset]);
  });
});

describe('TIFF description', () => {
  const page: PageToWrite = { width: 3, height: 2, bits: 8, pixels: ramp(6) };

  it('is UTF-8, or Latin-1 where it is not', () => {
    const utf8 = save(writeTiff({ pages: [{ ...page, description: '0.65 µm' }] }));
    expect(tiff.probeSync!(utf8).description).toBe('0.65 µm');
    const bytes = [...Buffer.from('0.65 \xb5m\0', 'latin1')];
    const latin = save(writeTiff({ pages: [{ ...page, extra: [{ tag: 270, type: 2, values: bytes }] }] }));
    expect(tiff.probeSync!(latin).description).toBe('0.65 µm');
    expect(tiff.probeSync!(save(writeTiff({ pages: [page] }))).description).toBeUndefined();
  });
});

describe('TIFF axes', () => {
  const page: PageToWrite = { width: 3, height: 2, bits: 8, pixels: ramp(6) };
  const open = async (description: string, count: number) => {
    const pages = Array.from({ length: count }, (_, i) => ({
      ...page,
      pixels: page.pixels.map((value) => value + i),
      ...(i === 0 ? { description } : {}),
    }));
    return tiff.openArray(save(writeTiff({ pages })), never);
  };
  const ome = (pixels: string, data: string) =>
    `<OME><Image><Pixels ID="Pixels:0" ${pixels}>${data}</Pixels></Image></OME>`;

  it('believes an ImageJ text only when it agrees with the number of pages', async () => {
    await using right = await open('ImageJ=1.53t\nimages=6\nslices=3\nframes=2\n', 6);
    expect(right.info).toMatchObject({ axes: 'tzyx', shape: [2, 3, 2, 3] });
    await using wrong = await open('ImageJ=1.53t\nimages=6\nslices=3\nframes=3\n', 6);
    expect(wrong.info).toMatchObject({ axes: 'zyx', shape: [6, 2, 3] });
  });

  it('orders pages as OME-XML says', async () => {
    const size = 'DimensionOrder="XYZCT" SizeX="3" SizeY="2" SizeZ="2" SizeC="2" SizeT="1"';
    await using plain = await open(ome(size, '<TiffData/>'), 4);
    expect(plain.info).toMatchObject({ axes: 'czyx', shape: [2, 2, 2, 3] });
    const backwards = [3, 2, 1, 0]
      .map((ifd, i) => `<TiffData IFD="${ifd}" FirstZ="${i % 2}" FirstC="${i >> 1}" PlaneCount="1"/>`)
      .join('');
    await using moved = await open(ome(size, backwards), 4);
    const array = await moved.read(wholeRegion(moved.info.shape), never);
    expect([0, 6, 12, 18].map((at) => bytesOf(array)[at])).toEqual([3, 2, 1, 0]);
    await using wrong = await open(ome(size.replace('SizeZ="2"', 'SizeZ="7"'), ''), 4);
    expect(wrong.info.axes).toBe('zyx');
  });

  it('reads an ImageJ stack that has a single directory', async () => {
    const bytes = ramp(6 * 4);
    const file = writeTiff({
      pages: [{ ...page, description: 'ImageJ=1.53t\nimages=4\nslices=4\n', pixels: bytes.subarray(0, 6) }],
    });
    const directory = file.readUInt32LE(4);
    const path = save(Buffer.concat([file, bytes]));
    const patched = readFileSync(path);
    for (let entry = 0; entry < patched.readUInt16LE(directory); entry++) {
      const at = directory + 2 + entry * 12;
      if (patched.readUInt16LE(at) === 273) patched.writeUInt32LE(file.length, at + 8);
    }
    writeFileSync(path, patched);
    await using source = await tiff.openArray(path, never);
    expect(source.info).toMatchObject({ axes: 'zyx', shape: [4, 2, 3] });
    const array = await source.read({ start: [1, 0, 1], shape: [3, 2, 2] }, never);
    expect([...bytesOf(array)]).toEqual([1, 2, 3].flatMap((z) => [1, 2, 4, 5].map((i) => bytes[z * 6 + i])));
  });

  it('refuses pages that are no array', async () => {
    const path = save(writeTiff({ pages: [page, { ...page, width: 2, pixels: ramp(4) }] }));
    await expect(tiff.openArray(path, never)).rejects.toThrow(UnsupportedTiffError);
  });
});

interface TruthPage {
  readonly page: number;
  readonly sha256_pixels?: string;
}
interface Truth {
  readonly plate_root?: string;
  readonly files?: readonly { readonly file: string; readonly pages?: readonly TruthPage[] }[];
  readonly planes?: readonly { readonly source: string; readonly sha256_pixels: string }[];
}

/** Files of the zoo that are refused, and why. */
const REFUSED: Record<string, RegExp> = {
  'imagers-logluv-3c-16b.tiff': /tag 259 has value 34676/,
};

describe.skipIf(!existsSync(DATA))('real TIFFs (needs ../shared/data)', () => {
  it.each([
    'tiff-zoo',
    'ome-tiff',
    'ndtiff',
    'operetta-v5',
    'ix-exported-3434',
    'ix-raw-1334',
    'ix-raw-1697',
    'ix-nested-synth',
  ])('%s: every page equals its truth or is refused by name', (set) => {
    const truth = JSON.parse(readFileSync(join(DATA, `${set}.truth.json`), 'utf8')) as Truth;
    let exact = 0;
    const files =
      truth.files?.map((f) => ({ path: join(DATA, set, f.file), file: f.file, pages: f.pages ?? [] })) ??
      truth.planes!.map((p) => ({
        path: join(DATA, set, truth.plate_root ?? '.', p.source),
        file: p.source,
        pages: [{ page: 0, sha256_pixels: p.sha256_pixels }],
      }));
    for (const { path, file, pages } of files) {
      for (const { page, sha256_pixels } of pages) {
        const refusal = REFUSED[file];
        if (refusal !== undefined) {
          expect(() => tiff.readPlaneSync!(path, page), file).toThrow(UnsupportedTiffError);
          expect(() => tiff.readPlaneSync!(path, page), file).toThrow(refusal);
          expect(tiff.probeSync!(path, page).compression, file).not.toBe('none');
          continue;
        }
        const { bytes } = tiff.readPlaneSync!(path, page);
        expect(createHash('sha256').update(bytes).digest('hex'), `${file} page ${page}`).toBe(sha256_pixels);
        exact++;
      }
    }
    expect(exact).toBeGreaterThan(0);
  });

  it('describes an ImageXpress plane in one look', () => {
    const path = join(DATA, 'ix-exported-3434/TimePoint_1/ZStep_1/9987_B02_s1_w1.TIF');
    const probe = tiff.probeSync!(path);
    expect(probe).toMatchObject({
      width: 256,
      height: 256,
      samples: 1,
      compression: 'none',
      byteOrder: 'little',
    });
    expect(probe.window).toEqual({ path, offsetBytes: 8, sizeBytes: 131072 });
    expect(probe.description).toContain('spatial-calibration-x');
  });
});
