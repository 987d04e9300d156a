import { describe, expect, it } from 'vitest';
import type { Region } from '../../../../src/core/region.ts';
import { ByteCache } from '../../../../src/memory/byte-cache.ts';
import type { ArrayShape } from '../../../../src/model/ngff.ts';
import type { ImageItem, OpenSource } from '../../../../src/sources.ts';
import { LayoutReader } from '../../../../src/tree/layout-reader.ts';
import { ChunkPixels, chunkCacheKey, chunkLayout } from '../../../../src/tree/ngff/chunk-pixels.ts';
import { SourceImageZarr } from '../../../../src/tree/ngff/source-image.ts';
import { SourceFiles } from '../../../../src/tree/source-files.ts';

/** An image of bytes that follow from where they are, of which reads are counted. */
class MadeSource implements Partial<OpenSource> {
  reads = 0;
  readonly #shapes: ReadonlyMap<string, ArrayShape>;

  constructor(shapes: Readonly<Record<string, ArrayShape>>) {
    this.#shapes = new Map(Object.entries(shapes));
  }

  static value(path: string, [t = 0, c = 0, z = 0, y = 0, x = 0]: readonly number[]): number {
    return (path.length * 31 + t * 17 + c * 29 + z * 13 + y * 7 + x * 3 + ((x * y) >> 5)) & 255;
  }

  readRegion(path: string, { start, shape }: Region, target: Uint8Array): void {
    this.reads += 1;
    const extents = this.#shapes.get(path)!;
    const [t = 0, c = 0, z = 0, top = 0, left = 0] = start;
    const [, , , height = 0, width = 0] = shape;
    expect(top + height).toBeLessThanOrEqual(extents[3]);
    expect(left + width).toBeLessThanOrEqual(extents[4]);
    expect(target.length).toBe(height * width);
    for (let y = 0; y < height; y += 1)
      for (let x = 0; x < width; x += 1)
        target[y * width + x] = MadeSource.value(path, [t, c, z, top + y, left + x]);
  }

  window(): undefined {
    return undefined;
  }
}

const itemOf = (shape: ArrayShape, rest: Partial<ImageItem> = {}): ImageItem => ({
  kind: 'image',
  path: 'a',
  image: { name: 'a', shape, dtype: 'uint8', channels: [] },
  chunkShape: [1, 1, 1, 100, 300],
  levels: [],
  ...rest,
});

function open(item: ImageItem, shapes: Readonly<Record<string, ArrayShape>>) {
  const made = new MadeSource(shapes);
  const zarr = new SourceImageZarr(item, '0.4');
  const access = {
    source: made as unknown as OpenSource,
    cache: new ByteCache(1 << 30),
    files: new SourceFiles(4),
    cacheKey: 'k',
  };
  const ordinalOf = (path: string): number =>
    path.split('/').reduce((ordinal, name) => zarr.lookup(ordinal, name) ?? -1, 0);
  const read = (path: string, partBytes = Number.POSITIVE_INFINITY): Uint8Array => {
    const ordinal = ordinalOf(path);
    const sizeBytes = zarr.sizeBytes(ordinal) ?? -1;
    const bytes = new Uint8Array(sizeBytes);
    const reader = zarr.reader(ordinal, access)!;
    expect(reader.layout.sizeBytes).toBe(sizeBytes);
    for (let at = 0; at < sizeBytes; at += partBytes) reader.read(at, bytes.subarray(at, at + partBytes));
    return bytes;
  };
  const json = (path: string) => JSON.parse(String(Buffer.from(read(path))));
  return { made, zarr, read, json };
}

/** The whole plane of a level, put together from its chunks as Zarr says. */
function plane(opened: ReturnType<typeof open>, level: number): { data: Uint8Array; shape: number[] } {
  const { shape, chunks } = opened.json(`${level}/.zarray`);
  const [height, width, tall, wide] = [shape[3], shape[4], chunks[3], chunks[4]];
  const data = new Uint8Array(height * width);
  for (let row = 0; row * tall < height; row += 1)
    for (let column = 0; column * wide < width; column += 1) {
      const chunk = opened.read(`${level}/0/0/0/${row}/${column}`, 700_001);
      for (let y = 0; y < tall; y += 1)
        for (let x = 0; x < wide; x += 1) {
          const [toY, toX] = [row * tall + y, column * wide + x];
          if (toY < height && toX < width) data[toY * width + toX] = chunk[y * wide + x]!;
          else expect(chunk[y * wide + x]).toBe(0);
        }
    }
  return { data, shape: [height, width] };
}

function halved({ data, shape: [height = 0, width = 0] }: { data: Uint8Array; shape: number[] }) {
  const shape = [Math.ceil(height / 2), Math.ceil(width / 2)];
  const out = new Uint8Array(shape[0]! * shape[1]!);
  let at = 0;
  for (let y = 0; y < height; y += 2)
    for (let x = 0; x < width; x += 2) {
      const [below, right] = [Math.min(y + 1, height - 1), Math.min(x + 1, width - 1)];
      const sum =
        data[y * width + x]! +
        data[y * width + right]! +
        data[below * width + x]! +
        data[below * width + right]!;
      out[at++] = Math.floor(sum / 4 + 0.5);
    }
  return { data: out, shape };
}

describe('an image of a source as OME-Zarr', () => {
  it('is cut into tiles where its planes are huge, and each level is the mean of the one before', () => {
    const shape: ArrayShape = [1, 1, 1, 61, 20_001];
    const opened = open(itemOf(shape), { a: shape });
    expect(opened.json('0/.zarray')).toMatchObject({ chunks: [1, 1, 1, 61, 900], fill_value: 0 });
    const full = plane(opened, 0);
    for (const [i, value] of full.data.entries())
      if (value !== MadeSource.value('a', [0, 0, 0, Math.floor(i / 20_001), i % 20_001])) expect(i).toBe(-1);
    let expected = full;
    for (let level = 1; level < opened.zarr.plan.levels.length; level += 1) {
      expected = halved(expected);
      const got = plane(opened, level);
      expect(got.shape).toEqual(expected.shape);
      expect(Buffer.compare(got.data, expected.data)).toBe(0);
    }
    expect(opened.zarr.plan.levels.at(-1)?.shape).toEqual([1, 1, 1, 1, 157]);
  });

  it('makes a level from the one above that was made already', () => {
    const shape: ArrayShape = [1, 1, 1, 1000, 1000];
    const opened = open(itemOf(shape), { a: shape });
    opened.read('2/0/0/0/0/0');
    opened.read('1/0/0/0/0/0');
    expect(opened.made.reads).toBe(1);
  });

  it.each([undefined, 1000])(
    'is made anew when the source changed, read in parts of %s bytes',
    (partBytes) => {
      const shape: ArrayShape = [1, 1, 1, 300, 600];
      const plan = new SourceImageZarr(itemOf(shape), '0.4').plan;
      let value = 7;
      const source = {
        window: () => undefined,
        version: () => String(value),
        readPixels: (_level: number, _region: Region, target: Uint8Array) => void target.fill(value),
      };
      const cache = new ByteCache(1 << 20);
      const read = (level: number): number[] => {
        const chunk = { level, t: 0, c: 0, z: 0, row: 0, column: 0 };
        const reader = new LayoutReader({
          layout: chunkLayout(plan, chunk),
          pixels: new ChunkPixels(plan, chunk, source, cache, 'k'),
          cacheKey: chunkCacheKey('k', chunk),
          planes: cache,
          files: new SourceFiles(1),
        });
        const bytes = new Uint8Array(reader.layout.sizeBytes);
        for (let at = 0; at < bytes.length; at += partBytes ?? bytes.length)
          reader.read(at, bytes.subarray(at, at + (partBytes ?? bytes.length)));
        return [...new Set(bytes)];
      };
      for (value of [7, 8]) expect([0, 1, 2].map(read)).toEqual([[value], [value], [value]]);
    },
  );

  it('shows the levels that the source has', () => {
    const shapes = { a: [1, 1, 4, 300, 600], half: [1, 1, 2, 150, 300] } satisfies Record<string, ArrayShape>;
    const item = itemOf(shapes.a, {
      image: {
        name: 'a',
        shape: shapes.a,
        dtype: 'uint8',
        channels: [],
        pixelSizeUm: { x: 0.5, y: 0.25 },
        zSpacingUm: 2,
      },
      levels: [{ path: 'half', shape: shapes.half, chunkShape: [1, 1, 1, 150, 300] }],
    });
    const opened = open(item, shapes);
    const [multiscale] = opened.json('.zattrs').multiscales;
    expect(multiscale.datasets).toEqual([
      { path: '0', coordinateTransformations: [{ type: 'scale', scale: [1, 1, 2, 0.25, 0.5] }] },
      { path: '1', coordinateTransformations: [{ type: 'scale', scale: [1, 1, 4, 0.5, 1] }] },
    ]);
    expect(multiscale).not.toHaveProperty('type');
    expect(opened.read('1/0/0/1/0/0')[301]).toBe(MadeSource.value('half', [0, 0, 1, 1, 1]));
  });
});
