import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatByteSize, MIN_BUDGET_BYTES, parseBudget, parseByteSize } from '../../../src/core/byte-size.ts';

describe('byte sizes', () => {
  it.each([
    ['4096', 4096],
    ['1B', 1],
    ['2G', 2 * 1024 ** 3],
    ['2GiB', 2 * 1024 ** 3],
    ['2GB', 2e9],
    ['1.5 MiB', 1.5 * 1024 ** 2],
    ['512k', 512 * 1024],
  ])('reads %s', (text, expected) => {
    expect(parseByteSize(text, '--budget')).toBe(expected);
  });

  it.each(['', '0', '-1', 'lots', '2 XB', '2iB', '1e9', 'NaN', '9999999P', '0.1'])('refuses %j', (text) => {
    expect(() => parseByteSize(text, '--budget')).toThrow(
      `--budget: '${text}' is no size; write it like 512MiB or 2GiB`,
    );
  });

  it.each([
    [0, '0 B'],
    [17, '17 B'],
    [1023, '1023 B'],
    [1024, '1 KiB'],
    [1.5 * 1024 ** 3, '1.5 GiB'],
    [120 * 1024 ** 2, '120 MiB'],
    [1024 ** 2 - 1, '1 MiB'],
  ])('writes %d as %s', (sizeBytes, text) => {
    expect(formatByteSize(sizeBytes)).toBe(text);
  });

  it('reads back what it writes, to three digits', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 50 }), (sizeBytes) => {
        const again = parseByteSize(formatByteSize(sizeBytes), 'size');
        expect(Math.abs(again - sizeBytes) / sizeBytes).toBeLessThan(0.05);
      }),
    );
  });
});

describe('parseBudget', () => {
  it('refuses what is too little to work with', () => {
    expect(() => parseBudget('1KiB', '--budget')).toThrow(/^--budget: '1KiB' is too little.*16 MiB/);
    expect(parseBudget('16MiB', '--budget')).toBe(MIN_BUDGET_BYTES);
  });
});
