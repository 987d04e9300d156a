import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import leicaMatrix from '../../../src/formats/leica-matrix.ts';
import { folderLetters, parseLeicaMatrix } from '../../../src/formats/shared/leica-matrix-name.ts';
import { formatConformance, planesOf } from '../../conformance/formats.ts';
import { cpuNowMs } from '../../fixtures/cpu-time.ts';
import { leicaPath, writeFiles, writeLeicaMatrix } from '../../fixtures/vendor-plates.ts';

const signal = new AbortController().signal;
let scratch = '';
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'platefs-leica-'));
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

let made = 0;
async function folderOf(names: readonly string[]): Promise<string> {
  made += 1;
  const root = join(scratch, `plate${made}`);
  await writeFiles(root, Object.fromEntries(names.map((name) => [name, ''])));
  return root;
}
const index = async (names: readonly string[]) => leicaMatrix.index(await folderOf(names), {}, signal);

formatConformance(leicaMatrix, {
  examples: async () => {
    const plate = await writeLeicaMatrix(join(scratch, 'above', 'experiment--2012_01_13_14_44_19'));
    return [{ title: 'one slide', folder: join(scratch, 'above'), ...plate }];
  },
});

describe('Leica Matrix Screener', () => {
  it('counts the fields row by row and knows their grid', async () => {
    const { root } = await writeLeicaMatrix(join(scratch, 'grid'));
    const { facts, warnings } = await leicaMatrix.index(root, {}, signal);
    expect([facts.grid, warnings]).toEqual([{ columns: 2, rows: 2 }, []]);
    expect(facts.channels).toEqual([{ number: 1 }, { number: 2 }]);
  });

  it('lets time go on through loops, and channels through jobs', async () => {
    const name = (loop: number, job: number, t: number) =>
      `image--L000${loop}--S00--U00--V00--J0${job}--E00--O00--X00--Y00--T000${t}--Z00--C00.ome.tif`;
    const found = await index([name(0, 7, 0), name(0, 7, 1), name(1, 7, 0), name(0, 9, 0)]);
    expect([...planesOf(found)]).toEqual([
      ['A01_s001_w1_z001_t001.tif', name(0, 7, 0)],
      ['A01_s001_w1_z001_t002.tif', name(0, 7, 1)],
      ['A01_s001_w1_z001_t003.tif', name(1, 7, 0)],
      ['A01_s001_w2_z001_t001.tif', name(0, 9, 0)],
    ]);
    expect(found.facts.channels).toEqual([
      { number: 1, name: 'job 7, channel 0' },
      { number: 2, name: 'job 9, channel 0' },
    ]);
  });

  it('tells images apart by E and O where nothing else does', async () => {
    const name = (o: number) =>
      `image--L0000--S00--U00--V00--J07--E00--O0${o}--X00--Y00--T0000--Z00--C00.ome.tif`;
    const { facts, planes } = await index([name(0), name(1)]);
    expect(planes.count).toBe(2);
    expect(facts.channels.map(({ name: told }) => told)).toEqual([
      'job 7, E 0, O 0, channel 0',
      'job 7, E 0, O 1, channel 0',
    ]);
  });

  it('reads older names without E, O and Z', async () => {
    const found = await index(['image--L0000--S00--U47--V31--J01--X00--Y00--T0000--C00.ome.tif']);
    expect([...planesOf(found).keys()]).toEqual(['AF48_s001_w1_z001_t001.tif']);
  });

  it('lets the name decide against its folders, and tells', async () => {
    const [, , , file = ''] = leicaPath(1, 1, 0, 0, 'T0000--Z00--C00').split('/');
    const found = await index([`slide--S00/chamber--U00--V01/field--X00--Y00/${file}`]);
    expect([...planesOf(found).keys()]).toEqual(['B02_s001_w1_z001_t001.tif']);
    expect(found.warnings[0]).toMatchObject({ kind: 'contradiction' });
    expect(found.warnings[0]?.message).toContain('(well)');
  });

  it('does not choose between slides, and takes one that is named', async () => {
    const rest = 'T0000--Z00--C00';
    const root = await folderOf([leicaPath(0, 0, 0, 0, rest), leicaPath(0, 0, 0, 0, rest, 1)]);
    expect((await leicaMatrix.detect(root, signal)).reason).toContain('slide--S00, slide--S01');
    const slide = join(root, 'slide--S01');
    expect(await leicaMatrix.detect(slide, signal)).toMatchObject({ confidence: 'certain', root: slide });
    expect((await leicaMatrix.index(root, {}, signal)).warnings.map(({ kind }) => kind)).toEqual([
      'several-plates',
      'name-collision',
    ]);
  });

  it('tells wells that no plate has', async () => {
    const found = await index([
      leicaPath(48, 0, 0, 0, 'T0000--Z00--C00'),
      leicaPath(0, 0, 0, 0, 'T0000--Z00--C00'),
    ]);
    expect(found.planes.count).toBe(1);
    expect(found.warnings.map(({ kind }) => kind)).toEqual(['unplaced-image']);
  });
});

describe('Leica Matrix Screener names', () => {
  it('are read back', () => {
    const number = fc.integer({ min: 0, max: 9999 });
    fc.assert(
      fc.property(
        fc.record({ u: number, v: number, x: number, y: number, t: number, z: number, c: number }),
        (at) => {
          const { u, v, x, y, t, z, c } = at;
          expect(parseLeicaMatrix(leicaPath(u, v, x, y, `T${t}--Z${z}--C${c}`))).toMatchObject({
            u,
            v,
            x,
            y,
            t,
            z,
            channel: c,
            job: 8,
            disagreeing: [],
          });
        },
      ),
    );
  });

  it.each([
    'image.ome.tif',
    'image--L0000--C00.ome.tif',
    `image--U${'0'.repeat(40)}--V00.tif`,
    'image--U00--V00--X0\n0.tif',
    'image--U00--V00--C00.ome.xml',
    'b--U00--V00.tif',
  ])('%j is none', (name) => expect(parseLeicaMatrix(name)).toBeUndefined());

  it('survive any text, in no time', () => {
    const startedMs = cpuNowMs();
    fc.assert(
      fc.property(fc.string({ maxLength: 300 }), (text) => {
        parseLeicaMatrix(`${text}/image--U00--V00--${text}.tif`);
        folderLetters(text);
      }),
    );
    for (const part of ['--U00', 'image--', 'a--U0/', '\n']) {
      parseLeicaMatrix(`${part.repeat(50_000)}/image--U00--V00.tif`);
      folderLetters(part.repeat(50_000));
    }
    expect(cpuNowMs() - startedMs).toBeLessThan(2000);
  });
});
