import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm, truncate, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import cellvoyager from '../../../src/formats/cellvoyager.ts';
import { readCellVoyagerName } from '../../../src/formats/shared/cellvoyager-name.ts';
import { planeByName } from '../../../src/model/plate-lookup.ts';
import { FORMATS } from '../../../src/registry.generated.ts';
import { excludedOf, type FormatExample, formatConformance, planesOf } from '../../conformance/formats.ts';
import {
  type CellVoyagerPlate,
  mlfRecord,
  mlfText,
  writeCellVoyagerPlate,
} from '../../fixtures/cellvoyager-plate.ts';

const DATA = resolve(import.meta.dirname, '../../../../shared/data');
const SET = 'cv8000-minimal';
const signal = new AbortController().signal;

let scratch = '';
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'platefs-cv-'));
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

let made = 0;
async function plate(options: Partial<CellVoyagerPlate> = {}, below = '') {
  made += 1;
  const folder = join(scratch, `plate${made}`);
  return { folder, ...(await writeCellVoyagerPlate(join(folder, below), options)) };
}

const SMALL = { fields: 1, channels: 1, zSlices: 1, timePoints: 1, wells: [[2, 4]] } as const;
const D04 = 'Demo_A01_T0001_B04_T0001F001L01A01Z01C01.tif';
const index = (root: string) => cellvoyager.index(root, {}, signal);
const writeMlf = (root: string, records: readonly string[]) =>
  writeFile(join(root, 'MeasurementData.mlf'), mlfText(records));

interface Truth {
  plate_root: string;
  plate: { rows: number; columns: number; title: string };
  channels: Record<string, { pixel_um: number }>;
  planes: { virtual: string; source: string; xyz_um: [number, number, number]; site: number }[];
}
const truth = (): Truth => JSON.parse(readFileSync(join(DATA, `${SET}.truth.json`), 'utf8')) as Truth;

function realExample(): FormatExample {
  const { plate_root, planes } = truth();
  const root = join(DATA, SET, plate_root);
  const sources = new Set(planes.map(({ source }) => source.slice(plate_root.length + 1)));
  const others = readdirSync(root).filter((name) => !sources.has(name));
  return {
    title: SET,
    folder: join(DATA, SET),
    root,
    planes: new Map(planes.map(({ virtual, source }) => [virtual, source.slice(plate_root.length + 1)])),
    // Its six TIFFs that the truth file names no planes of are correction images.
    excluded: new Map(others.map((name) => [name, name.endsWith('.tif') ? 'correction' : 'metadata'])),
  };
}

formatConformance(cellvoyager, {
  examples: async () => {
    const examples: FormatExample[] = [];
    const cases: [Partial<CellVoyagerPlate>, string][] = [
      [{}, ''],
      [{ projections: true, extension: '.png' }, 'run/measurement'],
      [{ grammar: 'cq1' }, ''],
      [{ grammar: 'cq1', projections: true, plateColumns: 24, plateRows: 16, wells: [[16, 24]] }, 'x'],
      [{ title: 'SC_screen', fields: 4 }, ''],
      [{ title: 'MeasurementResult', fields: 1 }, ''],
    ];
    for (const [options, below] of cases) {
      const { folder, root, planes, excluded } = await plate(options, below);
      examples.push({ title: JSON.stringify(options), folder, root, planes, excluded });
    }
    return existsSync(DATA) ? [...examples, realExample()] : examples;
  },
});

describe.skipIf(!existsSync(DATA))('a real CV8000 plate (skipped where ../shared/data is absent)', () => {
  it('has the facts and positions of its truth file, and nothing to warn of', async () => {
    const { plate_root, plate: facts, channels, planes } = truth();
    const result = await index(join(DATA, SET, plate_root));
    expect(result.warnings).toEqual([]);
    expect(result.facts).toMatchObject({
      name: facts.title,
      plateRows: facts.rows,
      plateColumns: facts.columns,
      pixelSizeUm: { x: channels['1']?.pixel_um, y: channels['1']?.pixel_um },
      zSpacingUm: 3,
      grid: { rows: 2, columns: 2 },
      channels: [
        { number: 1, name: '405', emissionNm: 445, excitationNm: 405 },
        { number: 2, name: '488', emissionNm: 525, excitationNm: 488 },
        { number: 3, name: '561', emissionNm: 600, excitationNm: 561 },
        { number: 4, name: '640', emissionNm: 676, excitationNm: 640 },
      ],
    });
    for (const { virtual, xyz_um } of planes) {
      const i = planeByName(result, virtual) ?? -1;
      expect([result.planes.xsUm[i], result.planes.ysUm[i], result.planes.zsUm[i]], virtual).toEqual(xyz_um);
    }
    expect(result.planes.acquiredAtMs[0]).toBe(Date.parse('2023-09-18T13:58:44.438+02:00'));
  });

  it('is never certain of another kind of data', async () => {
    for (const entry of readdirSync(DATA, { withFileTypes: true })) {
      if (!entry.isDirectory() || entry.name === SET) continue;
      const { confidence } = await cellvoyager.detect(join(DATA, entry.name), signal);
      expect(confidence, entry.name).not.toBe('certain');
    }
  });
});

describe('facts', () => {
  it('come from mrf, mes and the records', async () => {
    const { root } = await plate({ fields: 4, projections: true });
    const { facts, warnings } = await index(root);
    expect(warnings).toEqual([]);
    expect(facts).toMatchObject({
      name: 'Demo_A01_T0001',
      formatDetail: 'Yokogawa CV8000 measurement',
      pixelSizeUm: { x: 0.325, y: 0.325 },
      zSpacingUm: 3,
      timeIntervalS: 60,
      grid: { rows: 2, columns: 2 },
      channels: [
        { number: 1, name: 'Hoechst', emissionNm: 445, excitationNm: 405 },
        { number: 2, name: 'GFP', emissionNm: 525 },
        { number: 3, name: 'BF' },
      ],
      declared: { 'w1 projection': 'Maximum' },
    });
  });

  it('hold no pixel size where channels differ in it, and those of the channels instead', async () => {
    const { root } = await plate({ pixelSizesUm: [0.325, 0.65, 0.1] });
    const { facts, warnings } = await index(root);
    expect(facts.pixelSizeUm).toBeUndefined();
    expect(facts.declared).toMatchObject({ 'w1 pixel size (µm)': 0.325, 'w2 pixel size (µm)': 0.65 });
    expect(warnings).toMatchObject([{ kind: 'contradiction', files: ['MeasurementDetail.mrf'] }]);
    // A channel without planes does not count.
    const one = await plate({ channels: 1, pixelSizesUm: [0.325, 0.65] });
    expect((await index(one.root)).facts.pixelSizeUm).toEqual({ x: 0.325, y: 0.325 });
  });
});

describe('names', () => {
  it('are read from their end, CQ1 wells by the columns of the plate', () => {
    const cv = { row: 3, column: 7, site: 2, channel: 5, z: 4, t: 1 };
    expect(readCellVoyagerName('a/x_A01_T0001_D08_T0001F002L01A02Z04C05.tif', undefined)).toEqual(cv);
    expect(readCellVoyagerName('Projection/W0029F0001T0001Z000C1.tif', 12)).toMatchObject({
      row: 2,
      column: 4,
      z: 0,
    });
    expect(readCellVoyagerName('Projection/W0069F0001T0001Z001C1.tif', 12)).toMatchObject({
      row: 5,
      column: 8,
      z: 0,
    });
    expect(readCellVoyagerName('Image/W0029F0001T0001Z002C1.tif', 24)).toMatchObject({
      row: 1,
      column: 4,
      z: 2,
    });
    expect(readCellVoyagerName('Image/W0029F0001T0001Z002C1.tif', undefined)).toEqual({
      site: 1,
      channel: 1,
      z: 2,
      t: 1,
    });
    for (const name of [
      'DC_DCAM#1_CAM3.tif',
      'x_D08_T0001F002L01A02Z04C05.txt',
      'x_Z99_T0001F001L01A01Z01C01.tif',
    ])
      expect(readCellVoyagerName(name, 12)).toBeUndefined();
  });
});

describe('detection', () => {
  it('is unsure of names alone, and certain of any one metadata file of a measurement', async () => {
    const { root } = await plate(SMALL);
    const metadata = ['MeasurementData.mlf', 'MeasurementDetail.mrf', 'Plate.wpi'];
    for (const name of metadata) {
      expect((await cellvoyager.detect(root, signal)).confidence).toBe('certain');
      await unlink(join(root, name));
    }
    expect((await cellvoyager.detect(root, signal)).confidence).toBe('maybe');
  });

  it('is not certain of a file that only bears the name', async () => {
    const folder = join(scratch, 'impostor');
    await mkdir(folder);
    await writeFile(join(folder, 'MeasurementData.mlf'), '<MeasurementData xmlns="http://example.org/"/>');
    expect((await cellvoyager.detect(folder, signal)).confidence).toBe('no');
  });

  it('is the only one that is certain of its plates', async () => {
    for (const options of [{}, { grammar: 'cq1', projections: true }] as const) {
      const { root } = await plate(options);
      for (const { id, load } of FORMATS) {
        const { confidence } = await (await load()).detect(root, signal);
        expect(confidence === 'certain', id).toBe(id === 'cellvoyager');
      }
    }
  });
});

describe('CQ1 measurements without an mlf', () => {
  const SIZE = 'PhysicalSizeX="0.65" PhysicalSizeY="0.65"';
  const image = (name: string, size = SIZE) =>
    `<Image ID="x" Name="${name}"><Pixels SizeX="4" ${size}><TiffData/></Pixels></Image>`;
  const ome = (...content: string[]) =>
    `<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2013-06">${content.join('')}</OME>`;
  async function cq1(...content: string[]) {
    const made = await plate({ grammar: 'cq1', projections: true });
    for (const name of ['MeasurementData.mlf', 'MeasurementDetail.mrf', 'Protocol.mes', 'Plate.wpi'])
      await unlink(join(made.root, name));
    await writeFile(join(made.root, 'MeasurementResult.ome.xml'), ome(...content));
    return made;
  }

  it('are named by the file names and the wells of the OME-XML', async () => {
    const { root, planes } = await cq1(
      image('Overview', SIZE.replaceAll('0.65', '9')),
      image('W1(R1C1),A1,F1'),
      image('W29(R3C5),A1,F1'),
    );
    expect(await cellvoyager.detect(root, signal)).toMatchObject({ confidence: 'certain', root });
    const result = await index(root);
    expect(planesOf(result)).toEqual(planes);
    expect(result.facts).toMatchObject({ plateColumns: 12, pixelSizeUm: { x: 0.65, y: 0.65 } });
    expect(result.warnings).toEqual([]);
    expect(excludedOf(result).get('MeasurementResult.ome.xml')).toBe('metadata');
  });

  it('take the columns of the plate where the wells do not tell them', async () => {
    const { root, planes } = await cq1('<Plate ID="p" Rows="8" Columns="12"/>', image('W4(R1C4),A1,F1'));
    expect(planesOf(await index(root))).toEqual(planes);
  });

  it('are not named where the wells contradict each other', async () => {
    const { root } = await cq1(image('W16(R2C4),A1,F1'), image('W28(R2C4),A1,F1', SIZE.replace('0.65', '1')));
    const result = await index(root);
    expect(result.planes.count).toBe(0);
    expect(result.facts.pixelSizeUm).toBeUndefined();
    expect(result.warnings.map(({ kind }) => kind)).toEqual(['unrecognised-name']);
  });
});

describe('plates with faults', () => {
  it('tells error records, which have no image and hardly an attribute', async () => {
    const { root, records, planes } = await plate();
    const error = mlfRecord({ Column: 14, Row: 3, TimePoint: 1 }, 'AF Error at C14 No. 0', 'ERR');
    await writeMlf(root, [...records, error, error]);
    const result = await index(root);
    expect(planesOf(result)).toEqual(planes);
    expect(result.warnings).toMatchObject([
      { kind: 'error-record', message: expect.stringMatching(/^2 records .*AF Error at C14/) },
    ]);
  });

  it('lets the mlf decide against names, and says so', async () => {
    const { root, records } = await plate(SMALL);
    await writeMlf(root, [
      (records[0] ?? '').replace('TimePoint="1"', 'TimePoint="2"').replace('Row="2"', 'Row="7"'),
    ]);
    const result = await index(root);
    expect([...planesOf(result).keys()]).toEqual(['G04_s001_w1_z001_t002.tif']);
    expect(result.warnings).toEqual([
      {
        kind: 'contradiction',
        message: `1 image has another well, time point in its name than in MeasurementData.mlf, e.g. ${D04}, shown as G04_s001_w1_z001_t002`,
        files: [D04],
        rule: 'MeasurementData.mlf decides, the name is not used',
      },
    ]);
  });

  it('takes ZTop or ZBottom alone for a projection', async () => {
    const { root, records } = await plate(SMALL);
    for (const attribute of ['ZTop', 'ZBottom', 'ZImageProcessing']) {
      await writeMlf(root, [(records[0] ?? '').replace(' bts:Ch=', ` bts:${attribute}="9.0" bts:Ch=`)]);
      expect([...planesOf(await index(root)).keys()]).toEqual(['B04_s001_w1_z000_t001.tif']);
    }
  });

  it('tells absent images by the names they would have, and shows images that are not listed', async () => {
    const { root, records, planes } = await plate({ ...SMALL, timePoints: 3 });
    await unlink(join(root, D04));
    await writeMlf(root, records.slice(0, 2));
    const result = await index(root);
    expect(planesOf(result).size).toBe(planes.size - 1);
    expect(result.warnings.slice(0, 2)).toMatchObject([
      {
        kind: 'absent-image',
        message: `1 image that MeasurementData.mlf lists is not on disk, e.g. B04_s001_w1_z001_t001: ${D04}`,
        files: [D04],
      },
      { kind: 'unlisted-image', files: [D04.replace('B04_T0001', 'B04_T0003')] },
    ]);
  });

  it('shows the listed image where an unlisted one is named like it', async () => {
    const { root, planes } = await plate(SMALL);
    await writeFile(join(root, D04.replace('Demo', 'Copy')), 'other');
    const result = await index(root);
    expect(planesOf(result)).toEqual(planes);
    expect(result.warnings).toMatchObject([{ kind: 'name-collision', files: [D04.replace('Demo', 'Copy')] }]);
  });

  it('uses the first of two records of one image', async () => {
    const { root, records, planes } = await plate(SMALL);
    await writeMlf(root, [...records, (records[0] ?? '').replace('Ch="1"', 'Ch="2"')]);
    const result = await index(root);
    expect(planesOf(result)).toEqual(planes);
    expect(result.warnings).toMatchObject([{ kind: 'contradiction', rule: 'the first entry decides' }]);
  });

  it('keeps the records before a fault and shows the rest by name', async () => {
    const { root, planes } = await plate();
    const path = join(root, 'MeasurementData.mlf');
    await truncate(path, Math.floor((await readFile(path)).length / 2));
    const result = await index(root);
    expect(planesOf(result)).toEqual(planes);
    expect(result.warnings.map(({ kind }) => kind)).toEqual(['bad-metadata', 'unlisted-image']);
    expect(result.warnings[0]).toMatchObject({
      message: expect.stringMatching(/^MeasurementData\.mlf: bad XML at line \d+/),
      files: ['MeasurementData.mlf'],
    });
  });

  it('names by the file names where nothing else is there, as far as the plate is known', async () => {
    const { root, planes } = await plate({ projections: true, grammar: 'cq1' });
    await unlink(join(root, 'MeasurementData.mlf'));
    expect(planesOf(await index(root))).toEqual(planes);
    for (const name of ['MeasurementDetail.mrf', 'Protocol.mes', 'Plate.wpi']) await unlink(join(root, name));
    const unknown = await index(root);
    expect(unknown.planes.count).toBe(0);
    expect(unknown.warnings.map(({ kind }) => kind)).toEqual(['unrecognised-name']);
  });

  it('never follows a path out of the plate', async () => {
    const { root, records, planes } = await plate(SMALL);
    await writeFile(join(dirname(root), 'secret.tif'), 'secret');
    for (const path of [
      '../secret.tif',
      '..\\secret.tif',
      '/etc/passwd',
      'C:\\a.tif',
      '\\\\s\\a.tif',
      'a/../../secret.tif',
      '',
    ]) {
      await writeMlf(root, [(records[0] ?? '').replace(D04, () => path)]);
      const result = await index(root);
      expect(result.warnings[0]?.kind, path).toBe('unsafe-path');
      expect(planesOf(result)).toEqual(planes);
    }
  });

  it('passes over records whose numbers can not be a place', async () => {
    const { root, records, planes } = await plate(SMALL);
    for (const [from, to] of [
      ['Row="2"', 'Row="33"'],
      ['Row="2"', 'Row="0"'],
      ['Column="4"', 'Column="1e3"'],
      ['Ch="1"', 'Ch="65536"'],
      ['Ch="1"', 'Ch="0"'],
      ['FieldIndex="1"', ''],
      ['TimePoint="1"', 'TimePoint="-1"'],
    ] as const) {
      await writeMlf(root, [(records[0] ?? '').replace(`bts:${from}`, to === '' ? '' : `bts:${to}`)]);
      const result = await index(root);
      expect(result.warnings[0]?.kind, to).toBe('bad-metadata');
      expect(planesOf(result)).toEqual(planes);
    }
  });

  it('finds folders that are written with backslashes', async () => {
    const { root, records, planes } = await plate({ grammar: 'cq1' });
    await writeMlf(
      root,
      records.map((record) => record.replace('Image/', 'Image\\')),
    );
    const result = await index(root);
    expect(planesOf(result)).toEqual(planes);
    expect(result.warnings).toEqual([]);
  });

  it('tells images under foreign names, and leaves junk alone', async () => {
    const { root } = await plate(SMALL);
    await writeFile(join(root, 'overview.tif'), 'x');
    await writeFile(join(root, `._${D04}`), 'x');
    await rename(join(root, 'DC_DCAM#1_CAM3.tif'), join(root, 'DC_other.TIF'));
    const result = await index(root);
    expect(excludedOf(result).get('overview.tif')).toBe('other');
    expect(excludedOf(result).get(`._${D04}`)).toBe('junk');
    expect(excludedOf(result).get('DC_other.TIF')).toBe('correction');
    expect(result.warnings).toMatchObject([{ kind: 'unrecognised-name', files: ['overview.tif'] }]);
  });

  it('takes any bytes for its metadata without a crash, and loses no image', async () => {
    const { root, planes } = await plate({ ...SMALL, zSlices: 3 });
    const files = ['MeasurementData.mlf', 'MeasurementDetail.mrf', 'Protocol.mes', 'Plate.wpi'].map((name) =>
      join(root, name),
    );
    const originals = await Promise.all(files.map((file) => readFile(file)));
    const edit = fc.tuple(fc.nat(4000), fc.oneof(fc.nat(255), fc.constantFrom(0x22, 0x3c, 0x3e, 0x26, 0x39)));
    await fc.assert(
      fc.asyncProperty(
        fc.nat(3),
        fc.array(edit, { minLength: 1, maxLength: 6 }),
        fc.option(fc.nat(3000)),
        async (which, edits, cut) => {
          for (const [i, file] of files.entries()) {
            const bytes = Buffer.from(originals[i]!);
            if (i === which) for (const [at, value] of edits) bytes[at % bytes.length] = value;
            await writeFile(file, i === which && cut !== null ? bytes.subarray(0, cut) : bytes);
          }
          const result = await index(root);
          // An edited number can move an image, even onto another's place; then that is told.
          const shown = new Set(planesOf(result).values());
          for (const path of planes.values())
            if (!shown.has(path))
              expect(result.warnings.some(({ files: told }) => told.includes(path))).toBe(true);
        },
      ),
      { numRuns: 60 },
    );
  });
});
