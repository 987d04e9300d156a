import { existsSync, readFileSync } from 'node:fs';
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import harmony from '../../../src/formats/harmony.ts';
import imagexpress from '../../../src/formats/imagexpress.ts';
import type { PlateIndex } from '../../../src/model/plate-index.ts';
import { planeByName } from '../../../src/model/plate-lookup.ts';
import { type FormatExample, formatConformance, planesOf } from '../../conformance/formats.ts';
import {
  type HarmonyPlate,
  type HarmonyPlateOptions,
  makeHarmonyPlate,
} from '../../fixtures/harmony-plate.ts';

const DATA = resolve(import.meta.dirname, '../../../../shared/data');
const SETS = ['operetta-v5', 'harmony-synth-v5', 'phenix-v7-meta'];
const signal = new AbortController().signal;

let scratch = '';
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'platefs-harmony-'));
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

interface TruthFile {
  index: string;
  plate: { id: string; name: string; rows: number; columns: number };
  planes: {
    virtual: string;
    source: string;
    field_id: number;
    position_um: [number, number];
    channel: number;
  }[];
  listed_but_absent: { virtual: string; source: string }[];
  channels: Record<string, string>;
  pixel_size_um: number;
  orphan_fields: number[];
}

const truthOf = (set: string): TruthFile =>
  JSON.parse(readFileSync(join(DATA, `${set}.truth.json`), 'utf8')) as TruthFile;

function realExample(set: string): FormatExample {
  const truth = truthOf(set);
  const excluded = new Map([[truth.index, 'metadata']]);
  if (set === 'operetta-v5') excluded.set('Assaylayout/Unnamed.xml', 'metadata');
  return {
    title: set,
    folder: join(DATA, set),
    root: join(DATA, set),
    planes: new Map(truth.planes.map(({ virtual, source }) => [virtual, source])),
    excluded,
  };
}

const GENERATED: readonly Partial<HarmonyPlateOptions>[] = [
  {},
  { schema: 'V4', extension: '.TIF' },
  { schema: 'V6', indexName: 'Index.xml' },
  { schema: 'V7', indexName: 'Index.ref.xml', layout: 'above' },
  { schema: 'V7', indexName: 'index.idx.xml', layout: 'wells' },
  { layout: 'flat', planes: 1, times: 1 },
  { missing: ['B03_s003_w1_z002_t002', 'P24_s007_w3_z001_t001'] },
  { index: (xml) => Buffer.from(xml.replace('utf-8', 'utf-16'), 'utf16le') },
];

formatConformance(harmony, {
  examples: async () => {
    const examples = GENERATED.map((options): FormatExample => {
      const { root, planes, index: path } = plate(options);
      const title = JSON.stringify(options);
      return { title, folder: root, root, planes, excluded: new Map([[path, 'metadata']]) };
    });
    return [...examples, ...(existsSync(DATA) ? SETS.map(realExample) : [])];
  },
});

describe.skipIf(!existsSync(DATA))('real plates (skipped where ../shared/data is absent)', () => {
  it.each(SETS)('%s has the facts of its truth file', async (set) => {
    const truth = truthOf(set);
    const result = await index(join(DATA, set));
    const { facts, planes } = result;
    expect(facts).toMatchObject({
      name: truth.plate.name,
      plateRows: truth.plate.rows,
      plateColumns: truth.plate.columns,
      declared: { PlateID: truth.plate.id },
    });
    expect(facts.declared?.['OrphanFields'] ?? '').toBe(truth.orphan_fields.join(', '));
    if (truth.planes.length > 0)
      expect(facts.pixelSizeUm).toEqual({ x: truth.pixel_size_um, y: truth.pixel_size_um });
    for (const { number, name } of facts.channels) expect(name).toBe(truth.channels[number]);
    for (const { virtual, field_id, position_um } of truth.planes) {
      const i = planeByName(result, virtual) ?? -1;
      expect([planes.fieldIds[i], planes.xsUm[i], planes.ysUm[i]]).toEqual([field_id, ...position_um]);
    }
    expect(warningOf(result, 'absent-image')?.files ?? []).toEqual(
      truth.listed_but_absent.map(({ source }) => source.replace('Images/', '')),
    );
  });

  it('has no warning for an honest plate, and spacing and interval of the synthetic one', async () => {
    expect((await index(join(DATA, 'operetta-v5'))).warnings).toEqual([]);
    const { facts } = await index(join(DATA, 'harmony-synth-v5'));
    expect(facts).toMatchObject({ grid: { rows: 2, columns: 3 }, zSpacingUm: 2, timeIntervalS: 600 });
  });
});

describe('facts', () => {
  it.each(['V4', 'V5', 'V6', 'V7'] as const)('are read from schema %s', async (schema) => {
    const result = await index(plate({ schema }).root);
    expect(result.warnings).toEqual([]);
    expect(result.facts).toMatchObject({
      name: 'Plate one',
      formatDetail: `Harmony export, Images/Index.idx.xml of schema ${schema}`,
      plateRows: 16,
      plateColumns: 24,
      grid: { rows: 2, columns: 3 },
      pixelSizeUm: { x: 0.59797608, y: 0.59797608 },
      zSpacingUm: 2,
      timeIntervalS: 600,
      channels: [
        { number: 1, name: 'HOECHST 33342', excitationNm: 380, emissionNm: 445 },
        { number: 3, name: '405ex, <630>', excitationNm: 480, emissionNm: 545 },
      ],
      declared: { InstrumentType: 'Phenix', PlateTypeName: '384 µClear', OrphanFields: '7' },
    });
    expect(result.facts.channels[1]?.flatField).toContain('{Background: {Character: Null}, Channel: 3');
    const i = planeByName(result, 'B03_s004_w3_z002_t002.tiff') ?? -1;
    const { fieldIds, xsUm, ysUm, zsUm, acquiredAtMs, elapsedS } = result.planes;
    expect([fieldIds, xsUm, ysUm, zsUm, acquiredAtMs, elapsedS].map((column) => column[i])).toEqual([
      6,
      -640,
      0,
      3,
      Date.parse('2022-12-19T09:11:00.500Z'),
      600,
    ]);
  });

  it('are left out where the metadata says nothing, or two things', async () => {
    const said = await index(
      plate({
        image: (xml, url) =>
          xml
            .replace(/<(ImageResolutionY|MeasurementTimeOffset|AbsTime)[^>]*>[^<]*/g, '<$1>')
            .replace('0E-06</PositionZ', url.includes('f02') ? '9E-06</PositionZ' : '0E-06</PositionZ'),
      }).root,
    );
    expect(said.facts.pixelSizeUm).toBeUndefined();
    expect(said.facts.timeIntervalS).toBeUndefined();
    const differing = await index(
      plate({ image: (xml, url) => (url.includes('ch3') ? xml.replaceAll('5.9797608E-07', '1E-06') : xml) })
        .root,
    );
    expect(differing.facts.pixelSizeUm).toBeUndefined();
    expect(warningOf(differing, 'contradiction')?.message).toContain('pixel sizes differ');
  });

  it('converts units, and leaves out values in unknown ones', async () => {
    const replace = (unit: string) => (xml: string) =>
      xml.replaceAll(/<(ImageResolution.) Unit="m">5.9797608E-07/g, `<$1 Unit="${unit}">0.5`);
    expect((await index(plate({ image: replace('µm') }).root)).facts.pixelSizeUm).toEqual({ x: 0.5, y: 0.5 });
    const unknown = await index(plate({ image: replace('inch') }).root);
    expect(unknown.facts.pixelSizeUm).toBeUndefined();
    expect(warningOf(unknown, 'bad-metadata')?.message).toContain("'inch'");
  });
});

describe('sites', () => {
  const shown = async (options: Partial<HarmonyPlateOptions>) => {
    const { root, planes } = plate({ ...one, ...options });
    const result = await index(root);
    return { result, got: planesOf(result), planes };
  };

  it('follow rows although the stage does not return exactly', async () => {
    const { got, planes, result } = await shown({
      fields: [
        { id: 4, x: -640.3, y: 639.9 },
        { id: 2, x: 0, y: 640.2 },
        { id: 3, x: -640, y: -0.2 },
        { id: 1, x: 0.1, y: 0 },
      ],
    });
    expect(got).toEqual(planes);
    expect(result.facts.grid).toEqual({ rows: 2, columns: 2 });
  });

  it('of fields whose place nobody says come last', async () => {
    const { got, planes, result } = await shown({
      fields: [
        { id: 9, x: 0, y: 640 },
        { id: 8, x: 0, y: 0 },
        { id: 1, x: Number.NaN, y: 0 },
      ],
    });
    expect(got).toEqual(planes);
    expect(warningOf(result, 'unplaced-field')?.message).toBe('nothing says where field 1 lies');
  });

  it('are told where wells differ in where a field lies', async () => {
    const result = await index(
      plate({
        image: (xml, url) => (url.startsWith('r16c24f02') ? xml.replace('"m">-640E', '"m">-90E') : xml),
      }).root,
    );
    expect(warningOf(result, 'contradiction')?.message).toContain('places field 2 differently');
  });

  it('are field numbers where there is no Index, and that is told', async () => {
    const { root } = plate({ ...one, index: () => undefined });
    const result = await index(root);
    expect(result.facts.formatDetail).toBe('Harmony images without an Index');
    expect(planesOf(result).get('A01_s007_w1_z001_t001.tiff')).toBe('Images/r01c01f07p01-ch1sk1fk1fl1.tiff');
    expect(kinds(result)).toEqual(['unplaced-field']);
  });
});

describe('times', () => {
  it('are those of the file names, from whatever number TimepointID counts', async () => {
    for (const schema of ['V5', 'V7'] as const) {
      const { root, planes } = plate({
        schema,
        image: (xml) => xml.replace(/<TimepointID>(\d)/, (_, id) => `<TimepointID>${Number(id) + 2}`),
      });
      const result = await index(root);
      expect(planesOf(result)).toEqual(planes);
      expect(result.warnings).toEqual([]);
    }
  });

  it('that do not go together are told', async () => {
    const { root, planes } = plate({
      image: (xml, url) =>
        url.startsWith('r02c03f01p01-ch1sk2') ? xml.replace(/<TimepointID>\d/, '<TimepointID>5') : xml,
    });
    const result = await index(root);
    expect(planesOf(result)).toEqual(planes);
    expect(warningOf(result, 'contradiction')?.message).toContain('TimepointID of 1 image');
  });

  it('of a fast series are fk; what two kinds of series leave over is told, not shown', async () => {
    const root = join(scratch, 'fast');
    await mkdir(root);
    for (const fk of [1, 2]) await writeFile(join(root, `r01c01f01p01-ch1sk1fk${fk}fl1.tiff`), '');
    expect([...planesOf(await index(root)).keys()]).toEqual([
      'A01_s001_w1_z001_t001.tiff',
      'A01_s001_w1_z001_t002.tiff',
    ]);
    for (const name of ['sk2fk1fl1', 'sk2fk2fl1', 'sk1fk1fl2'])
      await writeFile(join(root, `r01c01f01p01-ch1${name}.tiff`), '');
    const result = await index(root);
    expect([...planesOf(result).values()]).toEqual([
      'r01c01f01p01-ch1sk1fk1fl1.tiff',
      'r01c01f01p01-ch1sk2fk1fl1.tiff',
    ]);
    expect(result.warnings.map(({ kind, files }) => [kind, files.length])).toEqual([
      ['unmapped-axis', 2],
      ['unmapped-axis', 1],
    ]);
  });
});

describe('detection', () => {
  const detect = (folder: string) => harmony.detect(folder, signal);

  it('finds a measurement below, and does not choose between two', async () => {
    const { root } = plate(one);
    const folder = join(scratch, 'measurements');
    await cp(root, join(folder, 'P__2024-Measurement 1'), { recursive: true });
    expect(await detect(folder)).toMatchObject({
      confidence: 'certain',
      root: join(folder, 'P__2024-Measurement 1'),
    });
    await cp(root, join(folder, 'P__2024-Measurement 2'), { recursive: true });
    const two = await detect(folder);
    expect(two.confidence).toBe('no');
    expect(two.reason).toContain('P__2024-Measurement 1, P__2024-Measurement 2');
  });

  it('takes the images folder itself for the plate when it is named', async () => {
    const { root } = plate(one);
    expect(await detect(join(root, 'Images'))).toMatchObject({
      confidence: 'certain',
      root: join(root, 'Images'),
    });
    expect((await imagexpress.detect(root, signal)).confidence).toBe('no');
  });

  it('refuses an archive and says what to do', async () => {
    const image = 'images/r01c01/r01c01f01p01-ch01t01.tiff';
    for (const trace of [`hs/0-1/${image}`, image, `0-1/${image}`, 'x.kw.txt', 'Plate 1.hs']) {
      made += 1;
      const folder = join(scratch, `archive${made}`);
      await mkdir(join(folder, trace, '..'), { recursive: true });
      await writeFile(join(folder, trace), '');
      const detection = await detect(folder);
      expect(detection.confidence).toBe('no');
      expect(detection.reason).toMatch(
        /it is a Harmony archive \(.*\), which can't be read: export the measurement/,
      );
    }
  });

  it('takes no other XML for an Index, and a link that leads nowhere for none', async () => {
    for (const [name, content] of [
      ['other', '<EvaluationInputData xmlns="urn:other"/>'],
      ['garbage', '\0\0\0'],
      ['entities', '<!DOCTYPE EvaluationInputData><EvaluationInputData xmlns="HarmonyV5"/>'],
    ] as const) {
      const folder = join(scratch, name);
      await mkdir(folder);
      await writeFile(join(folder, 'Index.idx.xml'), content);
      expect((await detect(folder)).confidence).toBe('no');
    }
    const folder = join(scratch, 'dangling');
    await mkdir(folder);
    await symlink(join(scratch, 'nowhere'), join(folder, 'Index.idx.xml'));
    await writeFile(join(folder, 'r01c01f01p01-ch1.tiff'), '');
    expect((await detect(folder)).confidence).toBe('maybe');
  });
});
