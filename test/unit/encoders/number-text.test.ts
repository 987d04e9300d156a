import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Dtype } from '../../../src/core/nd-array.ts';
import { NUMBER_WIDTHS, numberText } from '../../../src/encoders/shared/number-text.ts';
import { anyNumber } from '../../conformance/table-encoders.ts';

describe('numbers as text', () => {
  it.each([
    [0.1, 'float64', '0.1'],
    [Math.fround(0.1), 'float32', '0.1'],
    [Math.fround(1e-45), 'float32', '1e-45'],
    [Math.fround(3.4028234663852886e38), 'float32', '3.4028235e+38'],
    [16_777_217, 'float64', '16777217.0'],
    [-0, 'float32', '-0.0'],
    [1e300, 'float64', '1e+300'],
    [-1.7976931348623157e308, 'float64', '-1.7976931348623157e+308'],
    [0.00001, 'float64', '1e-5'],
    [Math.f16round(0.1), 'float16', '0.1'],
    [Number.NaN, 'float32', 'NaN'],
    [-Infinity, 'float64', '-inf'],
    [18_446_744_073_709_551_615n, 'uint64', '18446744073709551615'],
    [-9_223_372_036_854_775_808n, 'int64', '-9223372036854775808'],
  ] as const)('%s of %s is %s', (value, dtype, text) => {
    expect(numberText(value, dtype)).toBe(text);
  });

  it('read back as the same number of their type, and fit its width', () => {
    for (const dtype of Object.keys(NUMBER_WIDTHS) as Dtype[])
      fc.assert(
        fc.property(anyNumber(dtype), (value) => {
          const text = numberText(value, dtype);
          expect(text.length).toBeLessThanOrEqual(NUMBER_WIDTHS[dtype]);
          if (typeof value === 'bigint') expect(BigInt(text)).toBe(value);
          else {
            const read = Number(text.replace('inf', 'Infinity'));
            const rounded =
              dtype === 'float32' ? Math.fround(read) : dtype === 'float16' ? Math.f16round(read) : read;
            expect(rounded).toBe(value);
          }
        }),
        { numRuns: 2000 },
      );
  });
});
