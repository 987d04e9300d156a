import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BadMetadataError } from '../../../src/core/errors.ts';
import openhcs from '../../../src/formats/openhcs.ts';
import { excludedOf, type FormatExample, formatConformance, planesOf } from '../../conformance/formats.ts';
import { CANONICAL, putMetadata, putNamedArray, putTiffs } from '../../fixtures/openhcs-plate.ts';
import { put } from '../../fixtures/zarr.ts';

const DATA = resolve(import.meta.dirname, '../../../../shared/data');
const ZARR_SETS = ['openhcs-plate-zarr', 'openhcs-plate-zarr-file', 'openhcs-plate-zarr-2026'];
const signal = new AbortController().signal;
const index = (root: string) => openhcs.index(root, {}, signal);

let scratch = '';
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'platefs-openhcs-'));
});
afterAll(() => rm(scratch, { recursive: true, force: true }));
let made = 0;
function newRoot(): string {
  made += 1;
  return join(scratch, `plate${made}`);
}

interface Truth {
  readonly plate_root: string;
  readonly main: readonly string[];
  readonly planes: readonly {
    virtual: string;
    source: string;
    index: readonly number[];
    backend: string;
  }[];
}

/** Paths below a folder, for what is to be excluded. */
function pathsBelow(root: string): string[] {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1));
}

const isMetadata = (path: string): boolean => /(?:^|\/)(?:\.z\w+|openhcs_metadata\.json)$/.test(path);

function exampleOf(set: string): FormatExample {
  const truth = JSON.parse(readFileSync(join(DATA, `${set}.truth.json`), 'utf8')) as Truth;
  const root = join(DATA, set, truth.plate_root);
  const planes = new Map<string, string>();
  for (const { virtual, source, index } of truth.planes) {
    const [folder = '', name = ''] = virtual.split('/');
    if (!truth.main.includes(folder)) continue;
    const { shape } = JSON.parse(readFileSync(join(root, source, '.zarray'), 'utf8')) as { shape: number[] };
    const page = index.reduce((sum, at, axis) => sum * shape[axis]! + at, 0);
    planes.set(name, `${source}/.zarray#${page}`);
  }
  const arrays = new Set([...planes.values()].map((path) => path.split('#')[0]!));
  const isChunk = (path: string): boolean => /^images\/[A-Z]\/\d+\/\d+\/0\/\d/.test(path);
  const others = pathsBelow(root).filter((path) => !arrays.has(path) && !isChunk(path));
  return {
    title: set,
    folder: join(DATA, set),
    root,
    planes,
    excluded: new Map(others.map((path) => [path, isMetadata(path) ? 'metadata' : 'other'])),
  };
}

/** An output of OpenHCS on disk, with a checkpoint and results. */
function diskPlate(): FormatExample {
  const root = newRoot();
  const names = ['A01_s001_w1_z001_t001.tif', 'A01_s002_w3_z001_t001.TIF', 'H12_s001_w1_z001_t002.tif'];
  putTiffs(join(root, 'images'), names);
  putTiffs(join(root, 'checkpoints_step1'), names.slice(0, 1));
  put(join(root, 'images_results/A01_details.csv'), 'a,b');
  put(join(root, 'images_results/A01_rois.roi.zip'), 'PK');
  put(join(root, '.DS_Store'), 'x');
  putMetadata(root, {
    checkpoints_step1: {
      ...CANONICAL,
      image_files: [`checkpoints_step1/${names[0]}`],
      available_backends: { disk: true },
    },
    images: {
      ...CANONICAL,
      channels: { 1: 'DAPI', 3: null },
      image_files: names.map((name) => `images/${name}`),
      available_backends: { disk: true, zarr: false },
      main: true,
      results_dir: 'images_results',
    },
  });
  return {
    title: 'files on disk',
    folder: root,
    root,
    planes: new Map(names.map((name) => [name, `images/${name}`])),
    excluded: new Map([
      ['.DS_Store', 'junk'],
      ['openhcs_metadata.json', 'metadata'],
      [`checkpoints_step1/${names[0]}`, 'other'],
      ['images_results/A01_details.csv', 'other'],
      ['images_results/A01_rois.roi.zip', 'other'],
    ]),
  };
}

/** A raw plate of no known vendor with a mapping; `harmony` names it as Harmony does. */
function mappedPlate(version: 1 | 2, harmony = false): FormatExample {
  const root = newRoot();
  const virtuals = harmony
    ? ['Images/r01c02f003p001-ch2sk1fk1fl1.tiff', 'Images/r01c02f003p002-ch2sk1fk1fl1.tiff']
    : ['A02_s003_w2_z001_t001.tiff', 'A02_s003_w2_z002_t001.tiff'];
  const sources = ['raw/one.tiff', 'raw/two.tiff'];
  putTiffs(root, sources);
  const entryOf = (path: string) =>
    version === 1 ? path : { backend: 'disk', backend_address: path, source_axis_indices: [] };
  putMetadata(root, {
    [harmony ? 'Images' : '.']: {
      ...CANONICAL,
      source_filename_parser_name: harmony ? 'OperaPhenixFilenameParser' : 'ImageXpressFilenameParser',
      available_backends: { disk: true, virtual_workspace: true },
      workspace_mapping: Object.fromEntries(
        virtuals.map((name, at) => [
          name,
          entryOf(at === 1 && version === 2 ? join(root, sources[at]!) : sources[at]!),
        ]),
      ),
    },
  });
  return {
    title: `mapping ${version}`,
    folder: root,
    root,
    planes: new Map([
      ['A02_s003_w2_z001_t001.tiff', 'raw/one.tiff'],
      ['A02_s003_w2_z002_t001.tiff', 'raw/two.tiff'],
    ]),
    excluded: new Map([['openhcs_metadata.json', 'metadata']]),
  };
}

/** The layout before there were subdirectories, moved since. */
function flatPlate(): FormatExample {
  const root = newRoot();
  const names = ['A01_s001_w1_z001_t001.tif', 'A01_s002_w1_z001_t001.tif'];
  putTiffs(join(root, 'images'), names);
  put(join(root, 'openhcs_metadata.json'), {
    ...CANONICAL,
    image_files: names.map((name) => `/data/was/here/images.zarr/${name}`),
    channels: { 1: 'DAPI' },
    available_backends: { disk: true },
  });
  return {
    title: 'flat layout',
    folder: root,
    root,
    planes: new Map(names.map((name) => [name, `images/${name}`])),
    excluded: new Map([['openhcs_metadata.json', 'metadata']]),
  };
}

formatConformance(openhcs, {
  examples: async () => [
    diskPlate(),
    mappedPlate(1),
    mappedPlate(2),
    mappedPlate(1, true),
    flatPlate(),
    ...(existsSync(DATA) ? ZARR_SETS.map(exampleOf) : []),
  ],
});

describe.skipIf(!existsSync(DATA))('real plates (skipped where ../shared/data is absent)', () => {
  it('have the facts that their metadata says', async () => {
    for (const set of ZARR_SETS) {
      const { facts } = await index(exampleOf(set).root);
      expect(facts).toMatchObject({ pixelSizeUm: { x: 1.3672, y: 1.3672 }, grid: { rows: 1, columns: 2 } });
    }
    const { facts } = await index(exampleOf('openhcs-plate-zarr-2026').root);
    expect(facts.channels).toEqual([
      { number: 1, name: 'DAPI' },
      { number: 3, name: 'Texas Red' },
    ]);
  });

  it('tell of nothing but the other subdirectory', async () => {
    const warnings = await Promise.all(
      ZARR_SETS.map(async (set) => (await index(exampleOf(set).root)).warnings),
    );
    expect(warnings.flat()).toMatchObject([{ kind: 'other-subdirectory', files: ['checkpoints_step1'] }]);
  });

  it('of other kinds are no plates of OpenHCS', async () => {
    for (const entry of readdirSync(DATA, { withFileTypes: true })) {
      if (!entry.isDirectory() || entry.name.startsWith('openhcs-plate')) continue;
      expect((await openhcs.detect(join(DATA, entry.name), signal)).confidence, entry.name).toBe('no');
    }
  });
});

describe('facts', () => {
  it("leave out what OpenHCS's fallbacks may be", async () => {
    const { root } = diskPlate();
    expect((await index(root)).facts).toMatchObject({
      pixelSizeUm: { x: 0.65, y: 0.65 },
      grid: { rows: 1, columns: 2 },
      channels: [{ number: 1, name: 'DAPI' }],
    });
    const text = readFileSync(join(root, 'openhcs_metadata.json'), 'utf8');
    const fallbacks = text
      .replaceAll('0.65', '1.0')
      .replaceAll(/"grid_dimensions": \[[^\]]*\]/g, '"grid_dimensions": [1, 1]');
    writeFileSync(join(root, 'openhcs_metadata.json'), fallbacks);
    const { facts } = await index(root);
    expect([facts.pixelSizeUm, facts.grid]).toEqual([undefined, undefined]);
  });

  it('take the first of two main subdirectories, and say so', async () => {
    const { root, planes } = diskPlate();
    const file = join(root, 'openhcs_metadata.json');
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, text.replace('"checkpoints_step1": {', '"checkpoints_step1": {"main": true,'));
    const result = await index(root);
    expect([...planesOf(result).values()]).toEqual([`checkpoints_step1/${[...planes.keys()][0]}`]);
    expect(result.warnings.map(({ kind }) => kind)).toEqual(['contradiction', 'other-subdirectory']);
  });

  it.each([
    [{ a: {}, images: {} }, 'images'],
    [{ b: {}, a: {} }, 'b'],
    [{ images: {}, z: { main: true } }, 'z'],
    [{ images: {}, z: { main: 'yes' } }, 'images'],
  ])('%j has the main subdirectory %s', async (subdirectories, main) => {
    const root = newRoot();
    const name = 'A01_s001_w1_z001_t001.tif';
    const withImages = Object.entries(subdirectories).map(([key, more]) => {
      putTiffs(root, [`${key}/${name}`]);
      return [key, { ...more, image_files: [`${key}/${name}`], available_backends: { disk: true } }];
    });
    putMetadata(root, Object.fromEntries(withImages));
    expect([...planesOf(await index(root)).values()]).toEqual([`${main}/${name}`]);
  });
});

describe('Zarr', () => {
  const map = { 'A01_s001_w1_z001_t001.tif': [0, 0, 0], 'A01_s001_w3_z001_t001.tif': [0, 1, 0] };
  const listed = (names: readonly string[]) => ({
    images: {
      ...CANONICAL,
      image_files: names.map((name) => `images/${name}`),
      available_backends: { disk: true, zarr: true },
    },
  });

  it('is preferred, its map decides, and differences from the list are told', async () => {
    const root = newRoot();
    putNamedArray(join(root, 'images/A/01/0/0'), [1, 2, 1], 'polystore_filename_map', map);
    putTiffs(root, ['images/A01_s001_w1_z001_t001.tif']);
    putMetadata(root, listed(['A01_s001_w1_z001_t001.tif', 'A01_s001_w2_z001_t001.tif']));
    const result = await index(root);
    expect([...planesOf(result)]).toEqual([
      ['A01_s001_w1_z001_t001.tif', 'images/A/01/0/0/.zarray#0'],
      ['A01_s001_w3_z001_t001.tif', 'images/A/01/0/0/.zarray#1'],
    ]);
    expect(result.warnings.map(({ kind, files }) => [kind, files[0]])).toEqual([
      ['absent-image', 'images/A01_s001_w2_z001_t001.tif'],
      ['unlisted-image', 'A01_s001_w3_z001_t001.tif'],
      ['unlisted-image', 'images/A01_s001_w1_z001_t001.tif'],
    ]);
  });

  it('in the plate folder itself is apart from the stores of other subdirectories', async () => {
    const root = newRoot();
    putNamedArray(join(root, 'A/01/0/0'), [1, 2, 1], 'polystore_filename_map', map);
    putNamedArray(join(root, 'checkpoints/A/01/0/0'), [1, 2, 1], 'polystore_filename_map', map);
    const available_backends = { zarr: true };
    putMetadata(root, { '.': { available_backends, main: true }, checkpoints: { available_backends } });
    const result = await index(root);
    expect([...planesOf(result).values()]).toEqual(['A/01/0/0/.zarray#0', 'A/01/0/0/.zarray#1']);
    expect(result.warnings).toEqual([]);
  });

  it('of the flat layout is found in the folder it was renamed to', async () => {
    const root = newRoot();
    putNamedArray(join(root, 'images/A/01/0/0'), [1, 2, 1], 'openhcs_filename_map', map);
    put(join(root, 'openhcs_metadata.json'), {
      image_files: Object.keys(map).map((name) => `/was/plate/images.zarr/${name}`),
      available_backends: { zarr: true },
    });
    expect([...planesOf(await index(root)).keys()]).toEqual(Object.keys(map));
  });

  it('with arrays that are single images has each under its name', async () => {
    const root = newRoot();
    putNamedArray(join(root, 'images/A01_s001_w1_z001_t001.tif'), [], 'other', {});
    putMetadata(root, listed(['A01_s001_w1_z001_t001.tif']));
    expect([...planesOf(await index(root))]).toEqual([
      ['A01_s001_w1_z001_t001.tif', 'images/A01_s001_w1_z001_t001.tif/.zarray#0'],
    ]);
  });

  it('with a damaged array or map shows the others, and never a plane that is not there', async () => {
    const root = newRoot();
    const wrong = {
      'A01_s001_w1_z001_t001.tif': [0, 0, 0],
      'A01_s001_w2_z001_t001.tif': [0, 2, 0],
      'A01_s001_w3_z001_t001.tif': [0, -1, 0],
      'A01_s001_w4_z001_t001.tif': [0, 0],
      'A01_s001_w5_z001_t001.tif': 'x',
      'A01_s001_w6_z001_t001.tif': [0, 1.5, 0],
      'B07_s001_w7_z001_t001.tif': [0, 1, 0],
      'no well.tif': [0, 1, 0],
    };
    putNamedArray(join(root, 'images/A/01/0/0'), [1, 2, 1], 'polystore_filename_map', wrong);
    putNamedArray(join(root, 'images/A/02/0/0'), [1, 2, 1], 'polystore_filename_map', map);
    writeFileSync(join(root, 'images/A/02/0/0/.zarray'), '{"shape": [');
    putNamedArray(join(root, 'images/A/03/0/0'), [1, 2, 1], 'polystore_filename_map', map);
    writeFileSync(join(root, 'images/A/03/0/0/.zattrs'), '{');
    putMetadata(root, listed(Object.keys(wrong)));
    const result = await index(root);
    expect([...planesOf(result)]).toEqual([
      ['A01_s001_w1_z001_t001.tif', 'images/A/01/0/0/.zarray#0'],
      ['B07_s001_w7_z001_t001.tif', 'images/A/01/0/0/.zarray#1'],
    ]);
    const told = result.warnings.map(({ kind, message }) => `${kind}: ${message}`);
    expect(told.filter((one) => one.startsWith('bad-metadata'))).toHaveLength(3);
    expect(told).toContainEqual(expect.stringContaining('bad-metadata: 5 names'));
    expect(told).toContainEqual(expect.stringContaining('unrecognised-name: 1 image'));
    expect(told).toContainEqual(expect.stringContaining('contradiction: 1 image of another well'));
  });

  it('of absurd extents shows what an index can hold', async () => {
    const root = newRoot();
    putNamedArray(join(root, 'images/A/01/0/0'), [2, 2, 1], 'polystore_filename_map', {
      ...map,
      'A01_s009_w1_z001_t001.tif': [1, 4_000_000, 5000],
    });
    const path = join(root, 'images/A/01/0/0/.zarray');
    const metadata = JSON.parse(readFileSync(path, 'utf8')) as { shape: number[] };
    writeFileSync(path, JSON.stringify({ ...metadata, shape: [2, 5_000_000, 6000, 20, 30] }));
    putMetadata(root, { images: { available_backends: { zarr: true } } });
    const result = await index(root);
    expect([...planesOf(result).values()]).toEqual([
      'images/A/01/0/0/.zarray#0',
      'images/A/01/0/0/.zarray#6000',
    ]);
    expect(result.warnings.map(({ kind }) => kind)).toEqual(['bad-metadata']);
    writeFileSync(path, JSON.stringify({ ...metadata, shape: [2, 2, 1, 2 ** 31, 1] }));
    const tall = await index(root);
    expect([tall.planes.count, tall.warnings.map(({ kind }) => kind)]).toEqual([
      0,
      ['bad-metadata', 'unsupported-image'],
    ]);
  });

  it('beside the raw images that it was made from is the plate, and they are another subdirectory', async () => {
    const root = newRoot();
    putTiffs(root, ['TimePoint_1/x_A01_s1_w1.tif']);
    putNamedArray(join(root, 'images/A/01/0/0'), [1, 2, 1], 'polystore_filename_map', map);
    putMetadata(root, {
      '.': { workspace_mapping: { 'A01_s001_w1_z001_t001.tif': 'TimePoint_1/x_A01_s1_w1.tif' } },
      images: { available_backends: { zarr: true }, main: true },
    });
    const result = await index(root);
    expect(result.planes.count).toBe(2);
    expect(result.warnings.map(({ kind }) => kind)).toEqual(['other-subdirectory']);
  });

  it('that is not there leaves what else the metadata names', async () => {
    const { root, planes } = diskPlate();
    const file = join(root, 'openhcs_metadata.json');
    writeFileSync(file, readFileSync(file, 'utf8').replace('"zarr": false', '"zarr": true'));
    const result = await index(root);
    expect(planesOf(result)).toEqual(planes);
    expect(result.warnings.slice(0, 2).map(({ kind }) => kind)).toEqual([
      'contradiction',
      'other-subdirectory',
    ]);
  });
});

describe('mappings', () => {
  const address = (store: string, array: string) => JSON.stringify({ array_path: array, store_path: store });

  it('that leave the plate are refused and told', async () => {
    const root = newRoot();
    putTiffs(scratch, ['outside.tif', 'elsewhere/inside.tif']);
    putTiffs(root, ['raw/one.tif']);
    await symlink(join(scratch, 'outside.tif'), join(root, 'raw/link.tif'));
    await symlink(join(scratch, 'elsewhere'), join(root, 'linked'));
    await symlink(join(root, 'raw/one.tif'), join(root, 'raw/own link.tif'));
    const targets = [
      '../outside.tif',
      'raw/../../outside.tif',
      join(scratch, 'outside.tif'),
      '/etc/passwd',
      'raw/link.tif',
      'linked/inside.tif',
      'raw/own link.tif',
      'raw/absent.tif',
      'raw\\one.tif',
    ];
    putMetadata(root, {
      '.': {
        ...CANONICAL,
        workspace_mapping: Object.fromEntries(
          targets.map((path, at) => [`A01_s001_w${at + 1}_z001_t001.tif`, path]),
        ),
      },
    });
    const result = await index(root);
    expect([...planesOf(result)]).toEqual([
      ['A01_s001_w7_z001_t001.tif', 'raw/own link.tif'],
      ['A01_s001_w9_z001_t001.tif', 'raw/one.tif'],
    ]);
    expect(result.warnings.map(({ kind, files }) => [kind, files])).toEqual([
      ['unsafe-path', targets.slice(0, 4)],
      ['absent-image', targets.slice(4, 6).concat('raw/absent.tif')],
      ['link-out-of-plate', ['linked', 'raw/link.tif']],
    ]);
  });

  it('of structured references reach planes of Zarr arrays, and tell what they can not read', async () => {
    const root = newRoot();
    putNamedArray(join(root, 'p.zarr/A/1/0/0'), [2, 3], 'nothing', {});
    putTiffs(root, ['stack.tif']);
    const reference = (backend: string, where: string, indices: unknown) => ({
      backend,
      backend_address: where,
      source_axis_indices: indices,
    });
    const values = [
      reference('ome_zarr', address('p.zarr', 'A/1/0/0'), [1, 2]),
      reference('ome_zarr', address(join(root, 'p.zarr'), 'A/1/0/0'), [0, 1]),
      reference('ome_zarr', address('p.zarr', 'A/1/0/0'), [1, 3]),
      reference('ome_zarr', address('../p.zarr', 'A/1/0/0'), [0, 0]),
      reference('ome_zarr', address('p.zarr', 'B/1/0/0'), [0, 0]),
      reference('ome_zarr', 'no JSON', [0, 0]),
      reference('bioformats', '{}', []),
      reference('disk', 'stack.tif', [1]),
      reference('disk', 'stack.tif', 'x'),
      { ...reference('disk', 'stack.tif', []), more: 1 },
      17,
    ];
    putMetadata(root, {
      '.': {
        ...CANONICAL,
        workspace_mapping: Object.fromEntries(
          values.map((value, at) => [`A01_s001_w${at + 1}_z001_t001.tif`, value]),
        ),
      },
    });
    const result = await index(root);
    expect([...planesOf(result)]).toEqual([
      ['A01_s001_w1_z001_t001.tif', 'p.zarr/A/1/0/0/.zarray#5'],
      ['A01_s001_w2_z001_t001.tif', 'p.zarr/A/1/0/0/.zarray#1'],
    ]);
    expect(result.warnings.map(({ kind, files }) => [kind, files.length])).toEqual([
      ['unsafe-path', 1],
      ['absent-image', 1],
      ['bad-metadata', 5],
      ['unsupported-image', 2],
      ['unlisted-image', 1],
    ]);
  });

  it('of one file under two names show both and say so', async () => {
    const root = newRoot();
    putTiffs(root, ['one.tif']);
    const names = ['A01_s001_w1_z001_t001.tif', 'A01_s001_w2_z001_t001.tif'];
    putMetadata(root, {
      '.': { workspace_mapping: Object.fromEntries(names.map((name) => [name, 'one.tif'])) },
    });
    const result = await index(root);
    expect([...planesOf(result).keys()]).toEqual(names);
    expect(result.warnings.map(({ kind }) => kind)).toEqual(['shared-source']);
  });

  it('of 300,000 images are read in bounded memory', async () => {
    const root = newRoot();
    putTiffs(root, ['one.tif']);
    const lines = Array.from(
      { length: 300_000 },
      (_, at) =>
        `"A01_s${String(at + 1).padStart(3, '0')}_w1_z001_t001.tif": {"backend": "disk", "backend_address": "${at === 7 ? 'one' : `raw/some/folder/absent${at}`}.tif", "source_axis_indices": []}`,
    );
    put(
      join(root, 'openhcs_metadata.json'),
      `{"subdirectories": {".": {"workspace_mapping": {${lines.join(',\n')}}}}}`,
    );
    const before = process.memoryUsage().heapUsed;
    const result = await index(root);
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(150e6);
    expect([...planesOf(result)]).toEqual([['A01_s008_w1_z001_t001.tif', 'one.tif']]);
    expect(result.warnings[0]).toMatchObject({
      kind: 'absent-image',
      message: expect.stringContaining('299999 images'),
    });
  });
});

describe('metadata that is broken', () => {
  it.each(['{"subdirectories": {', 'garbage', '', '[1]', '{"a": 1}', `{"a": ${'['.repeat(200_000)}`])(
    '%# is an error that names the file, and the file stays as it is',
    async (text) => {
      const root = newRoot();
      putTiffs(root, ['A01_s001_w1_z001_t001.tif']);
      put(join(root, 'openhcs_metadata.json'), text);
      expect(await openhcs.detect(root, signal)).toMatchObject({
        confidence: 'certain',
        standing: 'gives-way',
      });
      const error = await index(root).catch((cause: unknown) => cause);
      expect(error).toBeInstanceOf(BadMetadataError);
      expect(String(error)).toContain(join(root, 'openhcs_metadata.json'));
      expect(readFileSync(join(root, 'openhcs_metadata.json'), 'utf8')).toBe(text);
    },
  );

  it('with fields of the wrong kind leaves them out', async () => {
    const root = newRoot();
    const name = 'A01_s001_w1_z001_t001.tif';
    putTiffs(root, [name]);
    putMetadata(root, {
      '.': {
        microscope_handler_name: 5,
        grid_dimensions: [1, 2, 3],
        pixel_size: '0.65',
        channels: ['DAPI'],
        available_backends: 'zarr',
        wells: null,
        image_files: [name, 7, '../x.tif', 'overview.tif'],
      },
      '../elsewhere': 5,
    });
    const result = await index(root);
    expect([...planesOf(result).keys()]).toEqual([name]);
    expect(result.facts).toMatchObject({ channels: [] });
    expect([result.facts.grid, result.facts.pixelSizeUm]).toEqual([undefined, undefined]);
    expect(result.warnings.map(({ kind }) => kind)).toEqual([
      'unsafe-path',
      'unrecognised-name',
      'bad-metadata',
    ]);
  });

  it('with a main subdirectory outside of the plate shows nothing', async () => {
    const root = newRoot();
    putMetadata(root, { '../elsewhere': { image_files: ['../elsewhere/A01_s001_w1_z001_t001.tif'] } });
    const result = await index(root);
    expect(result.planes.count).toBe(0);
    expect(result.warnings.map(({ kind }) => kind)).toEqual(['unsafe-path']);
    expect(excludedOf(result).get('openhcs_metadata.json')).toBe('metadata');
  });
});
