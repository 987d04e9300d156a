import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { PlateFsError } from '../../../src/core/errors.ts';
import omeZarr from '../../../src/formats/ome-zarr.ts';
import type { PlateIndex } from '../../../src/model/plate-index.ts';
import { planesOf } from '../../conformance/formats.ts';
import { axesOf, type ImageToWrite, writeImage, writePlate } from '../../fixtures/ome-zarr.ts';

const signal = new AbortController().signal;
const scratch = mkdtempSync(join(tmpdir(), 'platefs-ngff-metadata-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
let made = 0;
const folder = (): string => join(scratch, String(made++));
const indexOf = async (root: string): Promise<PlateIndex> => await omeZarr.index(root, {}, signal);
const kinds = ({ warnings }: PlateIndex): string[] => warnings.map(({ kind }) => kind);
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
    expect(index.facts.channels).toEqual([
      { number: 1, name: 'DAPI', color: 'FF0000' },
      { number: 2, color: 'FF0000' },
    ]);
    expect(index.facts.formatDetail).toBe('OME-Zarr 0.4 plate (zarr v2), 2 acquisitions as further channels');
    expect(index.facts.declared).toMatchObject({
      'acquisition 0 (cycle 0)': 'w1',
      'acquisition 1 (cycle 1)': 'w2',
    });
    expect(kinds(index)).toEqual(['contradiction']);
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
    // The links are told of once more, as links out of the plate.
    const told = index.warnings.filter(({ kind }) => kind !== 'link-out-of-plate');
    expect(told).toHaveLength(secrets.length + 1);
    attributes(root, 'A/1/0', (value) => {
      (value as { multiscales: { datasets: { path: string }[] }[] }).multiscales[0]!.datasets[0]!.path =
        outside;
    });
    expect((await indexOf(root)).planes.count).toBe(0);
  });

  it('with arrays that nothing can show are told why', async () => {
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

  const V2_FILES = ['.zattrs', 'A/1/.zattrs', 'A/1/0/.zattrs', 'A/1/0/0/.zarray', '.zgroup'];
  const V3_FILES = ['zarr.json', 'A/1/zarr.json', 'A/1/0/zarr.json', 'A/1/0/0/zarr.json'];

  it.each([
    ['0.4', V2_FILES],
    ['0.5', V3_FILES],
  ] as const)('of any metadata of version %s give an index or a typed error', async (version, files) => {
    const root = folder();
    writePlate(root, { version, wells: { 'A/1': [{ path: '0', shape: [2, 3, 8, 9] }] } });
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
      { numRuns: 250 },
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
