import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BadParameterError } from '../../../src/core/errors.ts';
import { compileSourceLayout } from '../../../src/model/source-layout.ts';
import { parseWellName } from '../../../src/model/well.ts';
import { cpuNowMs } from '../../fixtures/cpu-time.ts';

const layoutOf = (template: string) => compileSourceLayout({ parameter: '--layout', template });
const read = (template: string, name: string) => layoutOf(template).image(name, {});

describe('layouts of source names', () => {
  it.each([
    ['{well}_s{site}_w{channel}.tif', 'AF48_s12_w3.TIFF', { row: 31, column: 47, site: 12, channel: '3' }],
    ['{well}_s{site}', 'R01C02_s1.tif', { row: 0, column: 1, site: 1 }],
    ['{well}{site}', 'C - 31.tif', 'other'],
    ['{well} {site}', 'c-3 1.tif', { row: 2, column: 2, site: 1 }],
    ['r{row:02}c{column:02}{site:03}{ext}', 'r01c12007.tif', { row: 0, column: 11, site: 7 }],
    ['r{row:02}c{column:02}{site:03}{ext}', 'r1c12007.tif', 'other'],
    ['{row}{column}.tif', 'B07.tif', { row: 1, column: 6 }],
    ['{row}_{column}.tif', '2_7.tif', { row: 1, column: 6 }],
    ['*_{well}_*', 'a_b_C03_d_e.tif', { row: 2, column: 2 }],
    ['*{site}', 'img007.tif', { site: 7 }],
    ['*{site}*', 'a1b2.tif', 'ambiguous'],
    ['{channel}_*', 'GFP_x_y.tif', 'ambiguous'],
    ['{channel}_{site}', 'my_GFP_1.tif', { channel: 'my_GFP', site: 1 }],
    ['{{{site}}}', '{4}.tif', { site: 4 }],
    ['{site}', '4.png.tif', 'other'],
    ['{site}', '1234567890.tif', 'other'],
    ['{column}', '49.tif', 'other'],
    ['{row}_{site}', 'AG_1.tif', 'other'],
    ['{t}.ome.tif', '2022y03m09d.ome.tif', { t: '2022y03m09d' }],
  ])('%s reads %s', (template, name, values) => {
    expect(read(template, name)).toEqual(values);
  });

  it('reads folders, each adding to those above it', () => {
    const layout = layoutOf('{channel}/*/t{t}/{well}_{site}.tif');
    expect(layout.depth).toBe(3);
    const channel = layout.folder(0, 'DAPI', {});
    if (typeof channel === 'string') throw new Error(channel);
    expect(layout.folder(1, '20240101 #3', channel)).toEqual({ channel: 'DAPI' });
    expect(layout.folder(2, 't07', channel)).toEqual({ channel: 'DAPI', t: '07' });
    expect(layout.folder(3, 'x', channel)).toBe('other');
  });

  it('reads back what was written by it', () => {
    const separator = fc.constantFrom('_', '-', ' ', '_x', '.', ' (', 'é');
    const token = fc.constantFrom('{well}', '{site}', '{channel}', '{z:02}', '{t}');
    fc.assert(
      fc.property(
        fc.uniqueArray(token, { minLength: 1, maxLength: 5 }),
        fc.array(separator, { minLength: 6, maxLength: 6 }),
        fc.integer({ min: 0, max: 31 }),
        fc.array(fc.integer({ min: 1, max: 99_999 }), { minLength: 5, maxLength: 5 }),
        (tokens, between, row, numbers) => {
          const template = tokens.map((one, i) => (between[i] ?? '') + one).join('');
          const well = `${row < 26 ? String.fromCharCode(65 + row) : `A${String.fromCharCode(39 + row)}`}7`;
          const texts: Record<string, string> = {
            '{well}': well,
            '{site}': String(numbers[0]),
            '{channel}': `w${numbers[1]}`,
            '{z:02}': String(numbers[2]).padStart(2, '0'),
            '{t}': String(numbers[3]),
          };
          const name = `${tokens.map((one, i) => (between[i] ?? '') + texts[one]).join('')}.tif`;
          const values = read(template, name);
          if (typeof values === 'string') throw new Error(`${template} ${name}: ${values}`);
          if (tokens.includes('{well}')) expect(values.row).toBe(row);
          if (tokens.includes('{site}')) expect(values.site).toBe(numbers[0]);
          if (tokens.includes('{channel}')) expect(values.channel).toBe(texts['{channel}']);
          if (tokens.includes('{z:02}')) expect(values.z).toBe(numbers[2]);
          if (tokens.includes('{t}')) expect(values.t).toBe(texts['{t}']);
        },
      ),
    );
  });

  it.each([
    ['*.tif', 'says nothing of well, site, channel, z or t'],
    ['{site}**', 'has ** in it; write one *'],
    [
      '{channel}{site}',
      'has {site} right beside {channel}, which may be any word; write what stands between them, or {channel:01}',
    ],
    ['*{channel}_{site}', 'has * right beside {channel}'],
    [
      '{site}{z}',
      'has {z} right behind {site}, so that nobody could tell where site ends; write {site:03} where it always has three digits',
    ],
    ['{site}_{field}', 'write one of them'],
    ['{row}x{column}', 'has a letter right behind {row}'],
    ['{well}{ext}/{site}', "has {ext} before its end|has {ext} in a folder's name"],
    ['/{site}', 'has an empty name'],
    ['../{site}', "holds '..'"],
    ['{sit}', 'holds {sit}'],
  ])('%s is refused', (template, why) => {
    expect(() => layoutOf(template)).toThrow(BadParameterError);
    expect(() => layoutOf(template)).toThrow(
      new RegExp(why.replaceAll(/[{}*().?]/g, '\\$&').replaceAll('|', '|')),
    );
  });

  it('takes no more than a moment for any name', () => {
    const template = `${'*a'.repeat(120)}{site}`;
    const layout = layoutOf(template);
    const startedMs = cpuNowMs();
    for (const name of ['a'.repeat(251), 'ab'.repeat(125), `${'a'.repeat(250)}1`, '1'.repeat(251)])
      layout.image(`${name}.tif`, {});
    const many = layoutOf(`${'*_'.repeat(100)}{well}_{site}`);
    many.image(`${'_'.repeat(240)}A1_x.tif`, {});
    expect(cpuNowMs() - startedMs).toBeLessThan(3000);
  });
});

describe('wells', () => {
  it.each([
    ['A1', 0, 0],
    ['a01', 0, 0],
    ['AF48', 31, 47],
    ['af48', 31, 47],
    ['R01C01', 0, 0],
    ['r32c48', 31, 47],
    ['C - 3', 2, 2],
    ['B/2', 1, 1],
    ['H012', 7, 11],
  ])('%s is a well', (text, row, column) => {
    expect(parseWellName(text)).toEqual({ row, column });
  });

  it.each(['AG1', 'A49', 'A0', 'R33C1', 'R0C1', '1A', 'A', '', 'A1B', 'A-', 'ABC1', 'A001234', 'A\n1'])(
    '%j is none',
    (text) => {
      expect(parseWellName(text)).toBeUndefined();
    },
  );
});
