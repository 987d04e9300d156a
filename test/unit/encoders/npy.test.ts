import { describe, expect, it } from 'vitest';
import npy from '../../../src/encoders/npy.ts';
import type { ArrayDescription } from '../../../src/encoders.ts';
import { arrayEncoderConformance } from '../../conformance/array-encoders.ts';

arrayEncoderConformance(npy);

const headerOf = (array: Omit<ArrayDescription, 'name'>): Buffer => {
  const [first] = npy.layout({ name: 'x', ...array }).segments(0, 1);
  if (first?.kind !== 'bytes') throw new Error('no header');
  return Buffer.from(first.bytes);
};

describe('NPY', () => {
  it('begins with the header that numpy writes', () => {
    const header = headerOf({ shape: [2, 3], dtype: 'uint16' });
    expect(header.length).toBe(128);
    expect(header.subarray(0, 10).toString('hex')).toBe('934e554d505901007600');
    expect(header.subarray(10).toString('latin1')).toBe(
      `${"{'descr': '<u2', 'fortran_order': False, 'shape': (2, 3), }".padEnd(117)}\n`,
    );
  });

  it.each([
    [[], '()', 1],
    [[7], '(7,)', 7],
    [[0], '(0,)', 0],
    [[3, 0, 2 ** 50], '(3, 0, 1125899906842624)', 0],
    [new Array(32).fill(1), `(${'1, '.repeat(31)}1)`, 1],
  ])('holds %j', (shape, tuple, elements) => {
    const array = { shape, dtype: 'float64' } as const;
    const header = headerOf(array);
    expect(header.length % 64).toBe(0);
    expect(header.toString('latin1')).toContain(`'shape': ${tuple}, }`);
    expect(npy.layout({ name: 'x', ...array }).sizeBytes).toBe(header.length + elements * 8);
  });

  it('names truth values as such', () => {
    expect(headerOf({ shape: [4], dtype: 'uint8', isBoolean: true }).toString('latin1')).toContain("'|b1'");
    expect(() => npy.layout({ name: 'x', shape: [4], dtype: 'int16', isBoolean: true })).toThrow('not int16');
  });
});
