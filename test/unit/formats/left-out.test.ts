import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import imagexpress from '../../../src/formats/imagexpress.ts';
import { isJunkName, leftOut } from '../../../src/formats/shared/left-out.ts';
import { EXCLUSIONS } from '../../../src/model/plate-index.ts';
import { excludedOf, planesOf } from '../../conformance/formats.ts';
import { writeFiles } from '../../fixtures/vendor-plates.ts';

const scratch = await mkdtemp(join(tmpdir(), 'platefs-left-out-'));
afterAll(() => rm(scratch, { recursive: true, force: true }));

describe('files that are no planes', () => {
  it.each([
    ['._x_A01_s1_w1.tif', '', 'junk'],
    ['.DS_Store', '', 'junk'],
    ['Thumbs.db', 'a', 'junk'],
    ['DESKTOP.INI', '', 'junk'],
    ['x.tif', 'a/__MACOSX/b', 'junk'],
    ['x.tif', '.Trash', 'junk'],
    ['a.czi', '', 'container'],
    ['a.C01', 'x', 'container'],
    ['plate_thumb.tif', '', 'thumbnail'],
    ['x.jpg', 'Thumbnails', 'thumbnail'],
    ['thumbprint assay.tif', '', 'other'],
    ['DC_sony_1.tif', '', 'correction'],
    ['SC_BP445-45_1.png', '', 'correction'],
    ['FlatField 20x.tif', '', 'correction'],
    ['Hoechst.ffc', '', 'correction'],
    ['plate.MDB', '', 'database'],
    ['log.sqlite', '', 'database'],
    ['notes.txt', '', 'other'],
    ['', '', 'other'],
    ['.tif', '', 'junk'],
  ])('%s in %j: %s', (name, folder, reason) => expect(leftOut(name, folder)).toBe(reason));

  it('are told of any name', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (name, folder) => {
        expect(EXCLUSIONS).toContain(leftOut(name, folder));
        if (isJunkName(name)) expect(leftOut(name, folder)).toBe('junk');
      }),
    );
  });

  it('never take an image of the plate, whatever the plate is called', async () => {
    const root = join(scratch, 'SC_thumb');
    await writeFiles(root, {
      'DC_thumb_flatfield_A01_s1_w1.TIF': '',
      'DC_thumb_flatfield_A01_s1_w2.TIF': '',
      'shading correction.tif': '',
      'overview.nd2': '',
      'plate.mdb': '',
      '._DC_thumb_flatfield_A01_s1_w1.TIF': '',
    });
    const index = await imagexpress.index(root, {}, new AbortController().signal);
    expect(planesOf(index).size).toBe(2);
    expect(Object.fromEntries(excludedOf(index))).toEqual({
      '._DC_thumb_flatfield_A01_s1_w1.TIF': 'junk',
      'overview.nd2': 'container',
      'plate.mdb': 'database',
      'shading correction.tif': 'correction',
    });
    expect(index.warnings.map(({ kind }) => kind)).not.toContain('unrecognised-name');
  });
});
