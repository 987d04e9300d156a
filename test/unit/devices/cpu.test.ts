import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { DeviceFailedError } from '../../../src/core/errors.ts';
import type { NdArray } from '../../../src/core/nd-array.ts';
import cpu from '../../../src/devices/cpu.ts';
import { binaryMorphology } from '../../../src/devices/shared/binary-morphology.ts';
import { packMask, unpackMask } from '../../../src/devices/shared/bit-mask.ts';
import { labelComponents } from '../../../src/devices/shared/connected-components.ts';
import { createCpuDevice } from '../../../src/devices/shared/cpu-device.ts';
import { footprintOffsets } from '../../../src/devices/shared/footprint.ts';
import { gaussianBlur } from '../../../src/devices/shared/gaussian-blur.ts';
import { medianFilter } from '../../../src/devices/shared/median-filter.ts';
import { maskAbove, otsuThreshold } from '../../../src/devices/shared/otsu-threshold.ts';
import { reflectedIndex } from '../../../src/devices/shared/reflection.ts';
import { measureRegions } from '../../../src/devices/shared/region-measurements.ts';
import { describeDevice } from '../../conformance/devices.ts';

describeDevice('cpu', () => cpu);

const never = new AbortController().signal;

describe('threads of the CPU device', () => {
  const job = (operation: string) => ({
    input: { dtype: 'uint8', shape: [1, 1], data: new Uint8Array(1) } satisfies NdArray,
    steps: [{ operation, params: {}, keep: true }],
  });
  const crashing = createCpuDevice({
    workerUrl: new URL('../../fixtures/workers/crashing-worker.ts', import.meta.url),
    threads: 1,
  });
  afterAll(() => crashing[Symbol.asyncDispose]());

  it('fail only the job that crashed its thread', async () => {
    const outcomes = await Promise.allSettled(
      ['fine', 'exit', 'fine', 'throw', 'fine'].map((operation) => crashing.run(job(operation), never)),
    );
    expect(outcomes.map(({ status }) => status)).toEqual([
      'fulfilled',
      'rejected',
      'fulfilled',
      'rejected',
      'fulfilled',
    ]);
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') expect(outcome.reason).toBeInstanceOf(DeviceFailedError);
    }
  });

  it('start with the first job and end when idle', async () => {
    const device = createCpuDevice({ threads: 2, idleMs: 20 });
    expect(device.threadCount).toBe(0);
    const { elapsedMs, device: id } = await device.run(
      {
        input: { dtype: 'uint8', shape: [1, 1], data: new Uint8Array(1) },
        steps: [{ operation: 'label', params: { connectivity: 4 }, keep: false }],
      },
      never,
    );
    expect(id).toBe('cpu');
    expect(elapsedMs).toBeGreaterThan(0);
    expect(device.threadCount).toBe(1);
    await expect.poll(() => device.threadCount).toBe(0);
  });

  it('move the input away instead of copying it', async () => {
    const data = new Uint16Array(64);
    await cpu.run(
      {
        input: { dtype: 'uint16', shape: [8, 8], data },
        steps: [{ operation: 'otsu', params: {}, keep: true }],
      },
      never,
    );
    expect(data.length).toBe(0);
  });
});

/** Images of any shape up to 70 pixels wide, of values 0 … most. */
const images = (most: number): fc.Arbitrary<NdArray<'uint8'>> =>
  fc
    .record({ height: fc.integer({ min: 1, max: 12 }), width: fc.integer({ min: 1, max: 70 }) })
    .chain(({ height, width }) =>
      fc.uint8Array({ minLength: height * width, maxLength: height * width, max: most }).map((bytes) => ({
        dtype: 'uint8',
        shape: [height, width],
        data: Uint8Array.from(bytes),
      })),
    );
const shapes = fc.constantFrom('disk', 'box');

/** Objects by walking from pixel to pixel: slow and plain. */
function countByFlooding({ shape, data }: NdArray<'uint8'>, connectivity: 4 | 8): number {
  const [height = 0, width = 0] = shape;
  const open = Uint8Array.from(data);
  let count = 0;
  for (let start = 0; start < open.length; start++) {
    if (open[start] === 0) continue;
    count++;
    const stack = [start];
    while (stack.length > 0) {
      const at = stack.pop()!;
      if (open[at] === 0) continue;
      open[at] = 0;
      const y = Math.floor(at / width);
      const x = at % width;
      for (let dy = -1; dy <= 1; dy++) {
        for (let dx = -1; dx <= 1; dx++) {
          if (connectivity === 4 && dy !== 0 && dx !== 0) continue;
          if (y + dy < 0 || y + dy >= height || x + dx < 0 || x + dx >= width) continue;
          stack.push((y + dy) * width + x + dx);
        }
      }
    }
  }
  return count;
}

function medianBySorting(
  { shape, data }: NdArray<'uint8'>,
  offsets: readonly (readonly [number, number])[],
): number[] {
  const [height = 0, width = 0] = shape;
  return Array.from(data, (_, at) => {
    const y = Math.floor(at / width);
    const x = at % width;
    const window = offsets
      .map(([dy, dx]) => data[reflectedIndex(y + dy, height) * width + reflectedIndex(x + dx, width)]!)
      .sort((a, b) => a - b);
    return window[window.length >> 1]!;
  });
}

describe('kernels', () => {
  it('count objects as a flood fill does', () => {
    fc.assert(
      fc.property(images(1), fc.constantFrom(4, 8), (image, connectivity) => {
        expect(labelComponents(image, connectivity).count).toBe(countByFlooding(image, connectivity));
      }),
    );
  });

  it('give the median of the sorted window, small or large', () => {
    fc.assert(
      fc.property(images(255), shapes, fc.constantFrom(1, 2, 3, 6, 8), (image, shape, radius) => {
        const filtered = Array.from(medianFilter(image, shape, radius).data, Number);
        expect(filtered).toEqual(medianBySorting(image, footprintOffsets(shape, radius)));
      }),
      { numRuns: 60 },
    );
  });

  it('leave a constant image as it is', () => {
    fc.assert(
      fc.property(
        images(0),
        fc.integer({ min: 0, max: 255 }),
        fc.integer({ min: 1, max: 9 }),
        (image, value, radius) => {
          image.data.fill(value);
          expect([...medianFilter(image, 'disk', radius).data].every((v) => v === value)).toBe(true);
          for (const v of gaussianBlur(image, radius).data)
            expect(Math.abs(v - value)).toBeLessThanOrEqual(value * 1e-5);
        },
      ),
    );
  });

  it('open and close to the same result twice, below and above the image', () => {
    fc.assert(
      fc.property(images(1), shapes, fc.integer({ min: 1, max: 40 }), (image, shape, radius) => {
        const opened = binaryMorphology(image, 'binary-opening', shape, radius);
        const closed = binaryMorphology(image, 'binary-closing', shape, radius);
        expect(binaryMorphology(opened, 'binary-opening', shape, radius)).toEqual(opened);
        expect(binaryMorphology(closed, 'binary-closing', shape, radius)).toEqual(closed);
        image.data.forEach((value, i) => {
          expect(opened.data[i]).toBeLessThanOrEqual(value);
          expect(closed.data[i]).toBeGreaterThanOrEqual(value);
        });
      }),
    );
  });

  it('keep every pixel of a mask when it is packed', () => {
    fc.assert(
      fc.property(images(3), ({ shape, data }) => {
        const [height = 0, width = 0] = shape;
        expect(unpackMask(packMask(data, width, height))).toEqual(data.map((value) => (value === 0 ? 0 : 1)));
      }),
    );
  });

  it('split float values that are hardly apart', () => {
    const step = 2 ** -14; // two steps of float32 at 1000
    const values = [0, 0, 1, 1, 1, 30, 31, 31, 31, 32].map((n) => 1000 + n * step);
    const image: NdArray = { dtype: 'float32', shape: [1, 10], data: Float32Array.from(values) };
    const mask = maskAbove(image, otsuThreshold(image));
    expect([...mask.data]).toEqual([0, 0, 0, 0, 0, 1, 1, 1, 1, 1]);
  });

  it('keep a NaN among the intensities of its own object only', () => {
    const labels: NdArray = { dtype: 'int32', shape: [1, 5], data: Int32Array.of(1, 1, 1, 0, 2) };
    const intensity: NdArray = {
      dtype: 'float32',
      shape: [1, 5],
      data: Float32Array.of(1, Number.NaN, 2, Number.NaN, 3),
    };
    const columns = new Map(
      measureRegions(labels, intensity).columns.map(({ name, values }) => [name, [...values]]),
    );
    for (const name of ['intensity_mean', 'intensity_min', 'intensity_max', 'intensity_sum']) {
      expect(columns.get(name)).toEqual([Number.NaN, 3]);
    }
  });

  it('work in bands that join without a seam', () => {
    // 9,000 columns of float32 leave room for 200-odd rows per band
    const width = 9000;
    const height = 500;
    const image: NdArray = {
      dtype: 'float32',
      shape: [height, width],
      data: Float32Array.from({ length: width * height }, (_, i) => Math.floor(i / width)),
    };
    const blurred = gaussianBlur(image, 2).data;
    const middle = (y: number): number => blurred[y * width + 4500]!;
    for (let y = 8; y < height - 8; y++) expect(Math.abs(middle(y) - y)).toBeLessThan(1e-5 * y);
    const filtered = medianFilter(image, 'box', 1).data;
    for (let y = 1; y < height - 1; y++) expect(filtered[y * width + 17]).toBe(y);
  });
});
