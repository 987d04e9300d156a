import fc from 'fast-check';
import { expect } from 'vitest';
import type { Region } from '../../src/core/region.ts';
import type { FileLayout, Segment } from '../../src/encoders.ts';
import { ByteCache } from '../../src/memory/byte-cache.ts';
import { LayoutReader } from '../../src/tree/layout-reader.ts';
import { SourceFiles } from '../../src/tree/source-files.ts';

export const segmentBytes = (segment: Segment): number =>
  segment.kind === 'bytes' ? segment.bytes.length : segment.sizeBytes;

/** Fails unless the segments follow each other from byte 0 to the file's end. */
export function expectGapless(layout: FileLayout, segments: readonly Segment[]): void {
  let at = 0;
  for (const segment of segments) {
    expect(segment.offsetBytes).toBe(at);
    at += segmentBytes(segment);
  }
  expect(at).toBe(layout.sizeBytes);
}

/** Reads a layout's file, pieces of it or whole, over pixels that `fill` gives. */
export class VirtualFile implements Disposable {
  readonly #files = new SourceFiles();
  readonly #reader: LayoutReader;
  readonly sizeBytes: number;

  constructor(layout: FileLayout, fill: (region: Region, target: Uint8Array) => void, cacheBytes = 1 << 16) {
    this.sizeBytes = layout.sizeBytes;
    this.#reader = new LayoutReader({
      layout,
      files: this.#files,
      planes: new ByteCache(cacheBytes),
      cacheKey: 'file',
      pixels: { readPixels: fill },
    });
  }

  read(offsetBytes: number, sizeBytes: number): Uint8Array {
    const target = new Uint8Array(sizeBytes);
    return target.subarray(0, this.#reader.read(offsetBytes, target));
  }

  whole(): Uint8Array {
    return this.read(0, this.sizeBytes);
  }

  [Symbol.dispose](): void {
    this.#files[Symbol.dispose]();
  }
}

/** The C-order bytes of a region of an array whose whole bytes are given. */
export function cutRegion(
  whole: Uint8Array,
  shape: readonly number[],
  itemBytes: number,
  region: Region,
  target: Uint8Array,
): void {
  const rank = shape.length;
  const strides: number[] = new Array(rank).fill(itemBytes);
  for (let axis = rank - 2; axis >= 0; axis -= 1) strides[axis] = strides[axis + 1]! * shape[axis + 1]!;
  let to = 0;
  const copy = (axis: number, from: number): void => {
    if (axis >= rank - 1) {
      const start = from + (rank === 0 ? 0 : region.start[axis]! * itemBytes);
      const count = (rank === 0 ? 1 : region.shape[axis]!) * itemBytes;
      target.set(whole.subarray(start, start + count), to);
      to += count;
      return;
    }
    for (let i = 0; i < region.shape[axis]!; i += 1)
      copy(axis + 1, from + (region.start[axis]! + i) * strides[axis]!);
  };
  copy(0, 0);
  if (to !== target.length) throw new RangeError(`${to} bytes for a target of ${target.length}`);
}

/** Every range of a file, asked in any order with caches of any size, is the slice of the whole. */
export function expectRangesEqualSlices(
  layout: FileLayout,
  fill: (region: Region, target: Uint8Array) => void,
): void {
  using once = new VirtualFile(layout, fill);
  const whole = once.whole();
  expect(whole.length).toBe(layout.sizeBytes);
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(layout.sizeBytes + 10), fc.nat(layout.sizeBytes + 10)), { maxLength: 12 }),
      fc.constantFrom(0, 300, 1 << 20),
      (ranges, cacheBytes) => {
        using file = new VirtualFile(layout, fill, cacheBytes);
        for (const [offset, size] of ranges)
          expect(
            Buffer.compare(
              file.read(offset, size),
              whole.subarray(offset, Math.min(whole.length, offset + size)),
            ),
          ).toBe(0);
      },
    ),
    { numRuns: 15 },
  );
}
