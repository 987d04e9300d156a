import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import harmony from '../../../src/formats/harmony.ts';
import { missingPlanes } from '../../../src/model/missing-planes.ts';
import { planeStem } from '../../../src/model/plane-name.ts';
import type { PlateIndex } from '../../../src/model/plate-index.ts';
import { excludedOf, planesOf } from '../../conformance/formats.ts';
import {
  type HarmonyPlate,
  type HarmonyPlateOptions,
  makeHarmonyPlate,
} from '../../fixtures/harmony-plate.ts';

const signal = new AbortController().signal;

let scratch = '';
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'platefs-harmony-files-'));
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

let made = 0;
function plate(options: Partial<HarmonyPlateOptions> = {}): HarmonyPlate {
  made += 1;
  return makeHarmonyPlate(join(scratch, `plate${made}`), options);
}

const index = (root: string): Promise<PlateIndex> => harmony.index(root, {}, signal);
const kinds = ({ warnings }: PlateIndex): string[] => warnings.map(({ kind }) => kind);
const warningOf = ({ warnings }: PlateIndex, kind: string) => warnings.find((one) => one.kind === kind);
const one = { wells: [[1, 1]], planes: 1, times: 1, channels: [{ id: 1, name: 'DAPI' }] } as const;

describe('files and the Index', () => {
  it('tells images that are listed and not there, and shows nothing for them', async () => {
    const missing = ['B03_s003_w1_z002_t002', 'P24_s007_w3_z001_t001'];
    const { root, planes } = plate({ missing });
    const result = await index(root);
    expect(planesOf(result)).toEqual(planes);
    expect([...missingPlanes(result)].map(planeStem)).toEqual(missing);
    expect(warningOf(result, 'absent-image')).toMatchObject({
      files: ['r02c03f04p02-ch1sk2fk1fl1.tiff', 'r16c24f07p01-ch3sk1fk1fl1.tiff'],
      message: expect.stringContaining('2 images'),
    });
  });

  it('names files that no Index lists by their names, with the sites of their fields', async () => {
    const unlisted = 'r02c03f03p01-ch1sk1fk1fl1.tiff';
    const { root, planes } = plate({ image: (xml, url) => (url === unlisted ? '' : xml) });
    const result = await index(root);
    expect(planesOf(result)).toEqual(planes);
    expect(warningOf(result, 'unlisted-image')?.files).toEqual(['Images/r02c03f03p01-ch1sk1fk1fl1.tiff']);
  });

  it('believes the Index where a file name says something else, and says so', async () => {
    const { root } = plate({ ...one, image: (xml, url) => xml.replace(url, url.replace('f06', 'f60')) });
    await rename(
      join(root, 'Images/r01c01f06p01-ch1sk1fk1fl1.tiff'),
      join(root, 'Images/r01c01f60p01-ch1sk1fk1fl1.tiff'),
    );
    const result = await index(root);
    expect(planesOf(result).get('A01_s004_w1_z001_t001.tiff')).toBe('Images/r01c01f60p01-ch1sk1fk1fl1.tiff');
    expect(warningOf(result, 'contradiction')).toMatchObject({
      files: ['r01c01f60p01-ch1sk1fk1fl1.tiff'],
      rule: expect.stringContaining('Index'),
    });
  });

  it('finds files that were renamed in case or extension', async () => {
    const { root } = plate(one);
    await rename(
      join(root, 'Images/r01c01f06p01-ch1sk1fk1fl1.tiff'),
      join(root, 'Images/R01C01F06P01-CH1SK1FK1FL1.tif'),
    );
    const result = await index(root);
    expect(result.warnings).toEqual([]);
    expect(planesOf(result).get('A01_s004_w1_z001_t001.tif')).toBe('Images/R01C01F06P01-CH1SK1FK1FL1.tif');
  });

  it.each([
    '../secret/r01c01f02p01-ch1sk1fk1fl1.tiff',
    'a/../../secret/r01c01f02p01-ch1sk1fk1fl1.tiff',
    '/etc/r01c01f02p01-ch1sk1fk1fl1.tiff',
    '..\\secret\\r01c01f02p01-ch1sk1fk1fl1.tiff',
    'C:/r01c01f02p01-ch1sk1fk1fl1.tiff',
    'http://localhost/r01c01f02p01-ch1sk1fk1fl1.tiff',
  ])('never leaves the plate for %s', async (unsafe) => {
    const { root, planes } = plate({
      ...one,
      image: (xml, url) => xml.replace(/r01c01f02.*?tiff/, url === '' ? '' : unsafe),
    });
    await mkdir(join(scratch, 'secret'), { recursive: true });
    await writeFile(join(scratch, 'secret/r01c01f02p01-ch1sk1fk1fl1.tiff'), 'secret');
    const result = await index(root);
    expect(new Set(planesOf(result).values())).toEqual(new Set(planes.values()));
    expect(warningOf(result, 'unsafe-path')?.files).toEqual([unsafe]);
    expect(kinds(result)).toContain('unlisted-image');
  });

  it('tells images listed twice: the same, and as two planes', async () => {
    const same = plate({ ...one, image: (xml, url) => (url.includes('f03') ? xml + xml : xml) });
    const again = await index(same.root);
    expect(planesOf(again)).toEqual(same.planes);
    expect(warningOf(again, 'bad-metadata')?.message).toContain('listed twice');
    const other = plate({
      ...one,
      image: (xml, url) => (url.includes('f03') ? xml.replace('<FieldID>3', '<FieldID>5') + xml : xml),
    });
    const differing = await index(other.root);
    expect(planesOf(differing)).toEqual(other.planes);
    expect(differing.warnings.map(({ message }) => message).join()).toContain(
      'listed twice as different planes',
    );
  });

  it('leaves out images without a number, whose files then say it', async () => {
    const { root, planes } = plate({
      ...one,
      image: (xml, url) =>
        url.includes('f03') ? xml.replace('<Row>1', '<Row>99') : xml.replace('<Col>', '<Col> '),
    });
    const result = await index(root);
    expect(planesOf(result).size).toBe(planes.size);
    expect(warningOf(result, 'bad-metadata')?.files).toEqual(['r01c01f03p01-ch1sk1fk1fl1.tiff']);
  });

  it('tells states other than Ok, and shows the image', async () => {
    const { root, planes } = plate({
      ...one,
      image: (xml, url) => (url.includes('f03') ? xml.replace('>Ok<', '>Failed<') : xml),
    });
    const result = await index(root);
    expect(planesOf(result)).toEqual(planes);
    expect(warningOf(result, 'image-state')).toMatchObject({
      message: expect.stringMatching(/^1 image of .* was not taken as planned, e\.g\. .*\.tiff: Failed$/),
      files: ['r01c01f03p01-ch1sk1fk1fl1.tiff'],
    });
  });

  it('tells an Index of several plates', async () => {
    const { root } = plate({
      ...one,
      index: (xml) => xml.replace('</Plate>', '</Plate><Plate><Name>Two</Name></Plate>'),
    });
    const result = await index(root);
    expect(result.facts.name).toBe('Plate one');
    expect(warningOf(result, 'several-plates')?.message).toContain('2 plates');
  });

  it('uses a broken Index not at all, and the next one instead', async () => {
    const { root, planes, xml } = plate({ index: (text) => text.slice(0, text.length / 2) });
    const alone = await index(root);
    expect(new Set(planesOf(alone).values())).toEqual(new Set(planes.values()));
    expect(alone.facts.pixelSizeUm).toBeUndefined();
    expect(kinds(alone)).toEqual(['bad-metadata', 'unplaced-field']);
    expect(alone.warnings[0]?.message).toMatch(
      /Images\/Index.idx.xml was passed over: .*line \d+ .*cut short/,
    );
    await writeFile(join(root, 'Index.xml'), xml);
    const second = await index(root);
    expect(planesOf(second)).toEqual(planes);
    expect(kinds(second)).toEqual(['bad-metadata']);
  });

  it('sorts out what is no image of the plate', async () => {
    const { root, planes, index: path } = plate(one);
    const extra: [string, string][] = [
      ['Assaylayout/a.xml', 'metadata'],
      ['FFC_Profile/ch1.tiff', 'correction'],
      ['Evaluation1/r01c01f01p01-ch1sk1fk1fl1.tiff', 'other'],
      ['Images/Thumbs.db', 'junk'],
      ['Images/._r01c01f01p01-ch1sk1fk1fl1.tiff', 'junk'],
      ['Images/Index.ref.xml', 'metadata'],
      ['indexfile.txt', 'metadata'],
      ['Images/overview.tiff', 'other'],
      ['Copy/r01c01f01p01-ch9sk1fk1fl1.tiff', 'other'],
    ];
    for (const [name] of extra) {
      await mkdir(join(root, name, '..'), { recursive: true });
      await writeFile(join(root, name), 'x');
    }
    const result = await index(root);
    expect(planesOf(result)).toEqual(planes);
    expect(excludedOf(result)).toEqual(new Map([[path, 'metadata'], ...extra]));
    expect(result.warnings.map(({ kind, files }) => [kind, files])).toEqual([
      ['unrecognised-name', ['Images/overview.tiff']],
      ['unrecognised-folder', ['Copy/r01c01f01p01-ch9sk1fk1fl1.tiff']],
    ]);
  });
});
