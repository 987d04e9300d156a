import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import omeZarr from '../../../src/formats/ome-zarr.ts';
import type { PlateIndex } from '../../../src/model/plate-index.ts';
import { bufferOf } from '../../../src/model/plate-index-columns.ts';
import { planeByName } from '../../../src/model/plate-lookup.ts';
import zarr from '../../../src/sources/zarr.ts';
import { excludedOf, type FormatExample, formatConformance, planesOf } from '../../conformance/formats.ts';
import { axesOf, type ImageToWrite, writeGroup, writeImage, writePlate } from '../../fixtures/ome-zarr.ts';
import { put } from '../../fixtures/zarr.ts';

const DATA = resolve(import.meta.dirname, '../../../../shared/data');
const PLATES = ['ngff04-hcs-3d', 'ngff05-hcs'];
const signal = new AbortController().signal;
const scratch = mkdtempSync(join(tmpdir(), 'platefs-ome-zarr-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
let made = 0;
const folder = (): string => join(scratch, String(made++));

interface TruthPlane {
  readonly virtual: string;
  readonly source: string;
  readonly index: readonly (number | null)[];
  readonly channel: number;
  readonly channel_name: string;
  readonly sha256_pixels: string;
}
const truthOf = (set: string): { planes: TruthPlane[] } =>
  JSON.parse(readFileSync(join(DATA, `${set}.truth.json`), 'utf8')) as { planes: TruthPlane[] };

const METADATA = new Set(['.zgroup', '.zattrs', '.zarray', '.zmetadata', 'zarr.json']);

/** Whether a file lies in an array's folder, or below it. */
function isInArray(root: string, path: string): boolean {
  for (let at = dirname(path); at !== '.'; at = dirname(at)) {
    if (existsSync(join(root, at, '.zarray'))) return true;
    const metadata = join(root, at, 'zarr.json');
    if (existsSync(metadata) && readFileSync(metadata, 'utf8').includes('"array"')) return true;
  }
  return false;
}

/** Every file below a folder that is neither plane nor chunk, with the reason that is expected. */
function expectedExclusions(root: string, planes: Iterable<string>): Map<string, string> {
  const containers = new Set([...planes].map((plane) => plane.replace(/#\d+$/, '')));
  const excluded = new Map<string, string>();
  for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = relative(root, join(entry.parentPath, entry.name));
    const parts = path.split('/');
    if (containers.has(path) || (isInArray(root, path) && /^(?:c\.)?\d[\d.]*$/.test(entry.name))) continue;
    const isMetadata = METADATA.has(entry.name) || parts.includes('labels') || parts.includes('tables');
    excluded.set(path, isMetadata ? 'metadata' : 'other');
  }
  return excluded;
}

function example(title: string, root: string, planes: Map<string, string>): FormatExample {
  return { title, folder: root, root, planes, excluded: expectedExclusions(root, planes.values()) };
}

function truthExample(set: string): FormatExample {
  const root = join(DATA, set);
  const planes = new Map(
    truthOf(set).planes.map(({ virtual, source, index }) => {
      const file = ['.zarray', 'zarr.json'].find((name) => existsSync(join(root, source, name)))!;
      const { shape } = JSON.parse(readFileSync(join(root, source, file), 'utf8')) as { shape: number[] };
      const page = index
        .slice(0, -2)
        .reduce<number>((total, at, axis) => total * shape[axis]! + (at ?? 0), 0);
      return [virtual, `${source}/${file}#${page}`] as const;
    }),
  );
  return example(set, root, planes);
}

/** Names → planes of an image, channels from `firstChannel` on. */
function planesOfImage(
  field: string,
  file: string,
  [t, c, z]: readonly number[],
  firstChannel = 1,
): [string, string][] {
  const planes: [string, string][] = [];
  let page = 0;
  for (let i = 1; i <= t!; i++)
    for (let j = 0; j < c!; j++)
      for (let k = 1; k <= z!; k++)
        planes.push([`${field}_w${firstChannel + j}_z00${k}_t00${i}.tif`, `${file}#${page++}`]);
  return planes;
}

formatConformance(omeZarr, {
  examples: async () => {
    const plain = folder();
    writePlate(plain, {
      version: '0.4',
      wells: {
        'B/2': [{ path: '0', shape: [2, 2, 3, 30, 40] }],
        'A/01': [
          { path: 'left', shape: [1, 2, 3, 30, 40], separator: '.' },
          { path: 'right', shape: [2, 30, 40] },
        ],
      },
    });
    const cycles = folder();
    const image = (path: string, acquisition: number, channels: number): ImageToWrite => ({
      path,
      acquisition,
      shape: [channels, 1, 20, 20],
    });
    writePlate(join(cycles, 'p.zarr'), {
      version: '0.5',
      wells: {
        'C/05': [image('0', 7, 2), image('1', 7, 2), image('2', 3, 1), image('3', 3, 1)],
        'C/06': [image('0', 7, 2), image('2', 3, 1)],
      },
    });
    const single = folder();
    writeImage(single, '0.4', { path: 'one', shape: [2, 8, 8], axes: axesOf('cyx'), levelPath: 's0' });
    const series = folder();
    writeGroup(series, '0.4', { 'bioformats2raw.layout': 3 });
    writeGroup(join(series, 'OME'), '0.4', { series: ['1', '0'] });
    for (const path of ['0', '1']) writeImage(join(series, path), '0.4', { path, shape: [1, 1, 2, 8, 8] });
    const unlisted = folder();
    writeGroup(unlisted, '0.5', { 'bioformats2raw.layout': 3 });
    for (const path of ['0', '10', '9']) writeImage(join(unlisted, path), '0.5', { path, shape: [8, 8] });
    return [
      example(
        'padded and unpadded columns, wells in any order, image paths that are no numbers, mixed separators',
        plain,
        new Map([
          ...planesOfImage('B02_s001', 'B/2/0/0/.zarray', [2, 2, 3]),
          ...planesOfImage('A01_s001', 'A/01/left/0/.zarray', [1, 2, 3]),
          ...planesOfImage('A01_s002', 'A/01/right/0/.zarray', [1, 1, 2]),
        ]),
      ),
      example(
        'a later acquisition shows the same fields in further channels',
        cycles,
        new Map([
          ...planesOfImage('C05_s001', 'p.zarr/C/05/0/0/zarr.json', [1, 2, 1]),
          ...planesOfImage('C05_s002', 'p.zarr/C/05/1/0/zarr.json', [1, 2, 1]),
          ...planesOfImage('C05_s001', 'p.zarr/C/05/2/0/zarr.json', [1, 1, 1], 3),
          ...planesOfImage('C05_s002', 'p.zarr/C/05/3/0/zarr.json', [1, 1, 1], 3),
          ...planesOfImage('C06_s001', 'p.zarr/C/06/0/0/zarr.json', [1, 2, 1]),
          ...planesOfImage('C06_s001', 'p.zarr/C/06/2/0/zarr.json', [1, 1, 1], 3),
        ]),
      ),
      example(
        'an image without a plate',
        single,
        new Map(planesOfImage('A01_s001', 's0/.zarray', [1, 2, 1])),
      ),
      example(
        'series of bioformats2raw, in the order of their list',
        series,
        new Map([
          ...planesOfImage('A01_s001', '1/0/.zarray', [1, 1, 2]),
          ...planesOfImage('A01_s002', '0/0/.zarray', [1, 1, 2]),
        ]),
      ),
      example(
        'series without a list, in natural order',
        unlisted,
        new Map(
          ['0', '9', '10'].flatMap((path, i) =>
            planesOfImage(`A01_s00${i + 1}`, `${path}/0/zarr.json`, [1, 1, 1]),
          ),
        ),
      ),
      ...(existsSync(DATA) ? PLATES.map(truthExample) : []),
    ];
  },
});

const indexOf = async (root: string): Promise<PlateIndex> => await omeZarr.index(root, {}, signal);
const kinds = ({ warnings }: PlateIndex): string[] => warnings.map(({ kind }) => kind);

describe.skipIf(!existsSync(DATA))('real stores (skipped where ../shared/data is absent)', () => {
  it.each(PLATES)('%s: every plane has the checksum and the channel name of its truth file', async (set) => {
    const root = join(DATA, set);
    const index = await indexOf(root);
    const names = new Map(index.facts.channels.map(({ number, name }) => [number, name]));
    const planes = planesOf(index);
    for (const { virtual, channel, channel_name, sha256_pixels } of truthOf(set).planes) {
      const [path = '', page] = planes.get(virtual)!.split('#');
      const { bytes } = zarr.readPlaneSync!(join(root, path), Number(page));
      expect(createHash('sha256').update(bytes).digest('hex'), virtual).toBe(sha256_pixels);
      // The images of the 3-D set name their channels differently, so that none is told for the plate.
      expect(names.get(channel)).toBe(set === 'ngff05-hcs' ? channel_name : undefined);
    }
    expect(kinds(index)).toEqual(set === 'ngff05-hcs' ? [] : ['contradiction', 'contradiction']);
  });

  it('tells sizes where the metadata gives their unit, and nothing where it does not', async () => {
    const v5 = (await indexOf(join(DATA, 'ngff05-hcs'))).facts;
    expect(v5).toMatchObject({
      pixelSizeUm: { x: 1.3672, y: 1.3672 },
      zSpacingUm: 3,
      plateRows: 8,
      plateColumns: 12,
    });
    expect(v5.formatDetail).toBe('OME-Zarr 0.5 plate (zarr v3)');
    const v4 = (await indexOf(join(DATA, 'ngff04-hcs-3d'))).facts;
    expect((await indexOf(join(DATA, 'ngff04-hcs-3d'))).warnings[0]!.message).toContain(
      '0_DAPI, 1_DAPI, 2_DAPI',
    );
    expect(v4.pixelSizeUm).toBeUndefined();
    expect(v4.zSpacingUm).toBeUndefined();
    expect(v4.declared).toEqual({ 'w1 color': '00FFFF', 'w2 color': '008000' });
    expect(v4.channels.map(({ color }) => color)).toEqual(['00FFFF', '008000']);
  });

  it('shows images without a plate as one well', async () => {
    for (const version of ['v04', 'v05']) {
      const index = await indexOf(join(DATA, 'ngff-images', version, 'test_image_tczyx.zarr'));
      expect(index.planes.count).toBe(80);
      expect(planeByName(index, 'A01_s001_w2_z010_t004.tif')).toBeDefined();
      expect(kinds(index)).toEqual(['no-plate']);
      expect(index.facts).toMatchObject({ pixelSizeUm: { x: 0.5, y: 0.5 }, zSpacingUm: 1, timeIntervalS: 1 });
    }
  });

  it('is never certain of another kind of data', async () => {
    for (const entry of readdirSync(DATA, { withFileTypes: true })) {
      if (!entry.isDirectory() || PLATES.includes(entry.name)) continue;
      const { confidence } = await omeZarr.detect(join(DATA, entry.name), signal);
      expect(confidence, entry.name).not.toBe('certain');
    }
    const openhcs = join(DATA, 'openhcs-plate-zarr', '9987_Plate_3434_openhcs');
    expect((await omeZarr.detect(openhcs, signal)).confidence).toBe('maybe');
  });
});

describe('labels, tables and lower resolutions', () => {
  it('are no planes', async () => {
    const root = folder();
    writePlate(root, { version: '0.4', wells: { 'A/1': [{ path: '0', shape: [2, 3, 8, 9] }] } });
    writeImage(join(root, 'A/1/0/labels/cells and more'), '0.4', { path: 'l', shape: [3, 8, 9] });
    put(join(root, 'A/1/0/tables/t/table.csv'), 'a,b\n');
    const index = await indexOf(root);
    expect(index.planes.count).toBe(6);
    expect(excludedOf(index).get('A/1/0/tables/t/table.csv')).toBe('metadata');
    expect(excludedOf(index).get('A/1/0/labels/cells and more/0/.zarray')).toBe('metadata');
    expect(index.warnings).toEqual([]);
  });
});

describe('chunks', () => {
  const many: ImageToWrite = { path: '0', shape: [20, 5, 10, 6, 6], levels: 3 };

  it('are not listed one by one, so that the index stays small, but other files beside them are', async () => {
    for (const [version, separator] of [
      ['0.4', '/'],
      ['0.4', '.'],
      ['0.5', '/'],
      ['0.5', '.'],
    ] as const) {
      const root = folder();
      writePlate(root, { version, wells: { 'A/1': [{ ...many, separator }] } });
      put(join(root, 'A/1/0/0/notes.txt'), 'by hand');
      put(join(root, 'A/1/0/0/more/0/x'), 'y');
      const index = await indexOf(root);
      expect(index.planes.count).toBe(1000);
      expect(index.files.count).toBeLessThan(24);
      expect(excludedOf(index).get('A/1/0/0/notes.txt')).toBe('other');
      expect(excludedOf(index).get('A/1/0/0/more/0/x')).toBe('other');
      expect(index.chunkFolders?.pairs).toHaveLength(6);
      const sizeBytes = bufferOf(index)!.byteLength + JSON.stringify(index.chunkFolders).length;
      expect(sizeBytes / index.planes.count).toBeLessThan(60);
    }
  });

  it('are found again when the plate is looked at again', async () => {
    const root = folder();
    writePlate(root, { version: '0.4', wells: { 'A/1': [{ ...many, separator: '.' }] } });
    const before = { ...(await indexOf(root)), indexedAtMs: Date.now() + 60_000 };
    const after = await omeZarr.index(root, { previous: before }, signal);
    expect(after.chunkFolders).toEqual(before.chunkFolders);
    expect(planesOf(after)).toEqual(planesOf(before));
    expect(excludedOf(after)).toEqual(excludedOf(before));
  });
});
