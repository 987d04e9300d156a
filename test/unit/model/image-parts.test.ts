import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  countedAxes,
  type ImagePart,
  imageParts,
  type NumberedAxes,
} from '../../../src/model/image-parts.ts';

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);
const axes = (t: number, c: number, z: number): NumberedAxes => ({
  ts: upTo(t),
  channels: upTo(c),
  zs: upTo(z),
});
const partsOf = (of: NumberedAxes, planes: number): readonly ImagePart[] | undefined => {
  const parts = imageParts(of, 1000 - 512, { limitBytes: planes * 1000 });
  expect(parts).not.toBe('too-many');
  return parts === 'too-many' ? undefined : parts;
};
const suffixes = (of: NumberedAxes, planes: number): string[] | undefined =>
  partsOf(of, planes)?.map(({ suffix }) => suffix);

describe('parts of an image', () => {
  it.each([
    ['all fits', axes(2, 3, 4), 24, undefined],
    ['time points first', axes(5, 2, 3), 12, ['_t001-t002', '_t003-t004', '_t005']],
    ['then slices, with all their channels', axes(1, 2, 5), 4, ['_z001-z002', '_z003-z004', '_z005']],
    ['slices of one time point', axes(2, 2, 2), 3, ['_t001_z001', '_t001_z002', '_t002_z001', '_t002_z002']],
    ['channels last', axes(1, 3, 1), 2, ['_w1-w2', '_w3']],
    ['a plane over the limit is alone', axes(1, 1, 2), 0, ['_z001', '_z002']],
    ['one plane over the limit is whole', axes(1, 1, 1), 0, undefined],
    ['the numbers of the plate', { ts: [1, 4, 9], channels: [2], zs: [3, 5] }, 4, ['_t001-t004', '_t009']],
  ])('%s', (_, of, planes, expected) => {
    expect(suffixes(of, planes)).toEqual(expected);
  });

  it('hold every plane once, fit, and have names of their own', () => {
    fc.assert(
      fc.property(
        fc.tuple(
          fc.integer({ min: 1, max: 9 }),
          fc.integer({ min: 1, max: 4 }),
          fc.integer({ min: 1, max: 7 }),
        ),
        fc.integer({ min: 1, max: 40 }),
        ([t, c, z], planes) => {
          const parts = partsOf(axes(t, c, z), planes);
          if (!parts) {
            expect(t * c * z).toBeLessThanOrEqual(planes);
            return;
          }
          const seen = new Set<string>();
          for (const part of parts) {
            expect(part.t.count * part.c.count * part.z.count).toBeLessThanOrEqual(planes);
            for (let i = 0; i < part.t.count; i += 1)
              for (let j = 0; j < part.c.count; j += 1)
                for (let k = 0; k < part.z.count; k += 1)
                  seen.add(`${part.t.first + i} ${part.c.first + j} ${part.z.first + k}`);
          }
          expect(seen.size).toBe(t * c * z);
          expect(parts.reduce((sum, part) => sum + part.t.count * part.c.count * part.z.count, 0)).toBe(
            t * c * z,
          );
          expect(new Set(parts.map(({ suffix }) => suffix)).size).toBe(parts.length);
        },
      ),
    );
  });

  it('stay what they were when the image grows in time', () => {
    const before = partsOf(axes(6, 2, 3), 13)!;
    const after = partsOf(axes(9, 2, 3), 13)!;
    expect(after.slice(0, before.length)).toEqual(before);
  });

  it('are counted before they are made', () => {
    const huge = countedAxes([2 ** 50, 2, 2 ** 40, 1, 1]);
    expect(imageParts(huge, 1, { mostParts: 2046 })).toBe('too-many');
    const five = countedAxes([5, 1, 1, 1, 1]);
    expect(imageParts(five, 488, { limitBytes: 1000, mostParts: 4 })).toBe('too-many');
    expect(imageParts(five, 488, { limitBytes: 1000, mostParts: 5 })).toHaveLength(5);
  });
});
