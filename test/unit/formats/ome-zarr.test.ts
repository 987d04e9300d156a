import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { PlateFsError } from '../../../src/core/errors.ts';
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

const one = (image: Partial<ImageToWrite> = {}): string => {
  const root = folder();
  writePlate(root, { version: '0.4', wells: { 'A/1': [{ path: '0', shape: [2, 3, 8, 9], ...image }] } });
  return root;
};
const attributes = (root: string, path: string, change: (value: unknown) => void): void => {
  const file = join(root, path, '.zattrs');
  const value = JSON.parse(readFileSync(file, 'utf8')) as unknown;
  change(value);
  writeFileSync(file, JSON.stringify(value));
};

describe('facts', () => {
  it('converts units it knows and leaves out those it does not', async () => {
    const units = async (length: string, time: string) => {
      const axes = axesOf('tzyx').map((axis) => ({ ...axis, unit: axis.name === 't' ? time : length }));
      const { facts } = await indexOf(one({ axes, scale: [2, 500, 250, 125] }));
      return [facts.pixelSizeUm, facts.zSpacingUm, facts.timeIntervalS];
    };
    expect(await units('nanometer', 'minute')).toEqual([{ x: 0.125, y: 0.25 }, 0.5, 120]);
    expect(await units('micrometre', 'millisecond')).toEqual([{ x: 125, y: 250 }, 500, 0.002]);
    expect(await units('pixel', 'frame')).toEqual([undefined, undefined, undefined]);
    expect(await units('ms', 'nm')).toEqual([undefined, undefined, undefined]);
  });

  it('multiplies the scale of the level with that of the image', async () => {
    const root = one({ axes: axesOf('czyx'), scale: [1, 2, 0.5, 0.5] });
    attributes(root, 'A/1/0', (value) => {
      const [first] = (value as { multiscales: Record<string, unknown>[] }).multiscales;
      first!['coordinateTransformations'] = [{ type: 'scale', scale: [1, 1, 3, 3] }];
    });
    expect((await indexOf(root)).facts).toMatchObject({ pixelSizeUm: { x: 1.5, y: 1.5 }, zSpacingUm: 2 });
  });

  it('tells positions of fields, and none when all are zero', async () => {
    const root = folder();
    const axes = axesOf('cyx');
    const at = (path: string, x: number): ImageToWrite => ({
      path,
      shape: [1, 8, 8],
      axes,
      translation: [0, 5, x],
    });
    writePlate(root, { version: '0.5', wells: { 'A/1': [at('0', 0), at('1', 100)] } });
    const { planes } = await indexOf(root);
    expect([...planes.xsUm]).toEqual([0, 100]);
    expect([...planes.ysUm]).toEqual([5, 5]);
    expect(
      (await indexOf(one({ axes: axesOf('czyx'), translation: [0, 0, 0, 0] }))).planes.xsUm,
    ).toHaveLength(0);
  });

  it('says which channels belong to which acquisition, and no name where images disagree', async () => {
    const root = folder();
    const image = (path: string, acquisition: number, label: string): ImageToWrite => ({
      path,
      acquisition,
      shape: [1, 8, 8],
      axes: axesOf('cyx'),
      channels: [{ label, color: 'FF0000' }],
    });
    writePlate(root, {
      version: '0.4',
      wells: {
        'A/1': [image('0', 0, 'DAPI'), image('1', 1, 'GFP')],
        'A/2': [image('0', 0, 'DAPI'), image('1', 1, 'Cy5')],
      },
    });
    const index = await indexOf(root);
    expect(index.facts.channels).toEqual([{ number: 1, name: 'DAPI' }, { number: 2 }]);
    expect(index.facts.formatDetail).toBe('OME-Zarr 0.4 plate (zarr v2), 2 acquisitions as further channels');
    expect(index.facts.declared).toMatchObject({
      'acquisition 0 (cycle 0)': 'w1',
      'acquisition 1 (cycle 1)': 'w2',
    });
    expect(kinds(index)).toEqual(['contradiction']);
  });
});

describe('labels, tables and lower resolutions', () => {
  it('are no planes', async () => {
    const root = one();
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
      expect(index.chunkFolders?.folders).toHaveLength(6);
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

describe('stores that are wrong', () => {
  it('are told what is missing, and the rest is shown', async () => {
    const root = folder();
    const image = { path: '0', shape: [1, 8, 8] };
    writePlate(root, { version: '0.4', wells: { 'A/1': [image, { ...image, path: '1' }], 'A/2': [image] } });
    rmSync(join(root, 'A/1/1'), { recursive: true });
    rmSync(join(root, 'A/2/0/0/.zarray'));
    const index = await indexOf(root);
    expect([...planesOf(index).keys()]).toEqual(['A01_s001_w1_z001_t001.tif']);
    expect(kinds(index)).toEqual(['missing-image', 'bad-metadata']);
    expect(index.warnings.map(({ files }) => files[0])).toEqual(['A/1', 'A/2/0/0/.zarray']);
  });

  it('never lead out of themselves, by a path or by a link', async () => {
    const root = folder();
    const outside = folder();
    const image = { path: '0', shape: [1, 8, 8] };
    writeImage(join(outside, '0'), '0.4', image);
    const secrets = ['../../..', outside, `${outside}/0`, '/etc', '', '.', 'a\0b', 'x/../../y', '..\\..'];
    writePlate(root, { version: '0.4', wells: { 'A/1': [image] } });
    symlinkSync(join(outside, '0'), join(root, 'A/1/link'));
    attributes(root, 'A/1', (value) => {
      (value as { well: { images: object[] } }).well.images.push(
        ...[...secrets, 'link'].map((path) => ({ path })),
      );
    });
    const index = await indexOf(root);
    expect([...planesOf(index).values()]).toEqual(['A/1/0/0/.zarray#0']);
    expect(index.warnings).toHaveLength(secrets.length + 1);
    attributes(root, 'A/1/0', (value) => {
      (value as { multiscales: { datasets: { path: string }[] }[] }).multiscales[0]!.datasets[0]!.path =
        outside;
    });
    expect((await indexOf(root)).planes.count).toBe(0);
  });

  it('with arrays no TIFF can show are told why', async () => {
    const why = async (change: (array: Record<string, unknown>) => void): Promise<string> => {
      const root = one();
      const file = join(root, 'A/1/0/0/.zarray');
      const array = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
      change(array);
      writeFileSync(file, JSON.stringify(array));
      const index = await indexOf(root);
      expect(index.planes.count).toBe(0);
      return index.warnings[0]!.message;
    };
    expect(await why((array) => (array['dtype'] = '<f8'))).toContain('float64');
    expect(await why((array) => (array['dtype'] = '<c8'))).toContain('several parts');
    expect(await why((array) => (array['dtype'] = '|O'))).toContain('data type');
    expect(await why((array) => (array['shape'] = [2, 3, 0, 9]))).toContain('holds none');
    expect(await why((array) => Object.assign(array, { shape: [8, 9], chunks: [8, 9] }))).toContain(
      'names 4 axes',
    );
    expect(await why((array) => (array['shape'] = [2 ** 26, 2 ** 24, 1, 1]))).toContain(
      'more than 67108864 planes',
    );
    expect(await why((array) => (array['shape'] = [70_000, 3, 8, 9]))).toContain('channel');
    expect(await why((array) => (array['compressor'] = { id: 'bz2' }))).toContain('bz2');
    const flipped = (await indexOf(one({ axes: axesOf('czxy') }))).warnings[0]!.message;
    expect(flipped).toContain('do not end in y, x');
  });

  it('whose wells contradict each other are settled by a rule that is told', async () => {
    const root = one();
    attributes(root, '', (value) => {
      const { plate } = value as { plate: { wells: object[]; rows: object[] } };
      plate.rows = [{ name: 'H' }];
      plate.wells.push(
        { path: 'A/01', rowIndex: 0, columnIndex: 0 },
        { path: 'nowhere', rowIndex: 90, columnIndex: 0 },
      );
    });
    const index = await indexOf(root);
    expect([...planesOf(index).keys()][0]).toBe('A01_s001_w1_z001_t001.tif');
    expect(kinds(index)).toEqual(['contradiction', 'missing-image', 'missing-image']);
  });

  it('of any metadata give an index or a typed error', async () => {
    const root = one();
    const files = ['.zattrs', 'A/1/.zattrs', 'A/1/0/.zattrs', 'A/1/0/0/.zarray', '.zgroup'];
    const originals = new Map(files.map((file) => [file, readFileSync(join(root, file), 'utf8')]));
    const value = fc.oneof(
      fc.jsonValue({ maxDepth: 3 }),
      fc.constantFrom<unknown>('../..', '/', [], {}, null, -1, 1e30, [[]], 'A/1', '0'),
    );
    /** Puts a value somewhere into a document. */
    const change = (document: unknown, steps: readonly number[], into: unknown): unknown => {
      if (typeof document !== 'object' || document === null || steps.length === 0) return into;
      const keys = Object.keys(document);
      const key = keys[steps[0]! % Math.max(1, keys.length)];
      if (key === undefined) return into;
      const changed = change((document as Record<string, unknown>)[key], steps.slice(1), into);
      return Array.isArray(document)
        ? document.map((entry: unknown, at) => (String(at) === key ? changed : entry))
        : { ...document, [key]: changed };
    };
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...files),
        fc.array(fc.nat(9), { minLength: 1, maxLength: 8 }),
        value,
        async (file, steps, into) => {
          for (const [name, text] of originals) writeFileSync(join(root, name), text);
          writeFileSync(
            join(root, file),
            JSON.stringify(change(JSON.parse(originals.get(file)!), steps, into)),
          );
          try {
            const detection = await omeZarr.detect(root, signal);
            const index = await indexOf(root);
            expect(detection.confidence).toBe('certain');
            if (index.planes.count === 0) expect(index.warnings.length).toBeGreaterThan(0);
          } catch (error) {
            expect(error).toBeInstanceOf(PlateFsError);
          }
        },
      ),
      { numRuns: 400 },
    );
  });

  it('with several stores in one folder are not guessed between', async () => {
    const root = folder();
    for (const name of ['a.zarr', 'b.zarr'])
      writeImage(join(root, name), '0.4', { path: '0', shape: [8, 8] });
    const detection = await omeZarr.detect(root, signal);
    expect(detection.confidence).toBe('no');
    expect(detection.reason).toContain('a.zarr');
  });
});
