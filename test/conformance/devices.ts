import { afterAll, describe, expect, it } from 'vitest';
import { CancelledError, HookFailedError } from '../../src/core/errors.ts';
import type { NdArray } from '../../src/core/nd-array.ts';
import type { ComputeDevice, JobStep } from '../../src/devices.ts';
import type { ParameterValue, StepResult } from '../../src/hooks.ts';

const never = new AbortController().signal;
const step = (operation: string, params: Record<string, ParameterValue> = {}): JobStep => ({
  operation,
  params,
  keep: true,
});
const uint16 = (shape: readonly number[], values: readonly number[]): NdArray => ({
  dtype: 'uint16',
  shape,
  data: Uint16Array.from(values),
});
const uint8 = (shape: readonly number[], values: readonly number[]): NdArray => ({
  dtype: 'uint8',
  shape,
  data: Uint8Array.from(values),
});
const rows = (...lines: string[]): number[] =>
  lines.flatMap((line) => [...line].map((c) => (c === '#' ? 1 : 0)));
const valuesOf = (result: StepResult | undefined): number[] => Array.from(result?.array?.data ?? [], Number);
const columnsOf = (result: StepResult | undefined): Record<string, number[]> =>
  Object.fromEntries(result?.table?.columns.map(({ name, values }) => [name, [...values]]) ?? []);

/** Two squares on a dark ground, 5 × 9. */
const TWO_SQUARES = [
  10,
  11,
  10,
  12,
  10,
  10,
  11,
  10,
  10, //
  10,
  90,
  91,
  92,
  10,
  11,
  70,
  71,
  10, //
  12,
  93,
  94,
  95,
  10,
  10,
  72,
  73,
  10, //
  10,
  96,
  97,
  98,
  11,
  10,
  10,
  12,
  10, //
  10,
  10,
  11,
  10,
  10,
  10,
  10,
  10,
  99,
];
/** `scipy.ndimage.gaussian_filter(arange(12.).reshape(3, 4), 1)`, scipy 1.10.1. */
const BLURRED = [
  2.1152021848572917, 2.751417577000729, 3.6251725531807364, 4.261387945324174, 4.426907119766559,
  5.063122511909997, 5.936877488090004, 6.573092880233442, 6.738612054675826, 7.374827446819264,
  8.248582422999272, 8.884797815142711,
];

/** What every compute device promises: golden values, refusals, cancellation. Values were computed with scipy. */
export function describeDevice(name: string, open: () => ComputeDevice): void {
  describe(`device ${name}`, () => {
    const device = open();
    afterAll(() => device[Symbol.asyncDispose]());
    const run = async (input: NdArray, ...steps: JobStep[]): Promise<readonly StepResult[]> =>
      (await device.run({ input, steps }, never)).steps;

    it('blurs as scipy does', async () => {
      const input = uint16(
        [3, 4],
        Array.from({ length: 12 }, (_, i) => i),
      );
      const [blurred] = await run(input, step('gaussian', { sigma: 1 }));
      expect(blurred?.array?.dtype).toBe('float32');
      expect(blurred?.array?.shape).toEqual([3, 4]);
      valuesOf(blurred).forEach((value, i) => {
        expect(Math.abs(value / BLURRED[i]! - 1)).toBeLessThan(1e-5);
      });
    });

    it('takes medians with reflected borders, in the type it was given', async () => {
      const [filtered] = await run(
        uint8([3, 3], [9, 1, 8, 2, 7, 3, 6, 4, 5]),
        step('median', { shape: 'box', radius: 1 }),
      );
      expect(filtered?.array?.dtype).toBe('uint8');
      expect(valuesOf(filtered)).toEqual([7, 7, 7, 6, 5, 5, 6, 5, 5]);
    });

    it('runs the whole chain from pixels to a table', async () => {
      const results = await run(
        uint16([5, 9], TWO_SQUARES),
        step('otsu'),
        step('binary-opening', { shape: 'box', radius: 1 }),
        step('label', { connectivity: 4 }),
        step('measure'),
      );
      expect(results[0]?.scalars).toEqual({ threshold: 12 });
      expect(valuesOf(results[0])).toEqual(
        rows('.........', '.###..##.', '.###..##.', '.###.....', '........#'),
      );
      expect(valuesOf(results[1])).toEqual(
        rows('.........', '.###.....', '.###.....', '.###.....', '.........'),
      );
      expect(results[2]?.array?.dtype).toBe('int32');
      expect(results[2]?.scalars).toEqual({ count: 1 });
      expect(columnsOf(results[3])).toEqual({
        label: [1],
        area: [9],
        centroid_y: [2],
        centroid_x: [2],
        bbox_min_y: [1],
        bbox_min_x: [1],
        bbox_max_y: [4],
        bbox_max_x: [4],
        intensity_mean: [94],
        intensity_min: [90],
        intensity_max: [98],
        intensity_sum: [846],
      });
    });

    it('numbers objects by their first pixel, joined by sides or by corners', async () => {
      const image = rows('..#.#', '#.#.#', '#.###', '.#...', '#...#');
      const four = await run(uint8([5, 5], image), step('label', { connectivity: 4 }));
      expect(valuesOf(four[0])).toEqual([
        0, 0, 1, 0, 1, 2, 0, 1, 0, 1, 2, 0, 1, 1, 1, 0, 3, 0, 0, 0, 4, 0, 0, 0, 5,
      ]);
      const eight = await run(uint8([5, 5], image), step('label', { connectivity: 8 }));
      expect(valuesOf(eight[0])).toEqual([
        0, 0, 1, 0, 1, 1, 0, 1, 0, 1, 1, 0, 1, 1, 1, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2,
      ]);
    });

    it('does morphology that does not eat objects from the image border', async () => {
      const image = rows('###...', '###..#', '###...');
      const shape = { shape: 'disk', radius: 1 };
      const morphed = async (operation: string): Promise<number[]> =>
        valuesOf((await run(uint8([3, 6], image), step(operation, shape)))[0]);
      expect(await morphed('binary-erosion')).toEqual(rows('##....', '##....', '##....'));
      expect(await morphed('binary-dilation')).toEqual(rows('####.#', '######', '####.#'));
      expect(await morphed('binary-opening')).toEqual(rows('###...', '###...', '###...'));
      expect(await morphed('binary-closing')).toEqual(rows('###...', '####.#', '###...'));
    });

    it('thresholds above a value', async () => {
      const [mask] = await run(uint16([1, 4], [4, 5, 6, 65_535]), step('threshold', { value: 5 }));
      expect(valuesOf(mask)).toEqual([0, 0, 1, 1]);
    });

    it('gives an empty mask and an empty table for an image of one value', async () => {
      const results = await run(
        uint16([1, 1], [7]),
        step('otsu'),
        step('label', { connectivity: 4 }),
        step('measure'),
      );
      expect(results[0]?.scalars).toEqual({ threshold: 7 });
      expect(valuesOf(results[1])).toEqual([0]);
      expect(columnsOf(results[2])['area']).toEqual([]);
    });

    it('keeps only the arrays that were asked for', async () => {
      const { steps } = await device.run(
        {
          input: uint16([5, 9], TWO_SQUARES),
          steps: [{ operation: 'otsu', params: {}, keep: false }, step('label', { connectivity: 4 })],
        },
        never,
      );
      expect(steps[0]).toEqual({ scalars: { threshold: 12 } });
      expect(steps[1]?.array).toBeDefined();
    });

    it('takes intensities from the image it is told to', async () => {
      const { steps } = await device.run(
        { input: uint8([1, 3], [0, 1, 1]), intensity: uint16([1, 3], [5, 6, 7]), steps: [step('measure')] },
        never,
      );
      expect(columnsOf(steps[0])['intensity_sum']).toEqual([13]);
    });

    it('works on a part of a larger buffer and leaves the rest alone', async () => {
      const buffer = Uint16Array.of(1, 2, 3, 4);
      const [mask] = await run(
        { dtype: 'uint16', shape: [1, 2], data: buffer.subarray(1, 3) },
        step('threshold', { value: 2 }),
      );
      expect(valuesOf(mask)).toEqual([0, 1]);
      expect([...buffer]).toEqual([1, 2, 3, 4]);
    });

    it('says which operations it can do, and refuses others', async () => {
      expect(device.supports('gaussian')).toBe(true);
      expect(device.supports('toString')).toBe(false);
      await expect(run(uint16([1, 1], [1]), step('sharpen'))).rejects.toThrow(HookFailedError);
    });

    it('refuses NaN where it has no meaning, naming the pixel', async () => {
      const input: NdArray = { dtype: 'float32', shape: [2, 2], data: Float32Array.of(1, 2, 3, Number.NaN) };
      await expect(run(structuredClone(input), step('otsu'))).rejects.toThrow(/NaN.*y 1, x 1/);
      await expect(run(input, step('median', { shape: 'disk', radius: 1 }))).rejects.toThrow(HookFailedError);
    });

    it('cancels, before and during, and goes on with the next job', async () => {
      const large = (): NdArray => ({ dtype: 'uint16', shape: [2000, 2000], data: new Uint16Array(4e6) });
      await expect(
        device.run({ input: large(), steps: [step('otsu')] }, AbortSignal.abort()),
      ).rejects.toThrow(CancelledError);
      const stop = new AbortController();
      const slow = device.run(
        { input: large(), steps: Array.from({ length: 50 }, () => step('gaussian', { sigma: 40 })) },
        stop.signal,
      );
      setImmediate(() => stop.abort());
      await expect(slow).rejects.toThrow(CancelledError);
      expect(valuesOf((await run(uint8([1, 1], [3]), step('threshold', { value: 2 })))[0])).toEqual([1]);
    });

    it('does many jobs at once, each with its own result', async () => {
      const jobs = Array.from({ length: 20 }, (_, i) =>
        run(uint16([1, 2], [i, i + 1]), step('threshold', { value: i })),
      );
      for (const [mask] of await Promise.all(jobs)) expect(valuesOf(mask)).toEqual([0, 1]);
    });
  });
}
