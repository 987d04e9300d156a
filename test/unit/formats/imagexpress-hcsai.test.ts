import { existsSync, readdirSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rename, rm, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BadMetadataError } from '../../../src/core/errors.ts';
import imagexpressHcsai from '../../../src/formats/imagexpress-hcsai.ts';
import { parseJdce } from '../../../src/formats/shared/hcsai-jdce.ts';
import { parseHcsAiName } from '../../../src/formats/shared/hcsai-name.ts';
import { FORMATS } from '../../../src/registry.generated.ts';
import { excludedOf, type FormatExample, formatConformance, planesOf } from '../../conformance/formats.ts';
import { type HcsAiPlate, hcsAiJdce, writeHcsAiPlate } from '../../fixtures/hcsai-plate.ts';

const DATA = resolve(import.meta.dirname, '../../../../shared/data');
const signal = new AbortController().signal;

let scratch = '';
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'platefs-hcsai-'));
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

let made = 0;
async function plate(options: Partial<HcsAiPlate> = {}, below = '') {
  made += 1;
  const folder = join(scratch, `plate${made}`);
  return { folder, ...(await writeHcsAiPlate(join(folder, below), options)) };
}

const index = (root: string) => imagexpressHcsai.index(root, {}, signal);
const rewrite = async (path: string, change: (text: string) => string) => {
  await writeFile(path, change(await readFile(path, 'utf8')));
};

formatConformance(imagexpressHcsai, {
  examples: async () => {
    const examples: FormatExample[] = [];
    const cases: [Partial<HcsAiPlate>, string][] = [
      [{}, ''],
      [{}, 'Run_1/experiment'],
      [{ project: 'TL_z_stack_w_test_t3_G11_s2', wells: ['AF48', 'A01'], bom: true, newline: '\r\n' }, ''],
      [{ project: 'x_projection', zSlices: 1, timePoints: 1 }, 'experiment'],
      [{ manifests: 2 }, ''],
    ];
    for (const [options, below] of cases) {
      const { folder, root, planes, excluded } = await plate(options, below);
      examples.push({ title: JSON.stringify([options, below]), folder, root, planes, excluded });
    }
    return examples;
  },
});

describe('facts', () => {
  it('come from the descriptor, the grid and the interval from the manifest', async () => {
    const { root } = await plate({ sites: 4 });
    const { facts, warnings, planes } = await index(root);
    expect(warnings).toEqual([]);
    expect(facts).toMatchObject({
      name: '3500000000',
      pixelSizeUm: { x: 0.5817, y: 0.5817 },
      zSpacingUm: 3,
      timeIntervalS: 21600,
      grid: { rows: 2, columns: 2 },
      plateRows: 8,
      plateColumns: 12,
      channels: [
        { number: 1, name: 'TL', emissionNm: 440, excitationNm: 430 },
        { number: 2, name: 'FITC', emissionNm: 440, excitationNm: 430 },
      ],
      declared: { Binning: '1 X 1', NumberOfTimepoints: 2, NumberOfSlices: 3 },
    });
    expect([planes.xsUm[0], planes.ysUm[0], planes.zsUm[0]]).toEqual([-372.5, 745.25, 20000]);
    expect(planes.acquiredAtMs[0]).toBe(1785864670188);
  });

  it('of a single plane hold no z step, though the descriptor has one', async () => {
    const { root } = await plate({ zSlices: 1 });
    expect((await index(root)).facts.zSpacingUm).toBeUndefined();
  });

  it('leave the z step out where channels differ, and take none from 0', () => {
    const wavelengths = (...steps: number[]) =>
      Buffer.from(
        JSON.stringify({
          ImageStack: {
            AutoLeadAcquisitionProtocol: {
              Wavelengths: steps.map((ZStep, Index) => ({ Index, ZStep })),
              PlateMap: { ZDimensionParameters: { Step: 1.5 } },
            },
          },
        }),
      );
    expect(parseJdce('x', wavelengths(3, 2)).zStepUm).toBeUndefined();
    expect(parseJdce('x', wavelengths(0, 3)).zStepUm).toBe(3);
    expect(parseJdce('x', wavelengths(0, 0)).zStepUm).toBe(1.5);
  });
});

describe('names', () => {
  it('count from 0, and are read from their end', () => {
    expect(parseHcsAiName('P_t9_A01_s1_w1_z1_t0_B07_s2_w1_z5.tif')).toEqual({
      row: 1,
      column: 6,
      site: 3,
      channel: 2,
      z: 6,
      t: 1,
    });
    expect(parseHcsAiName('demo_projection_t0_C05_s0_w0_z0.TIFF')).toMatchObject({ z: 0 });
    for (const name of [
      'x_t0_B07_s0_w0.tif',
      'x_t0_Z99_s0_w0_z0.tif',
      'x_t0_B07_s0_w0_z0.tif.statistics.json',
    ])
      expect(parseHcsAiName(name)).toBeUndefined();
  });
});

describe('detection', () => {
  it('does not choose between the units of one run, and names them', async () => {
    const { folder } = await plate({}, 'experiment');
    await cp(join(folder, 'experiment'), join(folder, 'experiment_z_stack'), { recursive: true });
    const { confidence, reason } = await imagexpressHcsai.detect(folder, signal);
    expect(confidence).toBe('no');
    expect(reason).toContain('experiment, experiment_z_stack');
  });

  it('is unsure of a damaged or lone descriptor, and of a manifest without one', async () => {
    const { root } = await plate();
    await writeFile(join(root, 'Fixture.jdce'), '{"ImageStack": {');
    expect((await imagexpressHcsai.detect(root, signal)).confidence).toBe('maybe');
    await unlink(join(root, 'Fixture.jdce'));
    expect((await imagexpressHcsai.detect(root, signal)).confidence).toBe('maybe');
    const lone = join(scratch, 'lone');
    await mkdir(lone);
    await writeFile(join(lone, 'protocol.jdce'), hcsAiJdce({}));
    expect((await imagexpressHcsai.detect(lone, signal)).confidence).toBe('maybe');
  });

  it('is the only one that is certain of its plates', async () => {
    const { root } = await plate();
    for (const { id, load } of FORMATS) {
      const { confidence } = await (await load()).detect(root, signal);
      expect(confidence === 'certain', id).toBe(id === 'imagexpress-hcsai');
    }
  });

  it.skipIf(!existsSync(DATA))('is never certain of another kind of data', async () => {
    for (const entry of readdirSync(DATA, { withFileTypes: true })) {
      if (!entry.isDirectory()) continue;
      const { confidence } = await imagexpressHcsai.detect(join(DATA, entry.name), signal);
      expect(confidence, entry.name).not.toBe('certain');
    }
  });
});

describe('plates with faults', () => {
  it('shows images by their names without manifest or descriptor, and says so', async () => {
    const { root, planes } = await plate();
    await unlink(join(root, 'image_metadata_1.csv'));
    const without = await index(root);
    expect(planesOf(without)).toEqual(planes);
    expect(without.warnings.map(({ kind }) => kind)).toEqual(['bad-metadata']);
    expect(without.facts.formatDetail).toContain('no manifest');
    await writeFile(join(root, 'Fixture.jdce'), Buffer.from([0, 255, 3]));
    const bare = await index(root);
    expect(planesOf(bare)).toEqual(planes);
    expect(bare.facts.pixelSizeUm).toBeUndefined();
    expect(bare.warnings).toMatchObject([{ kind: 'bad-metadata', files: ['Fixture.jdce'] }]);
  });

  it('tells listed images that are absent, and images that are not listed', async () => {
    const { root, planes } = await plate({ timePoints: 1, zSlices: 1, sites: 1 });
    await unlink(join(root, 'timepoint0/Fixture_t0_B02_s0_w0_z0.tif'));
    await writeFile(join(root, 'timepoint0/Fixture_t0_B09_s0_w0_z0.tif'), 'x');
    await writeFile(join(root, 'timepoint0/snapshot.tif'), 'x');
    const result = await index(root);
    expect(planesOf(result).size).toBe(planes.size);
    expect(planesOf(result).get('B09_s001_w1_z001_t001.tif')).toBe('timepoint0/Fixture_t0_B09_s0_w0_z0.tif');
    expect(result.warnings.slice(0, 3)).toMatchObject([
      {
        kind: 'absent-image',
        files: ['timepoint0/Fixture_t0_B02_s0_w0_z0.tif'],
        message: expect.stringContaining('B02_s001_w1_z001_t001'),
      },
      { kind: 'unlisted-image', files: ['timepoint0/Fixture_t0_B09_s0_w0_z0.tif'] },
      { kind: 'unrecognised-name', files: ['timepoint0/snapshot.tif'] },
    ]);
  });

  it('lets the manifest decide against names, and the label against row and column', async () => {
    const { root } = await plate({ timePoints: 1, zSlices: 1, sites: 1, wells: ['B02'] });
    await rewrite(join(root, 'image_metadata_1.csv'), (text) =>
      text.replace(',B - 2,2,2,0,1,', ',C - 3,2,2,4,1,'),
    );
    const result = await index(root);
    expect(planesOf(result).get('C03_s005_w2_z001_t001.tif')).toBe('timepoint0/Fixture_t0_B02_s0_w1_z0.tif');
    expect(result.warnings).toContainEqual({
      kind: 'contradiction',
      message:
        '1 image has another well, field in its name than in image_metadata_1.csv, e.g. timepoint0/Fixture_t0_B02_s0_w1_z0.tif, shown as C03_s005_w2_z001_t001',
      files: ['timepoint0/Fixture_t0_B02_s0_w1_z0.tif'],
      rule: 'image_metadata_1.csv decides, the name is not used',
    });
    expect(result.warnings).toContainEqual(
      expect.objectContaining({ kind: 'contradiction', rule: 'the label decides' }),
    );
  });

  it('never follows a path out of the plate', async () => {
    const { root } = await plate({ timePoints: 1, zSlices: 1, sites: 1, wells: ['B02'] });
    await writeFile(join(dirname(root), 'Fixture_t0_B02_s0_w0_z0.tif'), 'secret');
    const hostile = ['..', '/etc', 'C:\\x', '..\\..', 'timepoint0/../..', 'a\0b', '\\\\server\\share'];
    for (const folder of hostile) {
      await rewrite(join(root, 'image_metadata_1.csv'), (text) =>
        text.replace(/,576,[^,]*,Fixture_t0_B02_s0_w0/, () => `,576,${folder},Fixture_t0_B02_s0_w0`),
      );
      const result = await index(root);
      expect(result.warnings[0], folder).toMatchObject({ kind: 'unsafe-path' });
      // It is shown all the same, by its own name.
      expect(planesOf(result).get('B02_s001_w1_z001_t001.tif')).toBe(
        'timepoint0/Fixture_t0_B02_s0_w0_z0.tif',
      );
    }
  });

  it('finds folders that are written with backslashes', async () => {
    const { root, planes } = await plate({ timePoints: 1 });
    await mkdir(join(root, 'deep'));
    await rename(join(root, 'timepoint0'), join(root, 'deep/timepoint0'));
    await rewrite(join(root, 'image_metadata_1.csv'), (text) =>
      text.replaceAll(',timepoint0,', ',.\\deep\\timepoint0\\,'),
    );
    const result = await index(root);
    expect([...planesOf(result).keys()]).toEqual([...planes.keys()]);
    expect(result.warnings).toEqual([]);
  });

  it('passes over a manifest of absurd shape with the line that is wrong, and keeps the rows before it', async () => {
    const { root, planes } = await plate({ timePoints: 1 });
    const cases: [string, RegExp][] = [
      [`"${'x'.repeat(70_000)}"\n`, /line 50: .*65536 characters/],
      [`${','.repeat(2000)}\n`, /line 50: .*1024 fields/],
      ['"open, and never closed\n', /line 50: ends inside quotes/],
    ];
    const manifest = join(root, 'image_metadata_1.csv');
    const whole = await readFile(manifest, 'utf8');
    for (const [bad, message] of cases) {
      await writeFile(manifest, whole + bad);
      const result = await index(root);
      expect(planesOf(result)).toEqual(planes);
      expect(result.warnings).toMatchObject([
        { kind: 'bad-metadata', message: expect.stringMatching(message), files: ['image_metadata_1.csv'] },
      ]);
      expect(result.warnings[0]?.message).not.toContain(scratch);
    }
  });

  it('refuses JSON of absurd depth and documents that are no object', () => {
    for (const text of [
      `${'['.repeat(100_000)}`,
      `${'{"a":'.repeat(90)}1${'}'.repeat(90)}`,
      '[]',
      '3',
      '',
      '{"x": 1}',
    ])
      expect(() => parseJdce('x.jdce', Buffer.from(text))).toThrow(BadMetadataError);
    expect(
      parseJdce('x', Buffer.from(`{"ImageStack": {"PlateId": "${'['.repeat(200)}\\"{"}}`)).name,
    ).toContain('[[');
  });

  it('sorts out sidecars, junk and foreign files', async () => {
    const { root, excluded } = await plate({ timePoints: 1, sites: 1, zSlices: 1, wells: ['B02'] });
    await writeFile(join(root, 'timepoint0/Thumbs.db'), 'x');
    await writeFile(join(root, 'notes.txt'), 'x');
    expect(excludedOf(await index(root))).toEqual(
      new Map([...excluded, ['timepoint0/Thumbs.db', 'junk'], ['notes.txt', 'other']]),
    );
  });

  it('takes any bytes for its metadata without a crash', async () => {
    const { root, planes } = await plate({ timePoints: 1, zSlices: 1, sites: 1, wells: ['B02'] });
    const files = [join(root, 'Fixture.jdce'), join(root, 'image_metadata_1.csv')];
    const originals = await Promise.all(files.map((file) => readFile(file)));
    await fc.assert(
      fc.asyncProperty(
        fc.nat(1),
        fc.array(
          fc.tuple(fc.nat(5000), fc.oneof(fc.nat(255), fc.constantFrom(0x22, 0x2c, 0x0a, 0x5c, 0x7b))),
          {
            minLength: 1,
            maxLength: 8,
          },
        ),
        fc.option(fc.nat(3000)),
        async (which, edits, cut) => {
          for (const [i, file] of files.entries()) {
            const bytes = Buffer.from(originals[i]!);
            if (i === which) for (const [at, value] of edits) bytes[at % bytes.length] = value;
            await writeFile(file, i === which && cut !== null ? bytes.subarray(0, cut) : bytes);
          }
          const result = await index(root);
          expect(result.planes.count).toBe(planes.size);
          for (const path of planesOf(result).values()) expect(path).toMatch(/^timepoint0\//);
        },
      ),
      { numRuns: 60 },
    );
  });
});
