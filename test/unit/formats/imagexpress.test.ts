import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { cp, mkdir, mkdtemp, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makePlate } from '../../../scripts/plate-maker/plate-maker.ts';
import type { PlateOptions } from '../../../scripts/plate-maker/plate-options.ts';
import imagexpress from '../../../src/formats/imagexpress.ts';
import { missingPlanes } from '../../../src/model/missing-planes.ts';
import { planeStem } from '../../../src/model/plane-name.ts';
import { excludedOf, type FormatExample, formatConformance, planesOf } from '../../conformance/formats.ts';

const DATA = resolve(import.meta.dirname, '../../../../shared/data');
const SETS = ['ix-exported-3434', 'ix-raw-1334', 'ix-raw-1697', 'ix-nested-synth'];
const signal = new AbortController().signal;
const SMALL = { width: 48, height: 40, wells: ['A01', 'B02'], zSteps: 2, timePoints: 2 } as const;

let scratch = '';
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'platefs-ix-'));
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

let made = 0;
async function plate(options: Partial<PlateOptions> = {}) {
  made += 1;
  const folder = join(scratch, `plate${made}`);
  return { folder, truth: await makePlate(folder, { ...SMALL, ...options }) };
}

interface TruthFile {
  plate_root: string;
  planes: { virtual: string; source: string; channel: number; channel_name?: string }[];
  excluded?: { source: string; why: string }[];
  pixel_size_um?: number;
  grid_dimensions?: [number, number];
  channels?: Record<string, string>;
}

const truthOf = (set: string): TruthFile =>
  JSON.parse(readFileSync(join(DATA, `${set}.truth.json`), 'utf8')) as TruthFile;

function exampleOf(set: string): FormatExample {
  const truth = truthOf(set);
  const root = join(DATA, set, truth.plate_root);
  // The derived set lists no exclusions; its HTD is one all the same.
  const excluded = truth.excluded ?? [{ source: 'Plate1.HTD', why: 'metadata' }];
  return {
    title: set,
    folder: join(DATA, set),
    root,
    planes: new Map(truth.planes.map((plane) => [plane.virtual, plane.source])),
    excluded: new Map(excluded.map(({ source, why }) => [source, why])),
  };
}

const GENERATED: readonly Partial<PlateOptions>[] = [
  {},
  { projections: true, compression: 'lzw' },
  { shape: 'flat', zSteps: 1, timePoints: 1 },
  { shape: 'flat', zSteps: 1, timePoints: 1, sites: 1, channels: ['DAPI'], extension: '.TIF' },
  { shape: 'database', thumbnails: true, projections: true, compression: 'deflate', timePoints: 1 },
  { shape: 'database', zSteps: 1, plateName: 'P1_A01_rep2' },
  { plateName: 'a_B02_s9_w8 x', wells: ['AF48', 'A01'], missing: ['A01_s002_w1_z002_t001'] },
  { zSteps: 1, timePoints: 3 },
  { zSteps: 3, timePoints: 1, htd: false },
];

formatConformance(imagexpress, {
  examples: async () => {
    const examples: FormatExample[] = [];
    for (const options of GENERATED) {
      const { folder, truth } = await plate(options);
      examples.push({
        title: JSON.stringify(options),
        folder,
        root: truth.root,
        planes: new Map(truth.planes.map(({ name, source }) => [name, source])),
        excluded: new Map(truth.excluded.map(({ source, why }) => [source, why])),
      });
    }
    return [...examples, ...(existsSync(DATA) ? SETS.map(exampleOf) : [])];
  },
});

describe.skipIf(!existsSync(DATA))('real plates (skipped where ../shared/data is absent)', () => {
  it.each(SETS)('%s has the facts of its truth file', async (set) => {
    const truth = truthOf(set);
    const { facts } = await imagexpress.index(exampleOf(set).root, {}, signal);
    expect(facts.pixelSizeUm).toEqual(
      truth.pixel_size_um === undefined ? undefined : { x: truth.pixel_size_um, y: truth.pixel_size_um },
    );
    const [rows, columns] = truth.grid_dimensions ?? [];
    expect(facts.grid).toEqual(rows === undefined ? undefined : { rows, columns });
    const names = new Map(facts.channels.map(({ number, name }) => [number, name]));
    for (const [number, name] of Object.entries(truth.channels ?? {}))
      expect(names.get(Number(number))).toBe(name);
    for (const { channel, channel_name } of truth.planes)
      if (channel_name !== undefined) expect(names.get(channel)).toBe(channel_name);
  });

  it('finds spacing and interval where positions and times say them', async () => {
    const factsOf = async (set: string) => (await imagexpress.index(exampleOf(set).root, {}, signal)).facts;
    expect((await factsOf('ix-exported-3434')).zSpacingUm).toBe(3);
    expect((await factsOf('ix-raw-1697')).timeIntervalS).toBe(5.502);
    expect((await factsOf('ix-raw-1697')).zSpacingUm).toBeUndefined();
    expect((await factsOf('ix-nested-synth')).zSpacingUm).toBeUndefined();
  });

  it('tells copies of the exporter, and no contradiction in honest plates', async () => {
    const { warnings } = await imagexpress.index(exampleOf('ix-exported-3434').root, {}, signal);
    expect(warnings.map(({ kind }) => kind)).toEqual(['exporter-copy', 'exporter-copy']);
    expect((await imagexpress.index(exampleOf('ix-raw-1697').root, {}, signal)).warnings).toEqual([]);
  });

  it('is never certain of another kind of data', async () => {
    for (const entry of readdirSync(DATA, { withFileTypes: true })) {
      if (!entry.isDirectory() || SETS.includes(entry.name)) continue;
      const { confidence } = await imagexpress.detect(join(DATA, entry.name), signal);
      expect(confidence, entry.name).not.toBe('certain');
    }
  });
});

describe('detection', () => {
  it('finds the plate two levels up', async () => {
    const { folder, truth } = await plate({ shape: 'database' });
    for (const asked of [folder, join(folder, '2024-07-09')])
      expect(await imagexpress.detect(asked, signal)).toMatchObject({
        confidence: 'certain',
        root: truth.root,
      });
  });

  it('does not choose between two plates, and lists them', async () => {
    const { folder, truth } = await plate({ shape: 'database' });
    await cp(truth.root, join(folder, '2024-07-09', '1335'), { recursive: true });
    const detection = await imagexpress.detect(folder, signal);
    expect(detection.confidence).toBe('no');
    expect(detection.reason).toContain('2024-07-09/1334, 2024-07-09/1335');
  });

  it('is unsure of names alone', async () => {
    const folder = join(scratch, 'names-alone');
    await mkdir(folder);
    await writeFile(join(folder, 'x_A01_s1_w1.tif'), 'no TIFF');
    expect((await imagexpress.detect(folder, signal)).confidence).toBe('maybe');
  });
});

describe('plates with faults', () => {
  const index = (root: string, followLinks = false) => imagexpress.index(root, { followLinks }, signal);

  it('survives a garbage HTD and says so', async () => {
    const { truth } = await plate();
    await writeFile(join(truth.root, 'Demo_Plate_1.HTD'), Buffer.from([0, 255, 3, 7, 200, 13, 10, 1]));
    const { facts, warnings, planes } = await index(truth.root);
    expect(planes.count).toBe(truth.planes.length);
    expect(facts.grid).toBeUndefined();
    expect(facts.channels.map(({ name }) => name)).toEqual(['DAPI', 'FITC']);
    expect(warnings).toMatchObject([{ kind: 'bad-metadata', files: ['Demo_Plate_1.HTD'] }]);
  });

  it('tells HTDs that contradict each other, and uses the one nearest to the root', async () => {
    const { truth } = await plate();
    const htd = readFileSync(join(truth.root, 'Demo_Plate_1.HTD'), 'latin1');
    await writeFile(
      join(truth.root, 'TimePoint_1/Demo_Plate_1.HTD'),
      htd.replace('"XSites", 2', '"XSites", 3'),
    );
    const { facts, warnings } = await index(truth.root);
    expect(facts.grid).toEqual({ rows: 1, columns: 2 });
    expect(warnings).toMatchObject([
      { kind: 'contradiction', message: expect.stringContaining('XSites 2 against 3') },
    ]);
  });

  it('keeps both files of one address and shows the first in natural order', async () => {
    const { truth } = await plate({ zSteps: 1, timePoints: 1, shape: 'flat' });
    await cp(join(truth.root, 'Demo_Plate_1_A01_s1_w1.tif'), join(truth.root, 'Demo_Plate_10_A01_s1_w1.tif'));
    const result = await index(truth.root);
    expect(planesOf(result).get('A01_s001_w1_z001_t001.tif')).toBe('Demo_Plate_1_A01_s1_w1.tif');
    expect(excludedOf(result).get('Demo_Plate_10_A01_s1_w1.tif')).toBe('collision');
    expect(result.warnings).toMatchObject([
      {
        kind: 'name-collision',
        files: ['Demo_Plate_1_A01_s1_w1.tif', 'Demo_Plate_10_A01_s1_w1.tif'],
        rule: expect.stringContaining('natural'),
      },
    ]);
  });

  it('tells a file whose own metadata says another well', async () => {
    const { truth } = await plate({ zSteps: 1, timePoints: 1, shape: 'flat' });
    const swap = (from: string, to: string) => rename(join(truth.root, from), join(truth.root, to));
    await swap('Demo_Plate_1_A01_s1_w1.tif', 'x');
    await swap('Demo_Plate_1_B02_s2_w1.tif', 'Demo_Plate_1_A01_s1_w1.tif');
    await swap('x', 'Demo_Plate_1_B02_s2_w1.tif');
    const { warnings } = await index(truth.root);
    expect(warnings[0]).toMatchObject({
      kind: 'contradiction',
      files: ['Demo_Plate_1_A01_s1_w1.tif'],
      message: expect.stringMatching(/says well B02, site 2 .*A01_s001_w1/),
    });
  });

  it('tells truncated, empty and unreadable images that it looked at, and names them all the same', async () => {
    const { truth } = await plate({ zSteps: 1, timePoints: 1, shape: 'flat' });
    await truncate(join(truth.root, 'Demo_Plate_1_A01_s1_w1.tif'), 100);
    await truncate(join(truth.root, 'Demo_Plate_1_A01_s1_w2.tif'), 0);
    const result = await index(truth.root);
    expect(result.planes.count).toBe(truth.planes.length);
    expect(result.warnings.map(({ kind, files }) => [kind, files[0]])).toEqual([
      ['bad-image', 'Demo_Plate_1_A01_s1_w1.tif'],
      ['bad-image', 'Demo_Plate_1_A01_s1_w2.tif'],
    ]);
  });

  it('sorts out junk, thumbnails and foreign files, and tells images it can not place', async () => {
    const { truth } = await plate({ timePoints: 1 });
    for (const name of [
      '._Demo_Plate_1_A01_s1_w1.tif',
      'Thumbs.db',
      '.DS_Store',
      'notes.txt',
      'overview.tif',
    ])
      await writeFile(join(truth.root, name), 'x');
    await mkdir(join(truth.root, 'Analysis'));
    await writeFile(join(truth.root, 'Analysis', 'Demo_Plate_1_A01_s1_w1.tif'), 'x');
    const result = await index(truth.root);
    expect(result.planes.count).toBe(truth.planes.length);
    expect(excludedOf(result)).toEqual(
      new Map([
        ['._Demo_Plate_1_A01_s1_w1.tif', 'junk'],
        ['.DS_Store', 'junk'],
        ['Demo_Plate_1.HTD', 'metadata'],
        ['Thumbs.db', 'junk'],
        ['notes.txt', 'other'],
        ['overview.tif', 'other'],
        ['Analysis/Demo_Plate_1_A01_s1_w1.tif', 'other'],
      ]),
    );
    expect(result.warnings.map(({ kind, files }) => [kind, files])).toEqual([
      ['unrecognised-name', ['overview.tif']],
      ['unrecognised-folder', ['Analysis/Demo_Plate_1_A01_s1_w1.tif']],
    ]);
  });

  it('lists exactly the planes that were left out', async () => {
    const missing = ['A01_s001_w2_z002_t001', 'B02_s002_w1_z001_t002', 'B02_s002_w1_z002_t002'];
    const { truth } = await plate({ missing });
    const result = await index(truth.root);
    expect([...missingPlanes(result)].map(planeStem)).toEqual(missing);
    expect(result.warnings.map(({ kind, files }) => [kind, files])).toEqual([
      ['missing-plane', [missing[0]]],
      ['missing-plane', missing.slice(1)],
    ]);
  });

  it('tells pipes and folders that it can not list, and waits for neither', async () => {
    const { truth } = await plate({ timePoints: 1, shape: 'flat', zSteps: 1 });
    execFileSync('/usr/bin/mkfifo', [join(truth.root, 'x_C01_s1_w1.tif')]);
    const pipe = join(scratch, 'pipe');
    execFileSync('/usr/bin/mkfifo', [pipe]);
    await symlink(pipe, join(truth.root, 'x_A01_s9_w1.tif'));
    await mkdir(join(truth.root, ...Array<string>(30).fill('deep')), { recursive: true });
    const result = await index(truth.root, true);
    expect(result.planes.count).toBe(truth.planes.length + 1);
    const told = result.warnings.map(({ kind, files }) => [kind, files[0]?.slice(0, 30)]);
    expect(told).toContainEqual(['special-file', 'x_C01_s1_w1.tif']);
    expect(told).toContainEqual(['unreadable-folder', 'deep/deep/deep/deep/deep/deep/']);
    expect(told).toContainEqual(['bad-image', 'x_A01_s9_w1.tif']);
  });

  it('follows links, and a link to the plate itself ends', async () => {
    const { truth } = await plate({ timePoints: 1 });
    const farm = join(scratch, 'farm');
    await mkdir(join(farm, 'ZStep_1'), { recursive: true });
    await symlink(join(truth.root, 'TimePoint_1/ZStep_2'), join(farm, 'ZStep_2'));
    for (const { source } of truth.planes.filter(({ z }) => z === 1))
      await symlink(join(truth.root, source), join(farm, 'ZStep_1', source.split('/').at(-1)!));
    await symlink(farm, join(farm, 'TimePoint_7'));
    const result = await index(farm, true);
    expect([...planesOf(result).keys()]).toEqual(truth.planes.map(({ name }) => name));
    const kept = await index(farm);
    expect(kept.planes.count).toBe(0);
    expect(kept.warnings.map(({ kind }) => kind)).toContain('link-out-of-plate');
  });
});
