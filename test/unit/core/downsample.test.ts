import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { halve } from '../../../src/core/downsample.ts';
import { allocate, bytesOf, type Dtype, fromBytes } from '../../../src/core/nd-array.ts';

const INTEGERS: Partial<Record<Dtype, readonly [min: bigint, max: bigint]>> = {
  uint8: [0n, 255n],
  int8: [-128n, 127n],
  uint16: [0n, 65_535n],
  int16: [-32_768n, 32_767n],
  uint32: [0n, 2n ** 32n - 1n],
  int32: [-(2n ** 31n), 2n ** 31n - 1n],
  uint64: [0n, 2n ** 64n - 1n],
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
};

const floorDiv = (a: bigint, b: bigint): bigint => (a - (((a % b) + b) % b)) / b;

/** By the definition, with whole numbers of any size: the mean of the pixels there are, rounded half up. */
function meanOf(values: readonly bigint[]): bigint {
  const count = BigInt(values.length);
  const sum = values.reduce((a, b) => a + b, 0n);
  return floorDiv(2n * sum + count, 2n * count);
}

function expected(pixels: readonly bigint[], height: number, width: number): bigint[] {
  const out: bigint[] = [];
  for (let y = 0; y < height; y += 2)
    for (let x = 0; x < width; x += 2) {
      const ys = y + 1 < height ? [y, y + 1] : [y];
      const xs = x + 1 < width ? [x, x + 1] : [x];
      out.push(meanOf(ys.flatMap((row) => xs.map((column) => pixels[row * width + column]!))));
    }
  return out;
}

describe('halve', () => {
  it.each(Object.entries(INTEGERS))('%s: the mean of two by two, rounded half up', (name, [min, max]) => {
    const dtype = name as Dtype;
    const value = fc.oneof(fc.bigInt({ min, max }), fc.constantFrom(min, max, max - 1n, min + 1n));
    const image = fc
      .tuple(fc.integer({ min: 1, max: 7 }), fc.integer({ min: 1, max: 7 }))
      .chain(([height, width]) =>
        fc.tuple(
          fc.constant({ height, width }),
          fc.array(value, { minLength: height * width, maxLength: height * width }),
        ),
      );
    fc.assert(
      fc.property(image, ([{ height, width }, pixels]) => {
        const array = allocate(dtype, [height, width]);
        const isLong = array.data instanceof BigInt64Array || array.data instanceof BigUint64Array;
        for (const [i, pixel] of pixels.entries()) array.data[i] = (isLong ? pixel : Number(pixel)) as never;
        const half = halve({ height, width, bytes: bytesOf(array) }, dtype, 'mean');
        expect([half.height, half.width]).toEqual([Math.ceil(height / 2), Math.ceil(width / 2)]);
        const { data } = fromBytes(dtype, [half.height, half.width], half.bytes);
        expect(Array.from(data as ArrayLike<number | bigint>, BigInt)).toEqual(
          expected(pixels, height, width),
        );
      }),
    );
  });

  it.each(['float16', 'float32', 'float64'] as const)('%s: the mean, and NaN where one is', (dtype) => {
    const array = allocate(dtype, [3, 3]);
    array.data.set([1, 2, 0.5, 3, 4.5, 1.5, Number.NaN, 1, -7]);
    const { bytes } = halve({ height: 3, width: 3, bytes: bytesOf(array) }, dtype, 'mean');
    expect([...(fromBytes(dtype, [2, 2], bytes).data as Float32Array)]).toEqual([2.625, 1, Number.NaN, -7]);
  });

  it.each(['uint8', 'uint16', 'int64'] as const)('%s labels: the first of two by two', (dtype) => {
    const array = allocate(dtype, [3, 3]);
    const numbers = [1, 2, 3, 4, 5, 6, 7, 8, 9];
    for (const [i, n] of numbers.entries()) array.data[i] = (dtype === 'int64' ? BigInt(n) : n) as never;
    const { bytes } = halve({ height: 3, width: 3, bytes: bytesOf(array) }, dtype, 'nearest');
    const { data } = fromBytes(dtype, [2, 2], bytes);
    expect(Array.from(data as ArrayLike<number | bigint>, Number)).toEqual([1, 3, 7, 9]);
  });
});
