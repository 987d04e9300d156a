import { mkdtempSync, openSync, readFileSync, readSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CancelledError, PlateFsError, UnreadableSourceError } from '../../src/core/errors.ts';
import { bytesOf, elementCount, itemSizeBytes } from '../../src/core/nd-array.ts';
import { type Region, wholeRegion } from '../../src/core/region.ts';
import type { ArrayInfo, SourceDriver } from '../../src/sources.ts';

/** A file a driver must read, and what is in it: little-endian, C order. */
export interface SourceSample {
  readonly path: string;
  readonly info: ArrayInfo;
  readonly bytes: Uint8Array;
}

const never = new AbortController().signal;

/** The bytes of a region, picked one item at a time. */
export function pick(
  info: Pick<ArrayInfo, 'shape' | 'dtype'>,
  bytes: Uint8Array,
  region: Region,
): Uint8Array {
  const item = itemSizeBytes(info.dtype);
  const count = elementCount(region.shape);
  const picked = new Uint8Array(count * item);
  for (let index = 0; index < count; index++) {
    let rest = index;
    let from = 0;
    let stride = 1;
    for (let axis = region.shape.length - 1; axis >= 0; axis--) {
      const extent = region.shape[axis]!;
      from += (region.start[axis]! + (rest % extent)) * stride;
      rest = Math.floor(rest / extent);
      stride *= info.shape[axis]!;
    }
    picked.set(bytes.subarray(from * item, (from + 1) * item), index * item);
  }
  return picked;
}

/** Any region inside a shape, empty ones left out. */
export function anyRegion(shape: readonly number[]): fc.Arbitrary<Region> {
  return fc
    .tuple(
      ...shape.map((extent) =>
        fc
          .integer({ min: 0, max: extent - 1 })
          .chain((start) => fc.tuple(fc.constant(start), fc.integer({ min: 1, max: extent - start }))),
      ),
    )
    .map((axes) => ({ start: axes.map(([start]) => start), shape: axes.map(([, length]) => length) }));
}

/** What every source driver must do. `samples` is called once, before the tests. */
export function sourceConformance(
  driver: SourceDriver,
  samples: (folder: string) => readonly SourceSample[],
): void {
  describe(`source driver ${driver.id}`, () => {
    let folder = '';
    let all: readonly SourceSample[] = [];
    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), 'platefs-sources-'));
      all = samples(folder);
    });
    afterAll(() => {
      rmSync(folder, { recursive: true, force: true });
    });

    it('knows its files by name and others not', () => {
      for (const sample of all) expect(driver.canOpen(sample.path), sample.path).toBe(true);
      expect(driver.canOpen('/somewhere/notes.txt')).toBe(false);
    });

    it('reads every sample exactly, whole', async () => {
      for (const sample of all) {
        await using source = await driver.openArray(sample.path, never);
        expect(source.info, sample.path).toEqual(sample.info);
        expect(source.chunkShape).toHaveLength(sample.info.shape.length);
        const array = await source.read(wholeRegion(sample.info.shape), never);
        expect(array.shape).toEqual(sample.info.shape);
        expect(array.dtype).toBe(sample.info.dtype);
        expect(Buffer.compare(bytesOf(array), sample.bytes), sample.path).toBe(0);
      }
    });

    it('reads any region exactly, and its window holds the same bytes', async () => {
      for (const sample of all) {
        await using source = await driver.openArray(sample.path, never);
        await fc.assert(
          fc.asyncProperty(anyRegion(sample.info.shape), async (region) => {
            const expected = pick(sample.info, sample.bytes, region);
            expect(Buffer.compare(bytesOf(await source.read(region, never)), expected), sample.path).toBe(0);
            const window = source.window?.(region);
            if (window === undefined) return;
            expect(window.sizeBytes).toBe(expected.length);
            const bytes = Buffer.alloc(window.sizeBytes);
            readSync(openOnce(window.path), bytes, 0, bytes.length, window.offsetBytes);
            expect(Buffer.compare(bytes, expected), sample.path).toBe(0);
          }),
          { numRuns: 25 },
        );
      }
    });

    it('refuses a region outside, and stops when cancelled', async () => {
      const sample = all[0]!;
      await using source = await driver.openArray(sample.path, never);
      const outside = { start: sample.info.shape, shape: sample.info.shape };
      await expect(source.read(outside, never)).rejects.toThrow(RangeError);
      const stopped = AbortSignal.abort();
      await expect(source.read(wholeRegion(sample.info.shape), stopped)).rejects.toThrow(CancelledError);
      await expect(driver.openArray(sample.path, stopped)).rejects.toThrow(CancelledError);
    });

    it('says what is wrong with missing, empty and cut files, naming them', async () => {
      const sample = all[0]!;
      await expect(driver.openArray(`${sample.path}.gone.tif`, never)).rejects.toThrow(UnreadableSourceError);
      const whole = readFileSync(sample.path);
      for (const length of [0, 1, 7, 8, 9, 16, whole.length >> 1, whole.length - 1]) {
        const path = join(folder, `cut-${length}-${basename(sample.path)}`);
        writeFileSync(path, whole.subarray(0, length));
        try {
          await using source = await driver.openArray(path, never);
          const array = await source.read(wholeRegion(source.info.shape), never);
          expect(Buffer.compare(bytesOf(array), sample.bytes), path).toBe(0);
        } catch (error) {
          expect(error).toBeInstanceOf(PlateFsError);
          expect(String(error)).toContain(path);
        }
      }
    });

    it('gives the same planes synchronously', () => {
      if (driver.readPlaneSync === undefined || driver.probeSync === undefined) return;
      for (const sample of all) {
        const probe = driver.probeSync(sample.path);
        const plane = driver.readPlaneSync(sample.path, 0);
        expect(plane.info).toEqual(probe.info);
        expect(plane.info.dtype).toBe(sample.info.dtype);
        const planeBytes = elementCount(plane.info.shape) * itemSizeBytes(plane.info.dtype);
        expect(Buffer.compare(plane.bytes, sample.bytes.subarray(0, planeBytes)), sample.path).toBe(0);
        const memory = new Uint8Array(planeBytes + 1);
        for (const into of [memory.subarray(1), memory.subarray(0, planeBytes)]) {
          expect(driver.readPlaneSync(sample.path, 0, into).bytes).toBe(into);
          expect(Buffer.compare(into, plane.bytes), sample.path).toBe(0);
        }
        expect(() => driver.readPlaneSync?.(sample.path, 0, memory)).toThrow(RangeError);
        if (probe.window === undefined) continue;
        const bytes = Buffer.alloc(probe.window.sizeBytes);
        readSync(openOnce(probe.window.path), bytes, 0, bytes.length, probe.window.offsetBytes);
        expect(Buffer.compare(bytes, plane.bytes), sample.path).toBe(0);
      }
    });

    it('gives any box of a plane, and tells of its blocks', () => {
      if (driver.openPlaneSync === undefined || driver.probeSync === undefined) return;
      for (const sample of all) {
        const probe = driver.probeSync(sample.path);
        if (probe.samples !== 1) {
          expect(() => driver.openPlaneSync?.(sample.path, 0)).toThrow(RangeError);
          continue;
        }
        using plane = driver.openPlaneSync(sample.path, 0);
        expect(plane.info).toEqual(probe.info);
        const { width, height } = probe;
        const item = itemSizeBytes(plane.info.dtype);
        const bytes = sample.bytes.subarray(0, width * height * item);
        const info = { ...plane.info, shape: [height, width] };
        if (plane.block) {
          expect(plane.block.width).toBeLessThanOrEqual(width);
          expect(plane.block.height).toBeLessThanOrEqual(height);
        }
        fc.assert(
          fc.property(anyRegion([height, width]), fc.nat(1), (region, skip) => {
            const [y = 0, x = 0] = region.start;
            const [rows = 0, columns = 0] = region.shape;
            const into = new Uint8Array(rows * columns * item + 1).subarray(
              skip,
              skip + rows * columns * item,
            );
            plane.readBox({ y, x, height: rows, width: columns }, into);
            expect(Buffer.compare(into, pick(info, bytes, region)), sample.path).toBe(0);
          }),
          { numRuns: 25 },
        );
        expect(() => plane.readBox({ y: 0, x: 0, height: 1, width: 1 }, new Uint8Array(item + 1))).toThrow(
          RangeError,
        );
      }
    });
  });
}

const opened = new Map<string, number>();
function openOnce(path: string): number {
  const fd = opened.get(path) ?? openSync(path, 'r');
  opened.set(path, fd);
  return fd;
}
