import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makePlate } from '../../../scripts/plate-maker/plate-maker.ts';
import type { PlateIndex } from '../../../src/model/plate-index.ts';
import { planeName } from '../../../src/model/plate-lookup.ts';
import { openPlate } from '../../../src/tree/open-plate.ts';
import { recognisedAs, recognisePlate } from '../../../src/tree/recognise-plate.ts';
import { writePlate } from '../../fixtures/ome-zarr.ts';
import { CANONICAL, putMetadata, putNamedArray, putTiffs } from '../../fixtures/openhcs-plate.ts';

const DATA = resolve(import.meta.dirname, '../../../../shared/data');
const signal = new AbortController().signal;
let scratch = '';
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'platefs-precedence-'));
});
afterAll(() => rm(scratch, { recursive: true, force: true }));
let made = 0;
const newFolder = (): string => {
  made += 1;
  return join(scratch, `p${made}`);
};
const open = async (folder: string): Promise<PlateIndex> =>
  (await openPlate(folder, { signal, cacheDir: null })).index;
const kindsOf = (index: PlateIndex): string[] => index.warnings.map(({ kind }) => kind);

/** A raw plate of MetaXpress; `mapping` turns its true names and paths into a mapping. */
async function rawPlate(
  mapping: (planes: readonly (readonly [string, string])[]) => readonly (readonly [string, unknown])[],
) {
  const folder = newFolder();
  const { root, planes } = await makePlate(folder, {
    width: 16,
    height: 16,
    wells: ['A01', 'B02'],
    sites: 2,
    zSteps: 2,
  });
  const entries = mapping(planes.map(({ name, source }) => [name, source] as const));
  putMetadata(root, { '.': { ...CANONICAL, workspace_mapping: Object.fromEntries(entries) } });
  return { folder, root, planes };
}

describe('a raw plate with openhcs_metadata.json', () => {
  it('belongs to its instrument, and a mapping that agrees is not told of', async () => {
    const { root, planes } = await rawPlate((true_) => true_);
    const index = await open(root);
    expect([index.facts.format, index.planes.count, kindsOf(index)]).toEqual([
      'imagexpress',
      planes.length,
      [],
    ]);
  });

  it('is told where the mapping differs, in either version', async () => {
    const { root, planes } = await rawPlate((true_) =>
      true_.slice(1).map(([name, source], at) => {
        if (at === 0) return [name.replace(/_t\d+/, '_t009'), source];
        if (at === 1)
          return [name, { backend: 'disk', backend_address: 'gone.tif', source_axis_indices: [] }];
        if (at === 2) return [name, '../../out.tif'];
        return [name, { backend: 'disk', backend_address: join('./', source), source_axis_indices: [] }];
      }),
    );
    const index = await open(root);
    expect(index.facts.format).toBe('imagexpress');
    expect(Array.from({ length: index.planes.count }, (_, at) => planeName(index, at))).toEqual(
      planes.map(({ name }) => name),
    );
    expect(index.warnings.map(({ kind, message }) => `${kind}: ${message}`)).toEqual([
      expect.stringMatching(/^mapping-differs: 1 image named otherwise .*_t009/),
      expect.stringMatching(/^absent-image: 1 image .*gone\.tif/),
      expect.stringMatching(/^unsafe-path: 1 image .*out\.tif/),
      expect.stringMatching(/^mapping-differs: 3 planes of the plate have no name/),
    ]);
  });

  it('is mounted although the file is broken, which is told', async () => {
    const { root, planes } = await rawPlate(() => []);
    writeFileSync(join(root, 'openhcs_metadata.json'), '{"subdirectories": {');
    const index = await open(root);
    expect([index.facts.format, index.planes.count, kindsOf(index)]).toEqual([
      'imagexpress',
      planes.length,
      ['bad-metadata'],
    ]);
  });

  it('with a mere list of its files is not told that their own names differ from ours', async () => {
    const { root, planes } = await rawPlate(() => []);
    putMetadata(root, { '.': { ...CANONICAL, image_files: planes.map(({ source }) => source) } });
    const index = await open(root);
    expect([index.facts.format, kindsOf(index)]).toEqual(['imagexpress', []]);
  });

  it('remembers the comparison, and the cache notices when the file is changed in place', async () => {
    const { root } = await rawPlate((true_) => true_);
    const cacheDir = newFolder();
    const { index } = await openPlate(root, { signal, cacheDir });
    expect(index.descriptions).toEqual([{ format: 'openhcs', root }]);
    const path = join(root, 'openhcs_metadata.json');
    writeFileSync(path, readFileSync(path, 'utf8').replace('_t001', '_t003'));
    expect(kindsOf((await openPlate(root, { signal, cacheDir })).index)).toEqual(['mapping-differs']);
  });

  it('is compared as well when somebody else recognised it', async () => {
    const { root } = await rawPlate((true_) => true_.slice(1));
    const recognised = recognisedAs(await recognisePlate(root, signal));
    const plain = JSON.parse(JSON.stringify(recognised)) as typeof recognised;
    const { index } = await openPlate(root, { signal, cacheDir: null, recognised: plain });
    expect(kindsOf(index)).toEqual(['mapping-differs']);
  });

  it('may have the file in a folder above', async () => {
    const folder = newFolder();
    const { root, planes } = await makePlate(folder, {
      width: 16,
      height: 16,
      wells: ['A01'],
      shape: 'database',
      zSteps: 1,
      timePoints: 1,
      sites: 1,
    });
    const below = root.slice(folder.length + 1);
    putMetadata(folder, {
      '.': {
        ...CANONICAL,
        workspace_mapping: Object.fromEntries(planes.map(({ name, source }) => [name, `${below}/${source}`])),
      },
    });
    const index = await open(folder);
    expect([index.facts.format, index.rootPath, kindsOf(index)]).toEqual(['imagexpress', root, []]);
  });
});

describe("OpenHCS's own output", () => {
  const names = ['r01c01f001p001-ch1sk1fk1fl1.tiff', 'r01c01f002p001-ch1sk1fk1fl1.tiff'];
  const harmonyOutput = (root: string): void => {
    putTiffs(join(root, 'images'), names);
    putMetadata(root, {
      images: {
        ...CANONICAL,
        source_filename_parser_name: 'OperaPhenixFilenameParser',
        image_files: names.map((name) => `images/${name}`),
        available_backends: { disk: true },
        main: true,
      },
    });
  };

  it('prevails over a vendor whose names it keeps', async () => {
    const root = newFolder();
    harmonyOutput(root);
    const index = await open(root);
    expect(index.facts.format).toBe('openhcs');
    expect(index.planes.count).toBe(2);
    rmSync(join(root, 'openhcs_metadata.json'));
    expect((await open(root)).facts.format).toBe('harmony');
  });

  it('prevails over the OME-Zarr store in it, whose own numbers are places', async () => {
    const root = newFolder();
    writePlate(join(root, 'images'), {
      version: '0.4',
      wells: { 'B/02': [{ path: '0', shape: [1, 2, 1, 20, 30] }] },
    });
    putNamedArray(join(root, 'images/B/02/0/0'), [1, 2, 1], 'polystore_filename_map', {
      'B02_s004_w1_z001_t001.tif': [0, 0, 0],
      'B02_s004_w3_z001_t001.tif': [0, 1, 0],
    });
    putMetadata(root, { images: { ...CANONICAL, available_backends: { zarr: true }, main: true } });
    const index = await open(root);
    expect(Array.from({ length: 2 }, (_, at) => planeName(index, at))).toEqual([
      'B02_s004_w1_z001_t001.tif',
      'B02_s004_w3_z001_t001.tif',
    ]);
  });

  it('beside the raw plate is another plate: both are shown', async () => {
    const { root } = await rawPlate((true_) => true_);
    const folder = newFolder();
    await cp(root, join(folder, 'raw'), { recursive: true });
    rmSync(join(folder, 'raw/openhcs_metadata.json'));
    harmonyOutput(join(folder, 'raw_openhcs'));
    expect((await open(folder)).scope).toEqual({ kind: 'folder', plates: ['raw', 'raw_openhcs'] });
  });

  it('inside a raw plate leaves the raw plate what it is', async () => {
    const { root, planes } = await rawPlate(() => []);
    rmSync(join(root, 'openhcs_metadata.json'));
    harmonyOutput(join(root, 'results'));
    const index = await open(root);
    expect([index.facts.format, index.planes.count]).toEqual(['imagexpress', planes.length]);
  });
});

describe.skipIf(!existsSync(DATA))('real plates (skipped where ../shared/data is absent)', () => {
  it.each(existsSync(DATA) ? readdirSync(join(DATA, 'openhcs-metadata')) : [])(
    '%s beside the real plate agrees with us',
    async (name) => {
      const set = 'ix-exported-3434';
      const truth = JSON.parse(readFileSync(join(DATA, `${set}.truth.json`), 'utf8')) as {
        plate_root: string;
      };
      const root = newFolder();
      await cp(join(DATA, set, truth.plate_root), root, { recursive: true });
      await cp(join(DATA, 'openhcs-metadata', name), join(root, 'openhcs_metadata.json'));
      const index = await open(root);
      expect(index.facts.format).toBe('imagexpress');
      expect(index.descriptions).toEqual([{ format: 'openhcs', root }]);
      expect(kindsOf(index)).toEqual(['exporter-copy', 'exporter-copy']);
      const names = Array.from({ length: index.planes.count }, (_, at) => planeName(index, at));
      const document = JSON.parse(readFileSync(join(root, 'openhcs_metadata.json'), 'utf8')) as {
        subdirectories: { '.': { workspace_mapping: object } };
      };
      expect(Object.keys(document.subdirectories['.'].workspace_mapping).sort()).toEqual([...names].sort());
    },
  );
});
