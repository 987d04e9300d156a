import { describe, expect, it } from 'vitest';
import { openHcsParser, parseOpenHcsName } from '../../../src/formats/shared/openhcs-name.ts';
import { flatPathCandidates, pathInPlate } from '../../../src/formats/shared/openhcs-path.ts';
import { planeStem } from '../../../src/model/plane-name.ts';

const stem = (name: string, parser?: string): string | undefined => {
  const parsed = parseOpenHcsName(name, openHcsParser(parser));
  return parsed && planeStem(parsed);
};
const IX = 'ImageXpressFilenameParser';
const HARMONY = 'OperaPhenixFilenameParser';

describe('names of OpenHCS', () => {
  it.each([
    ['B02_s001_w1_z000_t001.TIF', 'B02_s001_w1_z000_t001'],
    ['AF48_s1000_w12_z1000_t2000.tif', 'AF48_s1000_w12_z1000_t2000'],
    ['A01_s1_w1_z1.tif', 'A01_s001_w1_z001_t001'],
    ['9987_B02.TIF', 'B02_s001_w1_z001_t001'],
    ['P1_A01_rep2_C11_s10_w1.TIF', 'C11_s010_w1_z001_t001'],
    ['A01_s001_w1_z001_t001_mask.tif', undefined],
    ['A01_w1_s001.tif', undefined],
    ['A01_s000_w1.tif', undefined],
    ['A01_s001_w0.tif', undefined],
    ['A01_s{iii}_w1.tif', undefined],
    ['Z99_s001_w1.tif', undefined],
    ['A01_s001_w1_z001_t001.png', undefined],
  ])('%s is %s', (name, expected) => {
    expect(stem(name, IX)).toBe(expected);
    expect(stem(name)).toBe(expected);
  });

  it('follows the grammar that the metadata names', () => {
    const name = 'r01c02f003p004-ch5sk6fk1fl1.tiff';
    expect([stem(name, HARMONY), stem(name), stem(name, IX)]).toEqual([
      'A02_s003_w5_z004_t006',
      'A02_s003_w5_z004_t006',
      undefined,
    ]);
    expect(stem('A01_s001_w1_z001_t001.tif', HARMONY)).toBeUndefined();
    expect(stem('r01c02f003p004-ch5sk6fk2fl1.tiff', HARMONY)).toBeUndefined();
  });

  it('tells the names that OpenHCS itself constructs from those of an instrument', () => {
    const isConstructed = (name: string) => parseOpenHcsName(name, 'either')?.isConstructed;
    expect(['B02_s001_w1_z001_t001.tif', 'r01c02f003p004-ch5sk6fk1fl1.tiff'].map(isConstructed)).toEqual([
      true,
      true,
    ]);
    expect(['9987_B02_s1_w1.TIF', 'r01c02f03p04-ch5sk6fk1fl1.tiff'].map(isConstructed)).toEqual([
      false,
      false,
    ]);
  });
});

describe('paths in the metadata', () => {
  it.each([
    ['images/x.tif', 'images/x.tif'],
    ['./images//x.tif', 'images/x.tif'],
    ['images\\x.tif', 'images/x.tif'],
    ['/plates/p/images/x.tif', 'images/x.tif'],
    ['/plates/pp/images/x.tif', undefined],
    ['../x.tif', undefined],
    ['a/../../x.tif', undefined],
    ['/plates/p/../x.tif', undefined],
    ['C:\\p\\x.tif', undefined],
    ['a\0b', undefined],
    ['', undefined],
    ['.', undefined],
  ])('%j is %j', (path, expected) => expect(pathInPlate(path, '/plates/p')).toBe(expected));

  it('of the flat layout are looked for below the plate only', () => {
    const candidates = flatPathCandidates('/old/place/p/images.zarr/x.tif', '/new/p');
    expect(candidates.slice(0, 2)).toEqual(['images.zarr/x.tif', 'images/x.tif']);
    expect(flatPathCandidates('/etc/../../x.tif', '/new/p')).toEqual([]);
    for (const path of candidates) expect(path).not.toMatch(/^\/|\.\./);
  });
});
