import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import bdPathway from '../../../src/formats/bd-pathway.ts';
import { parseBdName, parseWellFolder } from '../../../src/formats/shared/bd-pathway-name.ts';
import { parseIni } from '../../../src/formats/shared/ini-file.ts';
import { formatConformance, planesOf } from '../../conformance/formats.ts';
import { cpuNowMs } from '../../fixtures/cpu-time.ts';
import { bdExperiment, type PlateFiles, writeBdPathway, writeFiles } from '../../fixtures/vendor-plates.ts';

const signal = new AbortController().signal;
let scratch = '';
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'platefs-bd-'));
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

let made = 0;
async function plateOf(files: PlateFiles): Promise<string> {
  made += 1;
  const root = join(scratch, `plate${made}`);
  await writeFiles(root, files);
  return root;
}

formatConformance(bdPathway, {
  examples: async () => {
    const plate = await writeBdPathway(join(scratch, 'above', '2009-09-21_000'));
    return [{ title: 'stacks over time', folder: join(scratch, 'above'), ...plate }];
  },
});

describe('BD Pathway', () => {
  it('takes the plate, the dyes and their wavelengths from the INI files', async () => {
    const { root } = await writeBdPathway(join(scratch, 'facts'));
    const { facts, warnings } = await bdPathway.index(root, {}, signal);
    expect(warnings).toEqual([]);
    expect(facts).toMatchObject({
      plateRows: 8,
      plateColumns: 12,
      channels: [
        { number: 1, name: 'Hoechst', emissionNm: 435 },
        { number: 2, name: 'DsRed - Confocal' },
      ],
      declared: { Objective: '20x NA 075 Olympus' },
    });
    // "360/10 nm" is a filter, no wavelength.
    expect(facts.channels[0]).not.toHaveProperty('excitationNm');
  });

  it('shows a montage as it is and says what it holds', async () => {
    const root = await plateOf({
      'Experiment.exp': bdExperiment(['DAPI'], '[Image]\nMontaged=1\nTilesX=3\nTilesY=2'),
      'Well A1/DAPI - n000000.tif': '',
    });
    const { facts, warnings } = await bdPathway.index(root, {}, signal);
    expect(warnings.map(({ kind, message }) => [kind, message])).toEqual([
      ['montage', 'the instrument joined 6 fields in each image (3 across × 2 down)'],
    ]);
    expect(facts.declared).toMatchObject({ Montage: '3 across × 2 down in each image' });
  });

  it('counts images as time points where no stack is declared', async () => {
    const root = await plateOf({
      'Well A1/DAPI - n000000.tif': '',
      'Well A1/DAPI - n000002.tif': '',
      'Well A1/Extra.tif': '',
      'Well Z99/DAPI - n000000.tif': '',
    });
    expect(await bdPathway.detect(root, signal)).toMatchObject({ confidence: 'maybe', root });
    const index = await bdPathway.index(root, {}, signal);
    expect([...planesOf(index).keys()]).toEqual(['A01_s001_w1_z001_t001.tif', 'A01_s001_w1_z001_t003.tif']);
    expect(index.warnings[0]).toMatchObject({
      kind: 'unrecognised-name',
      files: ['Well A1/Extra.tif', 'Well Z99/DAPI - n000000.tif'],
    });
  });

  it('tells an experiment file that can not be read', async () => {
    const root = await plateOf({
      'Well A1/DAPI - n000000.tif': '',
      'Experiment.exp': Buffer.alloc(17 << 20),
    });
    const { warnings } = await bdPathway.index(root, {}, signal);
    expect(warnings.map(({ kind, files }) => [kind, files])).toEqual([['bad-metadata', ['Experiment.exp']]]);
  });
});

describe('BD Pathway names', () => {
  it('are read back', () => {
    fc.assert(
      fc.property(
        fc.string({ minLength: 1, maxLength: 60 }),
        fc.integer({ min: 0, max: 999_999_999 }),
        (dye, number) => {
          expect(parseBdName(`${dye} - n${String(number).padStart(6, '0')}.tif`)).toEqual({ dye, number });
        },
      ),
    );
  });

  it('of wells have one to three digits', () => {
    expect(parseWellFolder('Well A001')).toEqual({ row: 0, column: 0 });
    expect(parseWellFolder('Well AF48')).toEqual({ row: 31, column: 47 });
    for (const name of ['Well', 'Wells A01', 'Well A01 copy', 'Well 0', `Well A${'1'.repeat(40)}`])
      expect(parseWellFolder(name), name).toBeUndefined();
  });

  it('and INI files survive any text, in no time', () => {
    const startedMs = cpuNowMs();
    fc.assert(
      fc.property(fc.string({ maxLength: 300 }), (text) => void parseBdName(`${text} - n${text}.tif`)),
    );
    fc.assert(fc.property(fc.uint8Array({ maxLength: 500 }), (bytes) => void parseIni(bytes)));
    for (const part of [' - n', ' - n0', 'Well ', '\n']) {
      parseBdName(`${part.repeat(100_000)}.tif`);
      parseWellFolder(part.repeat(100_000));
    }
    expect(cpuNowMs() - startedMs).toBeLessThan(2000);
  });

  it('keep the first of two equal keys, and read windows-1252', () => {
    const ini = parseIni(Buffer.from('[A]\r\nk = \xb5m\r\nk=2\r\n; c\r\nno line\r\n[A]\r\nl=3', 'latin1'));
    expect([...(ini.get('A') ?? [])]).toEqual([
      ['k', 'µm'],
      ['l', '3'],
    ]);
  });
});
