import fc from 'fast-check';
import { expect, it } from 'vitest';
import { compareNatural } from '../../../src/model/natural-order.ts';

it('compares digit runs as numbers', () => {
  expect(['A10', 'A2', 'A1', 'B1'].sort(compareNatural)).toEqual(['A1', 'A2', 'A10', 'B1']);
  expect(['t_2/x', 't_10/x', 't_2'].sort(compareNatural)).toEqual(['t_2', 't_2/x', 't_10/x']);
  expect(compareNatural('a99999999999999999998', 'a99999999999999999999')).toBeLessThan(0);
});

it('is a total order', () => {
  const text = fc.string({ unit: fc.constantFrom('0', '1', '9', 'a', 'B', '_', '/'), maxLength: 8 });
  fc.assert(
    fc.property(text, text, text, (a, b, c) => {
      expect(Math.sign(compareNatural(a, b))).toBe(-Math.sign(compareNatural(b, a)) + 0);
      expect(compareNatural(a, b) === 0).toBe(a === b);
      if (compareNatural(a, b) <= 0 && compareNatural(b, c) <= 0)
        expect(compareNatural(a, c)).toBeLessThanOrEqual(0);
    }),
  );
});
