import { describe, expect, it } from 'vitest';
import { isHarmonyNamespace, parseHarmonyName } from '../../../src/formats/shared/harmony-name.ts';
import { shiftedNumber, unixMs, wholeNumber } from '../../../src/formats/shared/harmony-number.ts';

describe('names', () => {
  it.each([
    ['r01c01f01p01-ch1sk1fk1fl1.tiff', [0, 0, 1, 1, 1, 1, 1, 1, true, '.tiff']],
    ['R16C24F107P003-CH12SK30FK2FL3.TIF', [15, 23, 107, 3, 12, 30, 2, 3, true, '.TIF']],
    ['r1c2f3p4-ch5.tif', [0, 1, 3, 4, 5, 1, 1, 1, false, '.tif']],
    ['r03c07f01p01-ch01t09.tiff', [2, 6, 1, 1, 1, 9, 1, 1, false, '.tiff']],
    ['r32c48f001p001-ch1sk1fk1fl1.tiff', [31, 47, 1, 1, 1, 1, 1, 1, true, '.tiff']],
  ])('%s', (name, expected) => {
    const n = parseHarmonyName(name);
    expect(
      n && [
        n.row,
        n.column,
        n.field,
        n.plane,
        n.channel,
        n.slowKinetic,
        n.fastKinetic,
        n.lifetime,
        n.complete,
        n.extension,
      ],
    ).toEqual(expected);
  });

  it.each([
    'r00c01f01p01-ch1sk1fk1fl1.tiff',
    'r33c01f01p01-ch1sk1fk1fl1.tiff',
    'r01c49f01p01-ch1sk1fk1fl1.tiff',
    'r01c01f00p01-ch1sk1fk1fl1.tiff',
    'r01c01f01p01-ch99999sk1fk1fl1.tiff',
    'r01c01f01p01-ch1sk1fk1fl1_mask.tiff',
    'x_r01c01f01p01-ch1sk1fk1fl1.tiff',
    'r01c01f01p01-ch1sk1fk1fl1.png',
    'r01c01f12345678901p01-ch1.tiff',
    'A01_s001_w1_z001_t001.tif',
  ])('%s is none', (name) => {
    expect(parseHarmonyName(name)).toBeUndefined();
  });

  it('knows every namespace of Harmony, and no other', () => {
    expect(isHarmonyNamespace('http://www.perkinelmer.com/PEHH/HarmonyV4')).toBe(true);
    expect(isHarmonyNamespace('43B2A954-E3C3-47E1-B392-6635266B0DD3/HarmonyV7')).toBe(true);
    expect(isHarmonyNamespace('http://www.perkinelmer.com/Columbus')).toBe(false);
  });
});

describe('numbers', () => {
  it('are shifted without rounding twice', () => {
    expect(shiftedNumber('5.9797608000E-07', 6)).toBe(0.59797608);
    expect(shiftedNumber('2E-05', 6)).toBe(20);
    expect(shiftedNumber(' -0.000645814 ', 6)).toBe(-645.814);
    for (const text of ['NaN', 'INF', '', 'x', '1e400', '0x10', '1,5', '--1'])
      expect(shiftedNumber(text, 6)).toBeNaN();
  });

  it('are whole or none', () => {
    expect(['0', '12', ' 7 ', '999999999'].map(wholeNumber)).toEqual([0, 12, 7, 999_999_999]);
    for (const text of ['', ' ', '-1', '1.5', '1e3', '9999999999', 'NaN']) expect(wholeNumber(text)).toBe(-1);
  });

  it('are times only with a zone', () => {
    expect(unixMs('2024-06-24T11:48:56.0766001-04:00')).toBe(Date.UTC(2024, 5, 24, 15, 48, 56, 76));
    expect(unixMs('2024-06-24T11:48:56')).toBeNaN();
    expect(unixMs('not a time Z')).toBeNaN();
  });
});
