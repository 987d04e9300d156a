import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makePlate } from '../../../scripts/plate-maker/plate-maker.ts';
import { openPlate } from '../../../src/tree/open-plate.ts';
import { openWithPlates } from '../../../src/tree/open-with-plates.ts';
import { xdceImage, xdceText } from '../../fixtures/incell-plate.ts';

const signal = new AbortController().signal;

let scratch = '';
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'platefs-several-'));
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

describe('a folder of several plates', () => {
  it('is opened without one that has no images, whose files it has; so it is out of the cache', async () => {
    const folder = join(scratch, 'several');
    await makePlate(join(folder, 'whole'), { width: 16, height: 16, wells: ['A01'], sites: 1 });
    mkdirSync(join(folder, 'emptied'));
    const listed = { row: 3, column: 3, field: 0, wave: 0, z: 0, t: 0 };
    writeFileSync(
      join(folder, 'emptied/list.xdce'),
      xdceText([xdceImage('C - 03(fld 01 wv UV - DAPI).tif', 'C - 3', listed)]),
    );
    const before = new Date('2024-07-09T12:00:00Z');
    for (const entry of readdirSync(folder, { recursive: true, encoding: 'utf8' }))
      utimesSync(join(folder, entry), before, before);
    utimesSync(folder, before, before);
    const fromCache: boolean[] = [];
    const cacheDir = join(scratch, 'cache');
    const open = async () =>
      await openWithPlates({
        source: async (recognised) => {
          const opened = await openPlate(folder, { signal, cacheDir, ...(recognised ? { recognised } : {}) });
          fromCache.push(opened.fromCache);
          return opened.index;
        },
        plate: async (name) => (await openPlate(join(folder, name), { signal, cacheDir })).index,
      });
    for (const known of [[false, false], [true]]) {
      fromCache.length = 0;
      const { index, plates } = await open();
      expect(plates.map(({ name }) => name)).toEqual(['whole']);
      expect(index.warnings).toEqual([
        {
          kind: 'unreadable-source',
          files: ['emptied'],
          message: expect.stringMatching(/^emptied is shown as it is: .*no image was found/),
        },
      ]);
      expect(index.directories.count).toBe(2);
      expect(fromCache).toEqual(known);
    }
  });
});
