import { describe, expect, it } from 'vitest';
import { placeOfFacts, placeOfName, placeText } from '../../../src/changes/plane-place.ts';

describe('where on the plate a changed file belongs', () => {
  it('is read from canonical names only', () => {
    const place = placeOfName('results/B03_s002_w1_z004_t005_labels.tif');
    expect(place).toEqual({ well: 'B03', field: 2, channel: 1, z: 4, t: 5 });
    expect(place && placeText(place)).toBe('B03 field 2 channel 1 z 4 t 5');
    expect(placeOfName('results/B3_s2.tif')).toBeUndefined();
  });

  it('is what the plate says of its own', () => {
    const facts = new Map([
      ['well', 'A01'],
      ['field', '2'],
      ['channel', '3'],
    ]);
    expect(placeOfFacts(facts)).toEqual({ well: 'A01', field: 2, channel: 3 });
    expect(placeOfFacts(new Map([['source', 'x.tif']]))).toBeUndefined();
  });
});
