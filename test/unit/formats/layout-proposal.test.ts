import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import generic from '../../../src/formats/generic.ts';
import type { LayoutProposal } from '../../../src/formats.ts';
import { cpuNowMs } from '../../fixtures/cpu-time.ts';

const folder = mkdtempSync(join(tmpdir(), 'platefs-proposal-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const signal = new AbortController().signal;

let made = 0;
function folderWith(paths: readonly string[]): string {
  made += 1;
  const root = join(folder, String(made));
  mkdirSync(root);
  for (const path of paths) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), '');
  }
  return root;
}

async function proposalFor(paths: readonly string[]): Promise<LayoutProposal> {
  const detection = await generic.detect(folderWith(paths), signal);
  expect(detection.confidence).toBe('no');
  if (!detection.proposal) throw new Error(detection.reason);
  expect(detection.reason).toContain(detection.proposal.template);
  return detection.proposal;
}

const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, i) => from + i);
const pad = (value: number, width: number): string => String(value).padStart(width, '0');

/** Invented folders, named as instruments and lab scripts name them. */
const FOLDERS: readonly { title: string; paths: readonly string[]; template: string; planes?: string }[] = [
  {
    title: 'Incucyte-like: words for time',
    paths: ['A1', 'A2', 'B11'].flatMap((well) =>
      [1, 2].flatMap((site) =>
        ['2022y03m09d_00h00m', '2022y03m09d_12h00m', '2022y03m10d_00h00m'].map(
          (time) => `myExp_${well}_${site}_${time}.tif`,
        ),
      ),
    ),
    template: 'myExp_{well}_{site}_{t}.tif',
    planes: 'A01_s001_w1_z001_t001.tif',
  },
  {
    title: 'ScanR-like: a number of the well, channels with spaces',
    paths: [
      ['B2', 14],
      ['C10', 34],
    ].flatMap(([well, number]) =>
      range(1, 3).flatMap((position) =>
        [0, 1].flatMap((z) =>
          ['405 nm #1', 'DAPI'].map(
            (channel) =>
              `data/${well}--W${pad(Number(number), 5)}--P${pad(position, 5)}--Z${pad(z, 5)}--T00000--${channel}.tif`,
          ),
        ),
      ),
    ),
    template: 'data/{well}--W*--P{site}--Z{z}--T{t}--{channel}.tif',
    planes: 'B02_s001_w1_z001_t001.tif',
  },
  {
    title: 'a lab script without wells',
    paths: range(1, 12).flatMap((i) => [1, 2].map((c) => `img_${pad(i, 3)}_c${c}.tif`)),
    template: 'img_{site}_c{channel}.tif',
    planes: 'A01_s001_w1_z001_t001.tif',
  },
  {
    title: 'folders per well, words',
    paths: ['A1', 'A2', 'B1'].flatMap((well) =>
      range(1, 4).flatMap((field) =>
        ['GFP', 'DAPI'].map((channel) => `Plate1/${well}/field ${field} ${channel}.tif`),
      ),
    ),
    template: 'Plate1/{well}/field {site} {channel}.tif',
    planes: 'A01_s001_w1_z001_t001.tif',
  },
  {
    title: 'Harmony names without their index',
    paths: [1, 2].flatMap((row) =>
      [1, 2].flatMap((field) =>
        [1, 2, 3].flatMap((plane) =>
          [1, 2].map((channel) => `r0${row}c05f0${field}p0${plane}-ch${channel}sk1fk1fl1.tiff`),
        ),
      ),
    ),
    template: 'r{row:01}c{column}f{site}p{z}-ch{channel}sk1fk1fl1.tiff',
    planes: 'A05_s001_w1_z001_t001.tiff',
  },
  {
    title: 'CellVoyager names without their index',
    paths: ['B03', 'C04'].flatMap((well) =>
      [1, 2].flatMap((t) => [1, 2].map((c) => `AssayPlate_${well}_T000${t}F001L01A0${c}Z01C0${c}.tif`)),
    ),
    template: 'AssayPlate_{well}_T{t}F001L01A*Z01C{channel}.tif',
    planes: 'B03_s001_w1_z001_t001.tif',
  },
  {
    title: 'Micro-Manager-like',
    paths: [0, 1].flatMap((c) =>
      [0, 1, 2].flatMap((p) =>
        [0, 1].map((z) => `Pos${p}/img_channel00${c}_position00${p}_time000000000_z00${z}.tif`),
      ),
    ),
    template: 'Pos{site}/img_channel{channel}_position{site}_time{t}_z{z}.tif',
    planes: 'A01_s001_w1_z001_t001.tif',
  },
  {
    title: 'numbers only',
    paths: range(1, 30).map((i) => `${i}.tif`),
    template: '{site}.tif',
    planes: 'A01_s001_w1_z001_t001.tif',
  },
  {
    title: 'IN Cell names without their index',
    paths: ['B - 03', 'C - 11'].flatMap((well) =>
      ['Blue - FITC', 'Green - dsRed'].map((channel) => `${well}(fld 01 wv ${channel}).tif`),
    ),
    template: '{well}(fld {site} wv {channel}).tif',
  },
  {
    title: 'a folder per channel and time, with a date in all names',
    paths: ['mCherry', 'YFP'].flatMap((channel) =>
      [0, 1].flatMap((t) => ['A01', 'B02'].map((well) => `${channel}/t${t}/20240115 exp2 well_${well}.TIF`)),
    ),
    template: '{channel}/t{t}/20240115 exp2 well_{well}.TIF',
    planes: 'A01_s001_w1_z001_t001.TIF',
  },
  {
    title: 'one well, as a folder',
    paths: range(1, 3).flatMap((i) => ['GFP', 'DAPI'].map((channel) => `C1/field ${i} ${channel}.tif`)),
    template: '{well}/field {site} {channel}.tif',
    planes: 'C01_s001_w1_z001_t001.tif',
  },
  {
    title: 'one row, unpadded',
    paths: range(1, 12).map((i) => `exp c2_A${i}_1.tif`),
    template: 'exp c{channel}_{well}_1.tif',
  },
  {
    title: 'braces and quotes in names',
    paths: range(1, 3).map((i) => `it's {odd}_s${i}.tif`),
    template: "it's {{odd}}_s{site}.tif",
  },
];

describe('what names might say', () => {
  it.each(FOLDERS)('$title', async ({ paths, template, planes }) => {
    const proposal = await proposalFor(paths);
    expect(proposal.template).toBe(template);
    expect(proposal).toMatchObject({ images: paths.length, matched: paths.length, collisions: 0 });
    expect(proposal.examples.length).toBeGreaterThan(0);
    for (const { path } of proposal.examples) expect(paths).toContain(path);
    for (const part of proposal.parts) {
      expect(template).toContain(part.token);
      expect(part.why).not.toBe('');
    }
    if (planes !== undefined) expect(proposal.examples[0]?.name).toBe(planes);
  });

  it('says so where names collide, or some are named otherwise', async () => {
    const { matched, images, template } = await proposalFor([
      'A01_s1.tif',
      'A01_s2.tif',
      'B01_s1.tif',
      'overview of it all.tif',
    ]);
    expect({ matched, images, template }).toEqual({ matched: 3, images: 4, template: '{well}_s{site}.tif' });
  });

  it.each([
    [['a.txt'], 'it holds no TIFF'],
    [['overview.tif'], 'it holds one image, overview, which says nothing of a well or site'],
    [['a\nb.tif', 'a*b.tif'], 'no name of its images can be written in a template'],
    [['._A01_s1.tif'], 'it holds no TIFF'],
  ])('%j: nothing to propose', async (paths, reason) => {
    const detection = await generic.detect(folderWith(paths), signal);
    expect(detection.proposal).toBeUndefined();
    expect(detection.reason).toContain(reason);
  });

  it('takes hostile names calmly', async () => {
    const long = `${'a1_'.repeat(83)}.tif`;
    const digits = `${'9'.repeat(250)}.tif`;
    const paths = [
      long,
      long.replace('a1_a1', 'a2_a3'),
      digits,
      `${'-_'.repeat(120)}.tif`,
      `{{{${'}'.repeat(100)}.tif`,
      '١٢.tif',
      'e\u0301 \u{1F9EC}.tif',
    ];
    const startedMs = cpuNowMs();
    const { confidence, reason } = await generic.detect(folderWith(paths), signal);
    expect(confidence).toBe('no');
    expect(reason.length).toBeLessThan(2000);
    expect(cpuNowMs() - startedMs).toBeLessThan(2000);
  });
});
