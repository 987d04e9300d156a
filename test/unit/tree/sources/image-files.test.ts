import { describe, expect, it } from 'vitest';
import type { Dtype } from '../../../../src/core/nd-array.ts';
import type { ImageInfo } from '../../../../src/model/image.ts';
import type { SourceOptions } from '../../../../src/model/indexed-source.ts';
import type { ImageItem } from '../../../../src/sources.ts';
import { loadCatalogEncoders } from '../../../../src/tree/sources/catalog-encoders.ts';
import { imageFiles } from '../../../../src/tree/sources/image-files.ts';
import { itemOfShown, shownImage } from '../../../../src/tree/sources/image-part.ts';

const { images } = await loadCatalogEncoders();

type Shape = ImageInfo['shape'];

function item(shape: Shape, dtype: Dtype = 'uint16', levels: readonly Shape[] = []): ImageItem {
  const image: ImageInfo = {
    name: 'i',
    shape,
    dtype,
    channels: [{ name: 'DAPI' }, { name: 'FITC' }],
    pixelSizeUm: { x: 0.5, y: 1 },
    zSpacingUm: 3,
    acquiredAtMs: 7,
  };
  const chunkShape = [1, 1, 1, 1, 1];
  return {
    kind: 'image',
    path: 'i/0',
    image,
    chunkShape,
    levels: levels.map((of, i) => ({ path: `i/${i + 1}`, shape: of, chunkShape })),
  };
}

const endings = (of: ImageItem, options: SourceOptions = {}): string[] =>
  imageFiles(of, images, options).files.map(({ view, ending }) => `${view} ${ending}`);

/** 5 time points of two channels and 4 slices, 40 planes of 256 MiB. */
const large: Shape = [5, 2, 4, 8192, 16384];

describe('files of an image of a source', () => {
  it('are its stacks and a preview per channel', () => {
    expect(endings(item([2, 1, 3, 40, 50]))).toEqual(['stacks .tif', 'stacks .ome.tif', 'previews .png']);
    expect(endings(item([2, 2, 3, 40, 50])).slice(2)).toEqual(['previews _w1.png', 'previews _w2.png']);
    const [file] = imageFiles(item([2, 2, 4, 40, 50]), images, {}).files.slice(3);
    expect(file?.part).toMatchObject({ t: { first: 0 }, c: { first: 1 }, z: { first: 2, count: 1 } });
  });

  it.each<[string, SourceOptions, readonly string[]]>([
    [
      'as usual',
      {},
      [
        ...['01', '02', '03', '04', '05'].map((t) => `stacks _t0${t}.tif`),
        'stacks .ome.tif',
        'previews _w1.png',
        'previews _w2.png',
      ],
    ],
    [
      'for Fiji',
      { profile: 'fiji' },
      ['stacks .ij.tif', 'stacks .ome.tif', 'previews _w1.png', 'previews _w2.png'],
    ],
    ['for napari', { profile: 'napari' }, ['stacks .ome.tif', 'previews _w1.png', 'previews _w2.png']],
    [
      'for old programs',
      { profile: 'legacy' },
      ['01', '02', '03', '04', '05'].map((t) => `stacks _t0${t}.tif`),
    ],
  ])('over 4 GiB are %s', (_, options, expected) => {
    expect(endings(item(large), options)).toEqual(expected);
    for (const { sizeBytes, encoder } of imageFiles(item(large), images, options).files)
      if (encoder === 'tiff' || encoder === 'baseline-tiff') expect(sizeBytes).toBeLessThan(2 ** 32);
  });

  it('are one per plane for CellProfiler', () => {
    expect(endings(item([2, 2, 1, 4, 5]), { profile: 'cellprofiler' })).toEqual(
      ['_t001_w1', '_t001_w2', '_t002_w1', '_t002_w2'].map((name) => `images ${name}.tif`),
    );
    expect(endings(item([1, 1, 1, 4, 5]), { profile: 'cellprofiler' })).toEqual(['images .tif']);
    const { files, refused } = imageFiles(item([5000, 1, 1, 4, 5]), images, { profile: 'cellprofiler' });
    expect([files, refused]).toEqual([[], [expect.stringContaining('4096 planes')]]);
  });

  it('are cut by the bytes that a file takes, not the source', () => {
    // 12 planes of 256 MiB each, which classic TIFF has as 16-bit numbers.
    expect(endings(item([12, 1, 1, 16384, 16384], 'int8')).slice(0, 2)).toEqual([
      'stacks _t001-t007.tif',
      'stacks _t008-t012.tif',
    ]);
  });

  it('leave out what a type forbids, and say it once', () => {
    const wide = imageFiles(item(large, 'float64'), images, {});
    expect(wide.files.map(({ ending }) => ending)).toEqual(['.ome.tif', '_w1.png', '_w2.png']);
    expect(wide.refused).toEqual([expect.stringMatching(/^can't be shown as \.tif: .*float64/)]);
    const told: ImageItem = item(large, 'float64');
    const asked = { ...told, image: { ...told.image, float64As: 'float32' as const } };
    expect(imageFiles(asked, images, { float64As: 'float32' }).files).toHaveLength(10 + 1 + 2);
    expect(endings(item([1, 1, 1, 4, 5], 'int64'))).toEqual(['previews .png']);
  });

  it('are none of an empty or a hostile image', () => {
    for (const shape of [
      [1, 1, 0, 4, 5],
      [2 ** 20, 2 ** 20, 2 ** 20, 1, 1],
    ] as const) {
      const { files, refused } = imageFiles(item(shape), images, {});
      expect(files.filter(({ view }) => view === 'stacks').every(({ sizeBytes }) => sizeBytes > 0)).toBe(
        true,
      );
      expect(refused.length).toBeGreaterThan(0);
      expect(files.length).toBeLessThan(70);
    }
  });

  it('hold a part as an image of its own', () => {
    const whole = item([2, 2, 3, 8, 9]);
    const run = (first: number, count: number) => ({ first, count });
    const part = { suffix: '_t002', t: run(1, 1), c: run(0, 2), z: run(0, 3) };
    expect(shownImage(whole, { part })).toEqual({
      name: 'i_t002',
      shape: [1, 2, 3, 8, 9],
      dtype: 'uint16',
      channels: whole.image.channels,
      pixelSizeUm: { x: 0.5, y: 1 },
      zSpacingUm: 3,
    });
    expect(shownImage(whole, { part: { ...part, t: run(0, 1), c: run(0, 1) } })).toMatchObject({
      acquiredAtMs: 7,
      channels: [{ name: 'DAPI' }],
    });
  });

  it('show a preview from the smallest level that has its pixels', () => {
    const pyramid = item([1, 1, 9, 9000, 8000], 'uint16', [
      [1, 1, 9, 4500, 4000],
      [1, 1, 4, 1125, 1000],
      [1, 1, 2, 560, 500],
    ]);
    const [preview] = imageFiles(pyramid, images, {}).files.slice(2);
    if (!preview) throw new Error('no preview');
    expect(preview).toMatchObject({ level: 1, part: { z: { first: 2, count: 1 } } });
    expect(itemOfShown(pyramid, preview)).toMatchObject({
      path: 'i/2',
      image: { shape: [1, 1, 4, 1125, 1000] },
    });
    expect(shownImage(pyramid, preview)).toEqual({
      name: 'i',
      shape: [1, 1, 1, 1125, 1000],
      dtype: 'uint16',
      channels: [{ name: 'DAPI' }],
      pixelSizeUm: { x: 4, y: 8 },
    });
  });
});
