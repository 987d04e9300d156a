import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import cellomics from '../../../src/formats/cellomics.ts';
import { parseCellomicsName } from '../../../src/formats/shared/cellomics-name.ts';
import { wellName } from '../../../src/model/well.ts';
import { formatConformance, planesOf } from '../../conformance/formats.ts';
import { cpuNowMs } from '../../fixtures/cpu-time.ts';
import { writeCellomics, writeFiles } from '../../fixtures/vendor-plates.ts';

const signal = new AbortController().signal;
let scratch = '';
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'platefs-cellomics-'));
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

let made = 0;
async function folderOf(names: readonly string[]): Promise<string> {
  made += 1;
  const root = join(scratch, `plate${made}`);
  await writeFiles(root, Object.fromEntries(names.map((name) => [name, ''])));
  return root;
}

formatConformance(cellomics, {
  examples: async () => {
    const plate = await writeCellomics(join(scratch, 'above', 'plate'));
    return [{ title: 'TIFFs beside C01', folder: join(scratch, 'above'), ...plate }];
  },
});

describe('Cellomics', () => {
  it('takes the plate name from the images, and slices from z in front of the well', async () => {
    const root = await folderOf(['S 1_R_p00_z00_0_A01f00d0.tif', 'S 1_R_p00_z02_0_A01f00d0.tif']);
    const index = await cellomics.index(root, {}, signal);
    expect([...planesOf(index).keys()]).toEqual(['A01_s001_w1_z001_t001.tif', 'A01_s001_w1_z003_t001.tif']);
    expect(index.facts.name).toBe('S 1_R');
  });

  it('is no plate where all images are in its own format, and says so', async () => {
    const root = await folderOf(['P_1_A01f00d0.C01', 'P_1.MDB']);
    const detection = await cellomics.detect(root, signal);
    expect(detection.confidence).toBe('no');
    expect(detection.reason).toContain("P_1_A01f00d0.C01 is Cellomics' own format");
  });

  it('shows one of two files that differ in case, and names both', async () => {
    const root = await folderOf(['P_1_A01f00d0.tif', 'p_1_a01F00D0.TIF', `P_1_A01f${'9'.repeat(40)}d0.tif`]);
    const index = await cellomics.index(root, {}, signal);
    expect(index.planes.count).toBe(1);
    expect(index.warnings.map(({ kind }) => kind)).toEqual(['unrecognised-name', 'name-collision']);
  });
});

describe('Cellomics names', () => {
  it('are read back whatever the plate is called', () => {
    const parts = fc.record({
      plate: fc.oneof(
        fc.string({ maxLength: 20 }),
        fc.constantFrom('P_A01f00d0', 'a_B02_s9', 'x\n_C03f01', 'MFG_14'),
      ),
      row: fc.integer({ min: 0, max: 31 }),
      column: fc.integer({ min: 0, max: 47 }),
      field: fc.integer({ min: 0, max: 999 }),
      channel: fc.option(fc.integer({ min: 0, max: 9 }), { nil: undefined }),
      extension: fc.constantFrom('.C01', '.DIB', '.tif', '.TIF'),
    });
    fc.assert(
      fc.property(parts, ({ plate, row, column, field, channel, extension }) => {
        const name = `${plate}_${wellName({ row, column })}f${String(field).padStart(2, '0')}${channel === undefined ? '' : `d${channel}`}${extension}`;
        expect(parseCellomicsName(name)).toMatchObject({ plate, well: { row, column }, field });
        expect(parseCellomicsName(name)?.channel).toBe(channel);
      }),
    );
  });

  it.each([
    ['WHICA-VTI1_090915160001_A01f00o1.DIB', 'A01', 0, 1],
    ['070314_TDS_VSV_50K_P2_1_B02f0d0.tif', 'B02', 0, 0],
    ['AS_09125_050116030001_D03f00d2.tif', 'D03', 0, 2],
  ])('%s', (name, well, field, channel) => {
    const parsed = parseCellomicsName(name);
    expect(parsed).toMatchObject({ field, channel });
    expect(wellName(parsed!.well)).toBe(well);
  });

  it.each([
    'P_A01.tif',
    'P_A49f00d0.tif',
    'P_AG01f00d0.tif',
    'A01f00d0.tif',
    'P_A01f00d0',
    'P_A01f00d0.tif.bak2 ',
  ])('%s is none', (name) => expect(parseCellomicsName(name)).toBeUndefined());

  it('survive any text, in no time', () => {
    const startedMs = cpuNowMs();
    fc.assert(
      fc.property(
        fc.string({ maxLength: 300 }),
        (text) => void parseCellomicsName(`${text}_A01f${text}.tif`),
      ),
    );
    for (const part of ['_A01', '_A01f00', 'f0d0', '_z0', '\n'])
      parseCellomicsName(`${part.repeat(100_000)}.tif`);
    expect(cpuNowMs() - startedMs).toBeLessThan(2000);
  });
});
