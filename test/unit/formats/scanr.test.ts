import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import scanr from '../../../src/formats/scanr.ts';
import { parseScanRName } from '../../../src/formats/shared/scanr-name.ts';
import { wellName } from '../../../src/model/well.ts';
import { excludedOf, formatConformance, planesOf } from '../../conformance/formats.ts';
import { cpuNowMs } from '../../fixtures/cpu-time.ts';
import {
  type PlateFiles,
  scanrDescriptor,
  scanrName,
  writeFiles,
  writeScanR,
} from '../../fixtures/vendor-plates.ts';

const signal = new AbortController().signal;
let scratch = '';
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'platefs-scanr-'));
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

let made = 0;
async function plateOf(files: PlateFiles) {
  made += 1;
  const root = join(scratch, `plate${made}`);
  await writeFiles(root, files);
  return scanr.index(root, {}, signal);
}

formatConformance(scanr, {
  examples: async () => {
    const inside = await writeScanR(join(scratch, 'above', 'acquisition'));
    return [{ title: 'data folder with descriptor', folder: join(scratch, 'above'), ...inside }];
  },
});

describe('ScanR', () => {
  it('takes names and measures from the descriptor, in its order of channels', async () => {
    const { root } = await writeScanR(join(scratch, 'facts'));
    const { facts, warnings } = await scanr.index(root, {}, signal);
    expect(warnings).toEqual([]);
    expect(facts).toMatchObject({
      name: 'Screen µ',
      plateRows: 8,
      plateColumns: 12,
      pixelSizeUm: { x: 0.645, y: 0.645 },
      zSpacingUm: 2,
      timeIntervalS: 60,
      channels: [
        { number: 1, name: 'GFP' },
        { number: 2, name: '405 nm #1' },
      ],
    });
  });

  it('reads a descriptor in ISO-8859-1 that does not say so', async () => {
    const { facts, warnings } = await plateOf({
      'experiment_descriptor.xml': Buffer.from(scanrDescriptor(), 'latin1'),
      [`data/${scanrName('A1', 1, 1, 0, 0, 'GFP')}`]: '',
    });
    expect([facts.name, warnings]).toEqual(['Screen µ', []]);
  });

  it('tells a damaged descriptor, and goes by names then', async () => {
    const index = await plateOf({
      'experiment_descriptor.xml': '<LVData><Cluster><Name>plate',
      [`data/${scanrName('A1', 1, 1, 0, 0, 'b')}`]: '',
      [`data/${scanrName('A1', 1, 1, 0, 0, 'a')}`]: '',
    });
    expect(index.planes.count).toBe(2);
    expect(index.facts.channels.map(({ name }) => name)).toEqual(['a', 'b']);
    expect(index.warnings.map(({ kind, files }) => [kind, files])).toEqual([
      ['bad-metadata', ['experiment_descriptor.xml']],
    ]);
  });

  it('places spots without a well label by their W number, where the columns are known', async () => {
    const names = [scanrName('spot', 25, 1, 0, 0, 'x'), scanrName('', 13, 1, 0, 0, 'x')];
    const known = await plateOf({ 'experiment_descriptor.xml': scanrDescriptor(24), ...files(names) });
    expect([...planesOf(known).keys()]).toEqual(['A13_s001_w1_z001_t001.tif', 'B01_s001_w1_z001_t001.tif']);
    const byLabels = await plateOf(files([...names, scanrName('C2', 26, 1, 0, 0, 'x')]));
    expect([...planesOf(byLabels).keys()]).toEqual([
      'B01_s001_w1_z001_t001.tif',
      'C01_s001_w1_z001_t001.tif',
      'C02_s001_w1_z001_t001.tif',
    ]);
    const absurd = await plateOf({ 'experiment_descriptor.xml': scanrDescriptor(0), ...files(names) });
    expect([absurd.planes.count, absurd.facts.plateColumns]).toEqual([0, undefined]);
    const unknown = await plateOf(files(names));
    expect(unknown.planes.count).toBe(0);
    expect(unknown.warnings.map(({ kind }) => kind)).toEqual(['unplaced-image']);
  });

  it('lets the label decide where the W number says another well, and tells', async () => {
    const index = await plateOf({
      'experiment_descriptor.xml': scanrDescriptor(12),
      ...files([scanrName('B2', 15, 1, 0, 0, 'x')]),
    });
    expect([...planesOf(index).keys()]).toEqual(['B02_s001_w1_z001_t001.tif']);
    expect(index.warnings[0]).toMatchObject({ kind: 'contradiction' });
    expect(index.warnings[0]?.message).toContain('W15 would be B03');
  });

  it('takes positions and channels from metadata.ome.xml', async () => {
    const name = scanrName('A1', 1, 1, 1, 0, 'GFP');
    const index = await plateOf({
      ...files([name]),
      'data/metadata.ome.xml': `<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="W1P1"><Pixels PhysicalSizeX="0.325" PhysicalSizeY="0.325" PhysicalSizeYUnit="µm"><Channel Name="GFP"/><TiffData FirstC="0" FirstT="0" FirstZ="1"><UUID FileName="${name}">urn:uuid:x</UUID></TiffData><Plane TheC="0" TheT="0" TheZ="1" PositionX="10.5" PositionXUnit="µm" PositionY="3" PositionYUnit="reference frame" DeltaT="2.5"/></Pixels></Image></OME>`,
    });
    expect(index.facts.pixelSizeUm).toEqual({ x: 0.325, y: 0.325 });
    expect([...index.planes.xsUm, ...index.planes.elapsedS]).toEqual([10.5, 2.5]);
    expect([...index.planes.ysUm].every(Number.isNaN)).toBe(true);
  });

  it('makes hostile names safe, and tells what it can not place', async () => {
    const forty = '4'.repeat(40);
    const long = `${'x'.repeat(60)}\n${'y'.repeat(40)}`;
    const index = await plateOf(
      files([
        scanrName('A1', 1, 1, 0, 0, long),
        scanrName('a1', 1, 1, 0, 0, long),
        `A1--W${forty}--P00001--Z00000--T00000--x.tif`,
        scanrName('AF48', 1536, 1, 0, 0, long),
        scanrName('A1', 1, 0, 0, 0, long),
        'A1--W00001--P00001--Z00000--T00000.tif',
      ]),
    );
    expect([...planesOf(index).keys()]).toEqual(['A01_s001_w1_z001_t001.tif', 'AF48_s001_w1_z001_t001.tif']);
    expect(index.facts.channels[0]?.name).not.toMatch(/\p{Cc}/u);
    expect(index.warnings.map(({ kind }) => kind).sort()).toEqual([
      'name-collision',
      'unplaced-image',
      'unrecognised-name',
    ]);
    expect([...excludedOf(index).values()].sort()).toEqual(['collision', 'other', 'other', 'other']);
  });
});

const files = (names: readonly string[]): Record<string, string> =>
  Object.fromEntries(names.map((name) => [`data/${name}`, '']));

describe('ScanR names', () => {
  it('are read back', () => {
    const parts = fc.record({
      row: fc.integer({ min: 0, max: 31 }),
      column: fc.integer({ min: 0, max: 47 }),
      w: fc.integer({ min: 1, max: 1536 }),
      p: fc.integer({ min: 1, max: 99_999 }),
      z: fc.integer({ min: 0, max: 99_999 }),
      t: fc.integer({ min: 0, max: 99_999 }),
      channel: fc.string({ minLength: 1, maxLength: 20 }),
    });
    fc.assert(
      fc.property(parts, ({ row, column, w, p, z, t, channel }) => {
        expect(parseScanRName(scanrName(wellName({ row, column }), w, p, z, t, channel))).toMatchObject({
          well: { row, column },
          wellNumber: w,
          position: p,
          z,
          t,
          channel,
        });
      }),
    );
  });

  it('survive any text, in no time', () => {
    const startedMs = cpuNowMs();
    fc.assert(
      fc.property(
        fc.string({ maxLength: 300 }),
        (text) => void parseScanRName(`${text}--W1--P1--Z0--T0--${text}.tif`),
      ),
    );
    for (const part of ['--W1', '--', 'W1--P1--Z0--T0--', '\n'])
      parseScanRName(`${part.repeat(100_000)}.tif`);
    expect(cpuNowMs() - startedMs).toBeLessThan(2000);
  });
});
