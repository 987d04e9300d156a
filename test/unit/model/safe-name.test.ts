import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rawName, safeName, TakenNames } from '../../../src/model/safe-name.ts';

describe('names of what sources hold, as file names', () => {
  it.each([
    ['plain', 'plain'],
    ['with space.tif', 'with space.tif'],
    ['µm – gènes', 'µm – gènes'],
    ['a/b', 'a%2Fb'],
    ['100%', '100%25'],
    ['', '%'],
    ['.', '%2E'],
    ['..', '%2E.'],
    ['.hidden', '%2Ehidden'],
    ['nul\0', 'nul%00'],
    ['\ud800', '%uD800'],
  ])('%j is %j', (raw, safe) => {
    expect(safeName(raw)).toBe(safe);
    expect(rawName(safe)).toBe(raw);
  });

  it('any name is one that a file can have, and is read back', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (raw) => {
        const safe = safeName(raw);
        expect(Buffer.byteLength(safe)).toBeLessThanOrEqual(220);
        expect(Buffer.from(safe).toString()).toBe(safe);
        expect(safe).not.toMatch(/^\.|\/|\0/);
        expect(safe).not.toBe('');
        const back = rawName(safe);
        if (back !== undefined) expect(back).toBe(raw);
        else expect(Buffer.byteLength(raw)).toBeGreaterThan(30);
      }),
      { numRuns: 50 },
    );
  });

  it('names that were cut differ where what was cut differs', () => {
    const long = 'x'.repeat(400);
    expect(safeName(`${long}a`)).not.toBe(safeName(`${long}b`));
    expect(rawName(safeName(long))).toBeUndefined();
  });

  it('no two names of a folder differ in case alone', () => {
    const taken = new TakenNames();
    expect(taken.take('Cell', ['.csv', '.tsv'])).toBe('Cell');
    expect(taken.take('cell', ['.csv', '.tsv'])).toBe('cell%~2');
    expect(taken.take('CELL', ['.tif'])).toBe('CELL');
    expect(taken.take('cell', ['.csv'])).toBe('cell%~3');
    expect(rawName('cell%~3')).toBe('cell');
  });
});
