import { inflateSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { allocate, bytesOf, type Dtype, type NdArray, type TypedArray } from '../../../src/core/nd-array.ts';
import png from '../../../src/encoders/png.ts';
import type { ImageInfo } from '../../../src/model/image.ts';
import { imageOf } from '../../conformance/encoders.ts';
import {
  cutRegion,
  expectGapless,
  expectRangesEqualSlices,
  VirtualFile,
} from '../../conformance/virtual-file.ts';

const fillOf =
  (image: ImageInfo, pixels: NdArray): Parameters<typeof expectRangesEqualSlices>[1] =>
  (region, target) =>
    cutRegion(bytesOf(pixels), image.shape, pixels.data.BYTES_PER_ELEMENT, region, target);

/** Chunks of a PNG by their types. */
function chunksOf(file: Uint8Array): Map<string, Buffer> {
  const view = Buffer.from(file);
  const chunks = new Map<string, Buffer>();
  for (let at = 8; at < view.length; ) {
    const size = view.readUInt32BE(at);
    chunks.set(view.toString('latin1', at + 4, at + 8), view.subarray(at + 8, at + 8 + size));
    at += 12 + size;
  }
  return chunks;
}

function preview(
  image: ImageInfo,
  pixels: NdArray,
): { width: number; height: number; shades: number[][]; text: string } {
  using file = new VirtualFile(png.layout(image), fillOf(image, pixels));
  const chunks = chunksOf(file.whole());
  const header = chunks.get('IHDR')!;
  const [width, height] = [header.readUInt32BE(0), header.readUInt32BE(4)];
  const raw = inflateSync(chunks.get('IDAT')!);
  expect(raw.length).toBe(height * (width + 1));
  const shades = Array.from({ length: height }, (_, y) => [
    ...raw.subarray(y * (width + 1) + 1, (y + 1) * (width + 1)),
  ]);
  return { width, height, shades, text: chunks.get('iTXt')!.toString('utf8') };
}

function filled(image: ImageInfo, value: (index: number) => number | bigint): NdArray {
  const pixels = allocate(image.dtype, image.shape);
  const data: TypedArray = pixels.data;
  for (let i = 0; i < data.length; i += 1) data[i] = value(i);
  return pixels;
}

const DTYPES: Dtype[] = [
  'uint8',
  'int8',
  'uint16',
  'int16',
  'uint32',
  'int32',
  'uint64',
  'int64',
  'float16',
  'float32',
  'float64',
];

describe('PNG preview', () => {
  it('is gapless, and every range is the slice of the whole', () => {
    for (const shape of [
      [1, 1, 1, 1, 1],
      [2, 2, 3, 20, 31],
      [1, 1, 1, 3, 2000],
      [1, 1, 1, 400, 300],
    ] as const) {
      const image = imageOf(shape, 'uint16', { pixelSizeUm: { x: 0.65, y: 0.65 } });
      const layout = png.layout(image);
      expectGapless(layout, layout.segments(0, layout.sizeBytes));
      expect(layout.segments(layout.sizeBytes, 10)).toEqual([]);
      expectRangesEqualSlices(
        layout,
        fillOf(
          image,
          filled(image, (i) => (i * 7) % 4096),
        ),
      );
    }
  });

  it.each(DTYPES)('shows %s from its least to its greatest value', (dtype) => {
    const image = imageOf([1, 1, 1, 2, 3], dtype);
    const isBig = dtype === 'uint64' || dtype === 'int64';
    const { shades, text } = preview(
      image,
      filled(image, (i) => (isBig ? BigInt(i * 20) : i * 20)),
    );
    expect(shades).toEqual([
      [0, 51, 102],
      [153, 204, 255],
    ]);
    expect(text.replace(/ +/g, ' ')).toContain('0 is 0.00000000 or less, 255 is 100.000000 or more');
  });

  it('takes the first time point and channel, and the slice in the middle', () => {
    const image = imageOf([2, 2, 3, 1, 2], 'uint8');
    // The slice is the two pixels behind the first two.
    expect(
      preview(
        image,
        filled(image, (i) => (i === 3 ? 9 : 0)),
      ).shades,
    ).toEqual([[0, 255]]);
  });

  it('is of at most 1024 pixels a side, each the mean of a square', () => {
    const image = imageOf([1, 1, 1, 3, 2049], 'uint8');
    const { width, height, shades } = preview(
      image,
      filled(image, (i) => (i % 2049 < 3 ? 90 : 0)),
    );
    expect([width, height]).toEqual([683, 1]);
    expect(shades[0]!.slice(0, 3)).toEqual([255, 0, 0]);
  });

  it('reads a large plane in bands of whole rows', () => {
    const image = imageOf([1, 1, 1, 9000, 8192], 'uint8');
    let largestBytes = 0;
    let rows = 0;
    using file = new VirtualFile(png.layout(image), (region, target) => {
      largestBytes = Math.max(largestBytes, target.length);
      expect(region.start[3]).toBe(rows);
      rows += region.shape[3]!;
      target.fill(3);
    });
    file.whole();
    expect(rows).toBe(9000);
    expect(largestBytes).toBeLessThanOrEqual(64 * 1024 * 1024);
  });

  it('refuses a plane over 1 GiB', () => {
    expect(png.layout(imageOf([9, 9, 9, 2 ** 15, 2 ** 14], 'uint16')).sizeBytes).toBeLessThan(2 ** 20);
    expect(() => png.layout(imageOf([1, 1, 1, 2 ** 15, 2 ** 14 + 1], 'uint16'))).toThrow('over 1 GiB');
  });

  it('leaves bright specks out of the contrast', () => {
    const image = imageOf([1, 1, 1, 100, 100], 'uint16');
    const { shades } = preview(
      image,
      filled(image, (i) => (i === 5 ? 65_535 : i % 101)),
    );
    expect(shades[0]!.slice(0, 6)).toEqual([0, 3, 5, 8, 10, 255]);
  });

  it('shows what is not finite as black, and a plane of one value too', () => {
    const odd = imageOf([1, 1, 1, 1, 4], 'float32');
    expect(
      preview(
        odd,
        filled(odd, (i) => [Number.NaN, 2, Number.POSITIVE_INFINITY, 4][i]!),
      ).shades,
    ).toEqual([[0, 0, 0, 255]]);
    const flat = imageOf([1, 1, 1, 1, 3], 'uint16');
    expect(
      preview(
        flat,
        filled(flat, () => 7),
      ).shades,
    ).toEqual([[0, 0, 0]]);
    const nothing = imageOf([1, 1, 1, 1, 2], 'float64');
    expect(
      preview(
        nothing,
        filled(nothing, () => Number.NaN),
      ).shades,
    ).toEqual([[0, 0]]);
  });

  it('refuses what is no plane', () => {
    expect(() => png.layout(imageOf([1, 1, 0, 4, 4], 'uint8'))).toThrow('no preview');
  });
});
