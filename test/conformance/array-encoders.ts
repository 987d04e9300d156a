import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FsRefusal } from '../../src/core/errors.ts';
import { type Dtype, elementCount, itemSizeBytes } from '../../src/core/nd-array.ts';
import type { ArrayDescription, ArrayEncoder } from '../../src/encoders.ts';
import { cutRegion, expectGapless, expectRangesEqualSlices, segmentBytes } from './virtual-file.ts';

const DTYPES: readonly Dtype[] = [
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

const anyArray = (): fc.Arbitrary<ArrayDescription> =>
  fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 5 }).chain((shape) =>
    fc.record({
      name: fc.constant('x'),
      shape: fc.constant(shape),
      dtype: fc.constantFrom(...DTYPES),
      chunkShape: fc.tuple(...shape.map(() => fc.integer({ min: 1, max: 12 }))),
    }),
  );

/** What every encoder of arrays must do. */
export function arrayEncoderConformance(encoder: ArrayEncoder): void {
  describe(`array encoder ${encoder.id}`, () => {
    it('lays out gapless segments that hold every element once, in C order', () => {
      fc.assert(
        fc.property(anyArray(), (array) => {
          const layout = encoder.layout(array);
          const segments = layout.segments(0, layout.sizeBytes);
          expectGapless(layout, segments);
          const pixels = segments.flatMap((segment) => (segment.kind === 'pixels' ? [segment] : []));
          expect(pixels.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)).toBe(
            elementCount(array.shape) * itemSizeBytes(array.dtype),
          );
          for (const { sizeBytes, region } of pixels)
            expect(elementCount(region.shape) * itemSizeBytes(array.dtype)).toBe(sizeBytes);
        }),
      );
    });

    it('reads the same bytes by any ranges in any order', () => {
      fc.assert(
        fc.property(anyArray(), fc.nat(255), (array, seed) => {
          const itemBytes = itemSizeBytes(array.dtype);
          const whole = Uint8Array.from(
            { length: elementCount(array.shape) * itemBytes },
            (_, i) => (i * 31 + seed) & 255,
          );
          expectRangesEqualSlices(encoder.layout(array), (region, target) =>
            cutRegion(whole, array.shape, itemBytes, region, target),
          );
        }),
        { numRuns: 20 },
      );
    });

    it.each([
      [
        [4, 700, 3000, 3000],
        [1, 10, 500, 500],
      ],
      [
        [100_000, 20_000, 4],
        [7, 100, 4],
      ],
      [[2 ** 40], [1000]],
      [[2 ** 40], [2 ** 40]],
      [
        [3, 2 ** 30, 2],
        [1, 1, 1],
      ],
      [
        [5, 9000, 9000],
        [1, 9000, 9000],
      ],
    ])(
      'cuts %s in chunks of %s into pieces that cost little, and no piece crosses a chunk but at its edges',
      (shape, chunkShape) => {
        const layout = encoder.layout({ name: 'x', shape, dtype: 'uint16', chunkShape });
        const { sizeBytes } = layout;
        for (const offset of [
          0,
          Math.floor(sizeBytes / 3),
          Math.floor(sizeBytes / 2) + 7,
          sizeBytes - 131_072,
        ]) {
          const segments = layout.segments(offset, 131_072);
          expect(segments.length).toBeLessThan(8);
          for (const segment of segments) {
            expect(segmentBytes(segment)).toBeLessThanOrEqual(32 * 1024 * 1024);
            if (segment.kind !== 'pixels') continue;
            segment.region.shape.forEach((count, axis) => {
              const start = segment.region.start[axis]!;
              const chunk = Math.min(chunkShape[axis]!, shape[axis]!);
              const isEdge = (at: number): boolean => at % chunk === 0 || at === shape[axis]!;
              const isWithin = Math.floor(start / chunk) === Math.floor((start + count - 1) / chunk);
              expect(isWithin || (isEdge(start) && isEdge(start + count))).toBe(true);
            });
          }
        }
        expect(layout.segments(sizeBytes, 4096)).toEqual([]);
      },
    );

    it('refuses what is too large for a file, and what is no shape', () => {
      const layout = (shape: number[]) => () => encoder.layout({ name: 'x', shape, dtype: 'uint8' });
      expect(layout([2 ** 30, 2 ** 30])).toThrow(FsRefusal);
      expect(layout([2 ** 60])).toThrow(FsRefusal);
      expect(layout(new Array(40).fill(1))).toThrow(FsRefusal);
      expect(layout([-1])).toThrow(FsRefusal);
      expect(layout([1.5])).toThrow(FsRefusal);
    });
  });
}
