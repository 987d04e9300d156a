import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import incucyte from '../../../src/formats/incucyte.ts';
import { parseIncucyte, parseIncucyteExport } from '../../../src/formats/shared/incucyte-name.ts';
import { wellName } from '../../../src/model/well.ts';
import { formatConformance, planesOf } from '../../conformance/formats.ts';
import { cpuNowMs } from '../../fixtures/cpu-time.ts';
import { writeFiles, writeIncucyteExport, writeIncucyteRaw } from '../../fixtures/vendor-plates.ts';

const signal = new AbortController().signal;
let scratch = '';
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'platefs-incucyte-'));
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

let made = 0;
async function folderOf(names: readonly string[]): Promise<string> {
  made += 1;
  const root = join(scratch, `plate${made}`);
  await writeFiles(root, Object.fromEntries(names.map((name) => [name, ''])));
  return root;
}
const index = async (names: readonly string[]) => incucyte.index(await folderOf(names), {}, signal);

formatConformance(incucyte, {
  examples: async () => {
    const exported = await writeIncucyteExport(join(scratch, 'above', 'export'));
    const raw = await writeIncucyteRaw(join(scratch, 'archive'));
    return [
      { title: 'export', folder: join(scratch, 'above'), ...exported },
      { title: 'archive', folder: raw.root, ...raw },
    ];
  },
});

describe('Incucyte', () => {
  it('numbers times in their order and keeps them, with the interval', async () => {
    const { root } = await writeIncucyteExport(join(scratch, 'times'));
    const { facts, planes, warnings } = await incucyte.index(root, {}, signal);
    expect(warnings).toEqual([]);
    expect(facts.timeIntervalS).toBe(7200);
    expect(facts.declared).toEqual({ Times: "the instrument's local time: the time zone is not known" });
    expect(new Date(planes.acquiredAtMs[0] ?? 0).toISOString()).toBe('2021-12-31T23:30:00.000Z');
    expect(facts.channels).toEqual([{ number: 1 }]);
  });

  it('takes channels from the text before the well', async () => {
    const { facts } = await index(['R2_MDF_green_B2_1_00d00h00m.tif', 'R2_MDF_phase_B2_1_00d00h00m.tif']);
    expect(facts.channels).toEqual([
      { number: 1, name: 'green' },
      { number: 2, name: 'phase' },
    ]);
  });

  it('takes channels from folders that hold the same names', async () => {
    const root = await folderOf([
      'phase/VID1630_A1_1_00d00h00m.tif',
      'phase/VID1630_A1_1_00d06h00m.tif',
      'red/VID1630_A1_1_00d00h00m.tif',
    ]);
    expect(await incucyte.detect(root, signal)).toMatchObject({ confidence: 'certain', root });
    const { facts, planes } = await incucyte.index(root, {}, signal);
    expect(facts.channels.map(({ name }) => name)).toEqual(['phase', 'red']);
    expect([...planes.elapsedS]).toEqual([0, 21_600, 0]);
    expect(facts).not.toHaveProperty('declared');
  });

  it('names the channels of an archive by their codes', async () => {
    const { root } = await writeIncucyteRaw(join(scratch, 'codes'));
    const { facts } = await incucyte.index(root, {}, signal);
    expect(facts.channels.map(({ name }) => name)).toEqual(['C1', 'Ph']);
    const scans = join(root, 'EssenFiles', 'ScanData');
    expect(await incucyte.detect(scans, signal)).toMatchObject({ confidence: 'certain', root: scans });
  });

  it('shows one of the plates of an archive and tells of the others', async () => {
    const day = 'EssenFiles/ScanData/2505/16/1124';
    const found = await index([
      `${day}/1248/A1-1-Ph.tif`,
      `${day}/1249/A1-1-Ph.tif`,
      `${day}/1249/A2-1-Ph.tif`,
    ]);
    expect([...planesOf(found).values()]).toEqual([`${day}/1248/A1-1-Ph.tif`]);
    expect(found.warnings[0]).toMatchObject({ kind: 'several-plates' });
    expect(found.warnings[0]?.message).toContain('2 images are of other plates than 1248');
  });

  it('tells the plates of an export apart by their vessel numbers', async () => {
    const found = await index([
      'VID12_A1_1_00d00h00m.tif',
      'VID9_phase_A1_1_00d00h00m.tif',
      'VID9_green_A1_1_00d06h00m.tif',
    ]);
    expect([...planesOf(found).values()]).toEqual([
      'VID9_green_A1_1_00d06h00m.tif',
      'VID9_phase_A1_1_00d00h00m.tif',
    ]);
    expect(found.facts.channels.map(({ name }) => name)).toEqual(['green', 'phase']);
    expect(found.warnings[0]).toMatchObject({ kind: 'several-plates', files: ['VID12_A1_1_00d00h00m.tif'] });
  });

  it('does not mix dates with times since the start', async () => {
    const found = await index([
      'V_A1_1_2022y03m09d_00h00m.tif',
      'V_A1_1_2022y03m09d_06h00m.tif',
      'V_A1_1_00d00h00m.tif',
    ]);
    expect(found.planes.count).toBe(2);
    expect(found.warnings[0]).toMatchObject({ kind: 'contradiction', files: ['V_A1_1_00d00h00m.tif'] });
  });

  it('refuses what is no date, no well and no number', async () => {
    const found = await index([
      'V_A1_1_2022y02m30d_00h00m.tif',
      'V_A1_1_2022y13m01d_00h00m.tif',
      'V_A1_1_2022y03m09d_24h00m.tif',
      'V_A49_1_2022y03m09d_00h00m.tif',
      `V_A1_${'7'.repeat(40)}_2022y03m09d_00h00m.tif`,
      'V\n_AF48_1_2022y03m09d_00h00m.tif',
    ]);
    expect([...planesOf(found).keys()]).toEqual(['AF48_s001_w1_z001_t001.tif']);
    expect(found.warnings.map(({ kind, files }) => [kind, files.length])).toEqual([['unrecognised-name', 5]]);
  });
});

describe('Incucyte names', () => {
  it('are read back whatever the experiment is called', () => {
    const parts = fc.record({
      prefix: fc.oneof(
        fc.string({ maxLength: 20 }),
        fc.constantFrom('B7_3', 'x_A1_1_00d00h00m', 'R2_MDF_green'),
      ),
      row: fc.integer({ min: 0, max: 31 }),
      column: fc.integer({ min: 0, max: 47 }),
      field: fc.integer({ min: 1, max: 400 }),
      date: fc.date({ min: new Date('1990-01-01'), max: new Date('2999-12-31'), noInvalidDate: true }),
    });
    fc.assert(
      fc.property(parts, ({ prefix, row, column, field, date }) => {
        const [, year, month, day, hour, minute] =
          /^(\d+)-(\d+)-(\d+)T(\d+):(\d+)/.exec(date.toISOString()) ?? [];
        const name = `${prefix}_${wellName({ row, column })}_${field}_${year}y${month}m${day}d_${hour}h${minute}m.tif`;
        expect(parseIncucyteExport(name)).toMatchObject({
          prefix,
          well: { row, column },
          field,
          localMs: Math.floor(date.getTime() / 60_000) * 60_000,
        });
      }),
    );
  });

  it('survive any text, in no time', () => {
    const startedMs = cpuNowMs();
    fc.assert(
      fc.property(fc.string({ maxLength: 300 }), fc.string({ maxLength: 300 }), (a, b) => {
        parseIncucyte(`${a}_A1_1_${b}.tif`, `${b}/2505/16/1124/${a}`);
        parseIncucyte(`A1-1-${a}.tif`, b);
      }),
    );
    for (const part of ['_A1_1', '_00d00h00m', '2505/16/1124/', '/', '\n'])
      parseIncucyte(`${part.repeat(50_000)}.tif`, part.repeat(50_000));
    for (const part of ['2505/16/1124/', '/', '1']) parseIncucyte('A1-1-Ph.tif', part.repeat(50_000));
    expect(cpuNowMs() - startedMs).toBeLessThan(2000);
  });
});
