import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rm, truncate, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import incell from '../../../src/formats/incell.ts';
import { parseInCellName } from '../../../src/formats/shared/incell-name.ts';
import { planeByName } from '../../../src/model/plate-lookup.ts';
import { FORMATS } from '../../../src/registry.generated.ts';
import { excludedOf, type FormatExample, formatConformance, planesOf } from '../../conformance/formats.ts';
import { type InCellPlate, writeInCellPlate, xdceImage, xdceText } from '../../fixtures/incell-plate.ts';

const DATA = resolve(import.meta.dirname, '../../../../shared/data');
const SET = 'incell6000-meta';
const signal = new AbortController().signal;

let scratch = '';
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'platefs-incell-'));
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

let made = 0;
async function plate(options: Partial<InCellPlate> = {}, below = '') {
  made += 1;
  const folder = join(scratch, `plate${made}`);
  return { folder, ...(await writeInCellPlate(join(folder, below), options)) };
}

const SMALL = { wells: [[3, 3]], fields: 1, waves: [['UV', 'DAPI']] } as const;
const C03 = 'C - 03(fld 01 wv UV - DAPI).tif';
const AT_C03 = { row: 3, column: 3, field: 0, wave: 0, z: 0, t: 0 };
const index = (root: string) => incell.index(root, {}, signal);
const writeList = (root: string, images: readonly string[], options: Partial<InCellPlate> = SMALL) =>
  writeFile(join(root, 'test.xdce'), xdceText(images, options));

interface Truth {
  plate: { rows: number; columns: number };
  channels: { index: number; em: string; mode: string }[];
  pixel_size_um: number;
  listed_but_absent: { virtual: string; source: string; offset_um: [number, number] }[];
}
const truth = (): Truth => JSON.parse(readFileSync(join(DATA, `${SET}.truth.json`), 'utf8')) as Truth;

formatConformance(incell, {
  examples: async () => {
    const examples: FormatExample[] = [];
    const cases: [Partial<InCellPlate>, string][] = [
      [{}, ''],
      [{ zSlices: 2, timePoints: 2 }, 'plate/run'],
      [{ subfolders: true, zSlices: 2 }, 'run'],
      [
        {
          waves: [
            ['Blue', 'DAPI'],
            ['UV', 'DAPI'],
            ['TL-Brightfield', 'DAPI'],
          ],
        },
        '',
      ],
    ];
    for (const [options, below] of cases) {
      const { folder, root, planes, excluded } = await plate(options, below);
      examples.push({ title: JSON.stringify(options), folder, root, planes, excluded });
    }
    if (!existsSync(DATA)) return examples;
    const folder = join(DATA, SET);
    const excluded = new Map([['test_data.xdce', 'metadata']]);
    return [...examples, { title: SET, folder, root: folder, planes: new Map(), excluded }];
  },
});

describe.skipIf(!existsSync(DATA))(
  'a real IN Cell 6000 list (skipped where ../shared/data is absent)',
  () => {
    it('has the facts of its truth file, and tells every absent image by the name it would have', async () => {
      const told = truth();
      const { facts, warnings } = await index(join(DATA, SET));
      expect(facts).toMatchObject({
        name: 'test_plate',
        formatDetail: 'IN Cell Analyzer 6000 acquisition',
        plateRows: told.plate.rows,
        plateColumns: told.plate.columns,
        pixelSizeUm: { x: told.pixel_size_um, y: told.pixel_size_um },
        channels: told.channels.map(({ index: number, em }) => ({ number, name: em })),
        grid: { rows: 4, columns: 4 },
        declared: Object.fromEntries(told.channels.map(({ index: w, mode }) => [`w${w} imaging mode`, mode])),
      });
      expect(facts.zSpacingUm).toBeUndefined();
      expect(warnings.map(({ kind }) => kind)).toEqual(['contradiction', 'absent-image']);
      expect(warnings[0]).toMatchObject({
        rule: 'the label decides',
        message: expect.stringMatching(
          /^8 images' .*D - 03\(fld 01 wv UV - DAPI\)\.tif: D03, row 3 column 3$/,
        ),
      });
      expect(warnings[1]?.files).toEqual(told.listed_but_absent.map(({ source }) => source));
    });

    it('gives the images their names once they are there', async () => {
      const { listed_but_absent } = truth();
      const root = join(scratch, 'real');
      await cp(join(DATA, SET), root, { recursive: true });
      for (const { source } of listed_but_absent) await writeFile(join(root, source), 'image');
      const result = await index(root);
      expect([...planesOf(result)].sort()).toEqual(
        listed_but_absent.map(({ virtual, source }) => [virtual, source]).sort(),
      );
      expect(result.warnings.map(({ rule }) => rule)).toEqual(['the label decides']);
      for (const { virtual, offset_um } of listed_but_absent) {
        const i = planeByName(result, virtual) ?? -1;
        expect([result.planes.xsUm[i], result.planes.ysUm[i]]).toEqual(offset_um);
      }
    });

    it('is never certain of another kind of data', async () => {
      for (const entry of readdirSync(DATA, { withFileTypes: true })) {
        if (!entry.isDirectory() || entry.name === SET) continue;
        const { confidence } = await incell.detect(join(DATA, entry.name), signal);
        expect(confidence, entry.name).not.toBe('certain');
      }
    });
  },
);

describe('facts', () => {
  it('come from the protocol, whose micro sign is Latin-1', async () => {
    const { root } = await plate({ zSlices: 2, timePoints: 2 });
    const { facts, warnings, planes } = await index(root);
    expect(warnings).toEqual([]);
    expect(facts).toMatchObject({
      name: 'plate 7',
      pixelSizeUm: { x: 0.1625, y: 0.1625 },
      zSpacingUm: 1.3,
      timeIntervalS: 300,
      grid: { rows: 1, columns: 2 },
      plateRows: 16,
      plateColumns: 24,
      channels: [
        { number: 1, name: 'DAPI', emissionNm: 455, excitationNm: 405 },
        { number: 2, name: 'FITC', emissionNm: 455, excitationNm: 405 },
      ],
    });
    expect([planes.xsUm[0], planes.ysUm[0], planes.zsUm[0]]).toEqual([-1248.487, 1295.458, 2759.08]);
    expect(planes.acquiredAtMs[0]).toBe(1706094360500);
  });

  it('hold no z step of a single plane, and no lengths in unknown units', async () => {
    const { root } = await plate({ unit: 'furlong' });
    const { facts, warnings, planes } = await index(root);
    expect(facts.zSpacingUm).toBeUndefined();
    expect(facts.pixelSizeUm).toBeUndefined();
    expect(planes.xsUm.length).toBe(0);
    expect(warnings).toMatchObject([{ kind: 'bad-metadata', message: expect.stringContaining('furlong') }]);
  });

  it('name channels by both filters where two share one', async () => {
    const { root } = await plate({
      waves: [
        ['UV', 'DAPI'],
        ['TL', 'DAPI'],
        ['Blue', 'FITC'],
      ],
    });
    expect((await index(root)).facts.channels.map(({ name }) => name)).toEqual([
      'UV - DAPI',
      'TL - DAPI',
      'FITC',
    ]);
  });
});

describe('names', () => {
  it('are read with and without z and time, with prefixes, and in the older spelling', () => {
    expect(parseInCellName('C - 03(fld 01 wv Blue - FITC z 01 tm 0001).tif')).toEqual({
      well: { row: 2, column: 2 },
      field: 1,
      wave: 'Blue - FITC',
      z: 1,
      t: 1,
    });
    expect(parseInCellName('Plate_HA41_AF - 048(fld 12 wv TL-Brightfield - Cy3).TIF')).toEqual({
      well: { row: 31, column: 47 },
      field: 12,
      wave: 'TL-Brightfield - Cy3',
    });
    expect(parseInCellName('B - 02(fld 01 wv Blue - FITC - time 03 - 200 ms).tif')).toMatchObject({
      wave: 'Blue - FITC',
      t: 3,
    });
    for (const name of [
      'C - 03(fld 01 wv Blue - FITC).png',
      'C - 03(fld wv x).tif',
      'Z - 99(fld 1 wv x).tif',
    ])
      expect(parseInCellName(name)).toBeUndefined();
  });
});

describe('detection', () => {
  it('is unsure of names alone, and says no to another xdce', async () => {
    const { root } = await plate(SMALL);
    await writeFile(join(root, 'test.xdce'), '<Other/>');
    expect((await incell.detect(root, signal)).confidence).toBe('maybe');
    await unlink(join(root, C03));
    expect(await incell.detect(root, signal)).toMatchObject({ confidence: 'no' });
  });

  it('is the only one that is certain of its plates', async () => {
    const { root } = await plate({ subfolders: true });
    for (const { id, load } of FORMATS) {
      const { confidence } = await (await load()).detect(root, signal);
      expect(confidence === 'certain', id).toBe(id === 'incell');
    }
  });
});

describe('plates with faults', () => {
  it('lets the label decide against row and column numbers, and the list against names', async () => {
    const { root } = await plate(SMALL);
    await writeList(root, [xdceImage(C03, 'D - 4', { ...AT_C03, field: 6 })]);
    const result = await index(root);
    expect([...planesOf(result).keys()]).toEqual(['D04_s007_w1_z001_t001.tif']);
    expect(result.warnings.map(({ rule }) => rule)).toEqual([
      'test.xdce decides, the name is not used',
      'the label decides',
    ]);
    expect(result.warnings[0]?.message).toContain('another well, field in its name');
  });

  it('uses row and column where there is no label', async () => {
    const { root, planes } = await plate(SMALL);
    await writeList(root, [xdceImage(C03, '', AT_C03)]);
    const result = await index(root);
    expect(planesOf(result)).toEqual(planes);
    expect(result.warnings).toEqual([]);
  });

  it('does not choose between two files of one name in two folders', async () => {
    const { root } = await plate(SMALL);
    for (const folder of ['a', 'b']) {
      await mkdir(join(root, folder));
      await cp(join(root, C03), join(root, folder, C03));
    }
    await unlink(join(root, C03));
    const result = await index(root);
    expect(result.warnings[0]).toMatchObject({ kind: 'absent-image', files: [C03] });
    expect(result.warnings.some(({ kind }) => kind === 'name-collision')).toBe(true);
    expect(planesOf(result).get('C03_s001_w1_z001_t001.tif')).toBe(`a/${C03}`);
  });

  it('shows images by name behind a fault and without a list, as far as names say it', async () => {
    const { root, planes } = await plate();
    const path = join(root, 'test.xdce');
    const size = (await readFile(path)).length;
    await truncate(path, size - 900);
    const cut = await index(root);
    expect(planesOf(cut)).toEqual(planes);
    expect(cut.warnings.map(({ kind }) => kind)).toEqual(['bad-metadata', 'unlisted-image']);
    await unlink(path);
    const bare = await index(root);
    expect(bare.planes.count).toBe(0);
    expect(bare.warnings).toMatchObject([{ kind: 'unrecognised-name' }]);
    expect(bare.facts.formatDetail).toContain('without .xdce');
  });

  it('reads several lists of one plate', async () => {
    const { root, images, planes } = await plate();
    await writeFile(join(root, 'test.xdce'), xdceText(images.slice(0, 3)));
    await writeFile(join(root, 'test_2.xdce'), xdceText(images.slice(3)));
    const result = await index(root);
    expect(planesOf(result)).toEqual(planes);
    expect(result.warnings).toEqual([]);
    expect(excludedOf(result).get('test_2.xdce')).toBe('metadata');
  });

  it('never follows a path out of the plate', async () => {
    const { root, planes } = await plate(SMALL);
    await writeFile(join(dirname(root), C03), 'secret');
    for (const path of [`../${C03}`, `..\\${C03}`, `/${C03}`, `C:\\${C03}`, `a/../../${C03}`, '']) {
      await writeList(root, [xdceImage(path, 'C - 3', AT_C03)]);
      const result = await index(root);
      expect(result.warnings[0]?.kind, path).toBe('unsafe-path');
      expect(planesOf(result)).toEqual(planes);
    }
  });

  it('passes over images whose numbers can not be a place', async () => {
    const { root, planes } = await plate(SMALL);
    const good = xdceImage(C03, 'C - 3', AT_C03);
    for (const bad of [
      good.replace('label="C - 3"', '').replace('Row number="3"', 'Row number="40"'),
      good.replace('wave_index="0"', 'wave_index="70000"'),
      good.replace('field_index="0"', 'field_index="-1"'),
      good.replace(/<Identifier[^>]*>/, ''),
    ]) {
      await writeList(root, [bad]);
      const result = await index(root);
      expect(result.warnings[0]?.kind).toBe('bad-metadata');
      expect(planesOf(result)).toEqual(planes);
    }
  });

  it('takes any bytes for its list without a crash, and tells what it does not show', async () => {
    const { root, planes } = await plate();
    const path = join(root, 'test.xdce');
    const original = await readFile(path);
    const edit = fc.tuple(fc.nat(6000), fc.oneof(fc.nat(255), fc.constantFrom(0x22, 0x3c, 0x3e, 0x26, 0x39)));
    await fc.assert(
      fc.asyncProperty(
        fc.array(edit, { minLength: 1, maxLength: 6 }),
        fc.option(fc.nat(6000)),
        async (edits, cut) => {
          const bytes = Buffer.from(original);
          for (const [at, value] of edits) bytes[at % bytes.length] = value;
          await writeFile(path, cut === null ? bytes : bytes.subarray(0, cut));
          const result = await index(root);
          const shown = new Set(planesOf(result).values());
          for (const image of planes.values())
            if (!shown.has(image))
              expect(result.warnings.some(({ files }) => files.includes(image))).toBe(true);
        },
      ),
      { numRuns: 60 },
    );
  });
});
