import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FsRefusal } from '../../src/core/errors.ts';
import {
  allocate,
  bytesOf,
  type Dtype,
  elementCount,
  fromBytes,
  itemSizeBytes,
} from '../../src/core/nd-array.ts';
import type { ImageEncoder } from '../../src/encoders.ts';
import type { ImageInfo } from '../../src/model/image.ts';
import {
  cutRegion,
  expectGapless,
  expectRangesEqualSlices,
  segmentBytes,
  VirtualFile,
} from './virtual-file.ts';

/** An image of the shape, with nothing known but what is given. */
export function imageOf(shape: ImageInfo['shape'], dtype: Dtype, known: Partial<ImageInfo> = {}): ImageInfo {
  return { name: 'A01_s001', shape, dtype, channels: [], ...known };
}

/** What every encoder must do for images it takes and those it refuses. */
export function encoderConformance(
  encoder: ImageEncoder,
  dtypes: {
    readonly takes: readonly Dtype[];
    /** Held in a type that has more values. */
    readonly widens: readonly Dtype[];
    readonly refuses: readonly Dtype[];
  },
): void {
  const anyImage = fc
    .tuple(
      fc.tuple(...[4, 4, 5, 40, 40].map((max) => fc.integer({ min: 1, max }))),
      fc.constantFrom(...dtypes.takes),
      fc.boolean(),
    )
    .map(([[t, c, z, y, x], dtype, named]) =>
      imageOf([t, c, z, y, x] as ImageInfo['shape'], dtype, {
        ...(named
          ? {
              pixelSizeUm: { x: 0.65, y: 0.5 },
              channels: Array.from({ length: c! }, (_, i) => ({ name: `ch ${i}` })),
            }
          : {}),
      }),
    );

  describe(`image encoder ${encoder.id}`, () => {
    it('lays out gapless segments that hold every pixel once', () => {
      fc.assert(
        fc.property(anyImage, (image) => {
          const layout = encoder.layout(image);
          const segments = layout.segments(0, layout.sizeBytes);
          expectGapless(layout, segments);
          const seen = new Set<string>();
          let pixels = 0;
          for (const segment of segments) {
            if (segment.kind !== 'pixels') continue;
            seen.add(JSON.stringify(segment.region.start));
            pixels += elementCount(segment.region.shape);
            expect(segment.sizeBytes).toBe(elementCount(segment.region.shape) * itemSizeBytes(image.dtype));
          }
          expect(pixels).toBe(elementCount(image.shape));
          expect(seen.size).toBe(segments.filter((segment) => segment.kind === 'pixels').length);
        }),
        { numRuns: 50 },
      );
    });

    it('gives for any range the same whole segments', () => {
      fc.assert(
        fc.property(
          anyImage,
          fc.double({ min: 0, max: 1, noNaN: true }),
          fc.nat(70_000),
          (image, at, size) => {
            const layout = encoder.layout(image);
            const offset = Math.floor(at * layout.sizeBytes);
            const all = layout.segments(0, layout.sizeBytes);
            const touched = all.filter(
              (s) =>
                s.offsetBytes < Math.min(offset + size, layout.sizeBytes) &&
                s.offsetBytes + segmentBytes(s) > offset,
            );
            expect(layout.segments(offset, size)).toEqual(size === 0 ? [] : touched);
          },
        ),
        { numRuns: 100 },
      );
    });

    it('reads the same bytes by any ranges in any order', () => {
      fc.assert(
        fc.property(
          anyImage,
          fc.constantFrom(undefined, ...dtypes.widens),
          fc.nat(255),
          (taken, widened, seed) => {
            const image = widened === undefined ? taken : { ...taken, dtype: widened };
            const itemBytes = itemSizeBytes(image.dtype);
            const whole = Uint8Array.from(
              { length: elementCount(image.shape) * itemBytes },
              (_, i) => (i * 31 + seed) & 255,
            );
            expectRangesEqualSlices(encoder.layout(image), (region, target) =>
              cutRegion(whole, image.shape, itemBytes, region, target),
            );
          },
        ),
        { numRuns: 10 },
      );
    });

    it('is exact in size and cheap to cut for a very large image', () => {
      const image = imageOf([2000, 4, 25, 16, 16], dtypes.takes[0]!, {
        channels: [{ name: 'DAPI' }, { name: 'GFP' }, { name: 'RFP' }, { name: 'Cy5' }],
      });
      const layout = encoder.layout(image);
      for (const offset of [0, 1_000_000, 30_000_000, layout.sizeBytes >> 1, layout.sizeBytes - 4096]) {
        const segments = layout.segments(offset, 4096);
        expect(segments.length).toBeLessThan(64);
        expect(segments.reduce((sum, segment) => sum + segmentBytes(segment), 0)).toBeLessThan(1_000_000);
      }
      expect(layout.segments(layout.sizeBytes, 4096)).toEqual([]);
    });

    it('holds every value of a type that it widens', () => {
      for (const dtype of dtypes.widens) {
        const image = imageOf([1, 1, 2, 1, 3], dtype);
        const stored = allocate(dtype, [6]);
        for (let i = 0; i < 6; i += 1) stored.data[i] = [-128, 127, -1, 0, 1, 100][i]!;
        const layout = encoder.layout(image);
        expect(layout.shownDtype).toBeDefined();
        using file = new VirtualFile(layout, (region, target) =>
          cutRegion(bytesOf(stored), image.shape, itemSizeBytes(dtype), region, target),
        );
        const shown = layout.shownDtype!;
        const pixels = file.read(layout.sizeBytes - 6 * itemSizeBytes(shown), layout.sizeBytes);
        expect([...fromBytes(shown, [6], pixels).data]).toEqual([-128, 127, -1, 0, 1, 100]);
      }
      for (const dtype of dtypes.takes)
        expect(encoder.layout(imageOf([1, 1, 1, 2, 2], dtype)).shownDtype).toBeUndefined();
    });

    it('refuses what it cannot hold', () => {
      for (const dtype of dtypes.refuses) {
        expect(() => encoder.layout(imageOf([1, 1, 1, 4, 4], dtype)), dtype).toThrow(FsRefusal);
      }
      expect(() => encoder.layout(imageOf([1, 1, 0, 4, 4], dtypes.takes[0]!))).toThrow(FsRefusal);
    });
  });
}
