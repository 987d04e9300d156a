import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseAxisFolder, parseMetaXpressName } from '../../../src/formats/shared/metaxpress-name.ts';
import { wellName } from '../../../src/model/well.ts';

const guid = fc
  .array(fc.constantFrom(...'0123456789ABCDEF'), { minLength: 32, maxLength: 32 })
  .map((hex) => [8, 4, 4, 4, 12].map((length) => hex.splice(0, length).join('')).join('-'));
const optional = <T>(values: fc.Arbitrary<T>) => fc.option(values, { nil: undefined });

describe('MetaXpress names', () => {
  it('are read back whatever the plate is called', () => {
    const parts = fc.record({
      plate: fc.oneof(
        fc.string({ maxLength: 12 }).filter((text) => !text.includes('/') && !text.includes('\0')),
        fc.constantFrom('', 'P1_A01_rep2', 'x_B02_s9_w8', 'A01', '9987', 'w1_s1'),
      ),
      row: fc.integer({ min: 0, max: 31 }),
      column: fc.integer({ min: 0, max: 47 }),
      site: optional(fc.integer({ min: 1, max: 400 })),
      wave: optional(fc.integer({ min: 1, max: 9 })),
      thumbnail: fc.boolean(),
      guid: optional(guid),
      extension: fc.constantFrom('.tif', '.TIF', '.tiff'),
    });
    fc.assert(
      fc.property(parts, ({ plate, row, column, site, wave, thumbnail, guid: id, extension }) => {
        const name = [
          plate === '' ? '' : `${plate}_`,
          wellName({ row, column }),
          site === undefined ? '' : `_s${site}`,
          wave === undefined ? '' : `_w${wave}`,
          thumbnail ? '_thumb' : '',
          id ?? '',
          extension,
        ].join('');
        expect(parseMetaXpressName(name)).toEqual({
          plate,
          row,
          column,
          site: site ?? 1,
          wave: wave ?? 1,
          hasSite: site !== undefined,
          hasWave: wave !== undefined,
          thumbnail,
          guid: id ?? '',
          extension,
        });
      }),
    );
  });

  it.each([
    ['Projection-Mix_E07_s1_w14887A96B-0000-4444-8888-0123456789AB.tif', 'E07', 1, 1],
    ['1well-3C-2S-Zmix-T_C07_s1_w1401562CF-BD52-4C90-A944-83185F26B372.tif', 'C07', 1, 1],
    ['P1_A01_rep2_C11_s10_w1.TIF', 'C11', 10, 1],
    ['9987_B02.TIF', 'B02', 1, 1],
    ['G10_s1_w1BEDC2073-A983-4B98-95E9-84466707A25D.tif', 'G10', 1, 1],
    ['x_AF48_w4.tif', 'AF48', 1, 4],
  ])('%s', (name, well, site, wave) => {
    const parsed = parseMetaXpressName(name);
    expect(parsed).toMatchObject({ site, wave });
    expect(wellName(parsed!)).toBe(well);
  });

  it.each([
    'overview.tif',
    'x_AG01_s1.tif',
    'x_A49.tif',
    'x_A00.tif',
    'x_A01_s0_w1.tif',
    'x_A01_w0.tif',
    'xA01.tif',
    'A01_s001_w1_z001_t001.tif',
    'r01c01f01p01-ch1sk1fk1fl1.tiff',
    'C - 03(fld 01 wv Blue - FITC).tif',
    'x_A01_s1_w1.png',
    '.tif',
    '_thumb.tif',
    '',
  ])('%s is none', (name) => expect(parseMetaXpressName(name)).toBeUndefined());

  it('survives any text', () => {
    fc.assert(fc.property(fc.string(), (text) => void parseMetaXpressName(`${text}.tif`)));
  });

  it('reads the folders of time points and z steps in every spelling', () => {
    expect(parseAxisFolder('TimePoint_12')).toEqual({ axis: 't', value: 12 });
    expect(parseAxisFolder('timepoint-3')).toEqual({ axis: 't', value: 3 });
    expect(parseAxisFolder('ZStep_0')).toEqual({ axis: 'z', value: 0 });
    expect(parseAxisFolder('ZSTEP4')).toEqual({ axis: 'z', value: 4 });
    for (const name of ['TimePoint', 'ZStep_x', 'my ZStep_1', 'ZStep_1 copy', 'Analysis'])
      expect(parseAxisFolder(name), name).toBeUndefined();
  });
});
