import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PlateFsError } from '../../../src/core/errors.ts';
import microManager from '../../../src/formats/micro-manager.ts';
import { JsonMemberSplitter } from '../../../src/formats/shared/json-members.ts';
import { parseMmImageName } from '../../../src/formats/shared/mm-image-name.ts';
import { type MmPosition, placePositions } from '../../../src/formats/shared/mm-position.ts';
import type { PlateIndex } from '../../../src/model/plate-index.ts';
import { planeByName } from '../../../src/model/plate-lookup.ts';
import { wellName } from '../../../src/model/well.ts';
import tiff from '../../../src/sources/tiff.ts';
import { excludedOf, type FormatExample, formatConformance, planesOf } from '../../conformance/formats.ts';
import {
  indexEntry,
  type NdTiffImage,
  type NdTiffOptions,
  writeMmStack,
  writeNdTiff,
} from '../../fixtures/micro-manager.ts';
import { flatPage } from '../../fixtures/ome-tiff.ts';
import { writeTiff } from '../../fixtures/tiff.ts';

const DATA = resolve(import.meta.dirname, '../../../../shared/data/ndtiff');
const signal = new AbortController().signal;

let scratch = '';
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'platefs-mm-'));
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

let made = 0;
function folder(): string {
  made += 1;
  const path = join(scratch, `set${made}`);
  mkdirSync(path);
  return path;
}

async function indexOf(root: string): Promise<PlateIndex> {
  return await microManager.index(root, {}, signal);
}

const told = ({ warnings }: PlateIndex, kind: string): string =>
  warnings
    .filter((warning) => warning.kind === kind)
    .map(({ message }) => message)
    .join('\n');

/** The value of every plane's first pixel, by name, as the TIFF source reads its page. */
function valuesOf(index: PlateIndex): Record<string, number> {
  const values: Record<string, number> = {};
  for (const [name, place] of planesOf(index)) {
    const [path = '', page = '0'] = place.split('#');
    const bytes = tiff.readPlaneSync?.(join(index.rootPath, path), Number(page)).bytes;
    values[name] = (bytes?.[0] ?? 0) + 256 * (bytes?.[1] ?? 0);
  }
  return values;
}

function ndTiff(images: readonly NdTiffImage[], options: NdTiffOptions = {}): string {
  const root = folder();
  const index = writeNdTiff(join(root, 'a_NDTiffStack.tif'), images, options);
  writeFileSync(join(root, 'NDTiff.index'), index);
  return root;
}

function write(path: string, value: number): void {
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, writeTiff({ pages: [flatPage(value)] }));
}

/** One file per image, the names of 2.0. */
function newNames(): FormatExample {
  const root = folder();
  const metadata: Record<string, unknown> = { Summary: { ChNames: ['DAPI', 'FITC'], 'z-step_um': 0.5 } };
  const planes = new Map<string, string>();
  for (const [p, label] of ['A1-Site_0', 'B12-Site_1'].entries())
    for (const c of [0, 1])
      for (const z of [0, 1]) {
        const name = `img_channel00${c}_position00${p}_time000000000_z00${z}.tif`;
        write(join(root, label, name), 100 * p + 10 * c + z);
        metadata[`Metadata-${label}/${name}`] = {
          PositionName: label,
          PixelSizeUm: 0.65,
          ZPositionUm: 3 + z / 2,
        };
        const well = p === 0 ? 'A01_s001' : 'B12_s002';
        planes.set(`${well}_w${c + 1}_z00${z + 1}_t001.tif`, `${label}/${name}`);
      }
  writeFileSync(join(root, 'A1-Site_0', 'metadata.txt'), JSON.stringify(metadata));
  writeFileSync(join(root, 'DisplaySettings.json'), '{}');
  return {
    title: 'separate files of 2.0',
    folder: root,
    root,
    planes,
    excluded: new Map([
      ['A1-Site_0/metadata.txt', 'metadata'],
      ['DisplaySettings.json', 'metadata'],
    ]),
  };
}

/** One file per image, the names of 1.4. */
function oldNames(): FormatExample {
  const above = folder();
  const root = join(above, 'run_1');
  const planes = new Map<string, string>();
  for (const p of [0, 1, 10]) {
    const entries: Record<string, unknown> = {
      Summary: { ChNames: ['FITC', 'DA_PI'], PixelSize_um: 0.1625 },
    };
    for (const [c, channel] of ['FITC', 'DA_PI'].entries())
      for (const t of [0, 1]) {
        const name = `img_00000000${t}_${channel}_000.tif`;
        write(join(root, `Pos${p}`, name), 1);
        entries[`FrameKey-${t}-${c}-0`] = { FileName: name, 'ElapsedTime-ms': 1000 * t, XPositionUm: p };
        planes.set(`A01_s00${p === 10 ? 3 : p + 1}_w${c + 1}_z001_t00${t + 1}.tif`, `Pos${p}/${name}`);
      }
    // An acquisition that was stopped leaves the last brace out.
    writeFileSync(join(root, `Pos${p}`, 'metadata.txt'), `${JSON.stringify(entries).slice(0, -1)},\n`);
  }
  return {
    title: 'separate files of 1.4',
    folder: above,
    root,
    planes,
    excluded: new Map([0, 1, 10].map((p) => [`Pos${p}/metadata.txt`, 'metadata'])),
  };
}

/** Stacks of two positions, the second with a continuation file. */
function stacks(): FormatExample {
  const root = folder();
  const summary = { ChNames: ['DAPI', 'Cy5'], Interval_ms: 2000, 'z-step_um': 1 };
  const frame = (PositionName: string): Record<string, unknown> => ({ PositionName, PixelSizeUm: 0.5 });
  writeMmStack(
    join(root, 'x_MMStack_A1-Site_0.ome.tif'),
    [0, 1].map((c) => ({ value: c, c, frame: frame('A1-Site_0') })),
    { summary },
  );
  const other = { p: 1, frame: frame('C05-Site_0') };
  writeMmStack(join(root, 'x_MMStack_C05-Site_0.ome.tif'), [{ value: 2, c: 0, ...other }], { summary });
  writeMmStack(join(root, 'x_MMStack_C05-Site_0_1.ome.tif'), [{ value: 3, c: 1, ...other }], { summary });
  writeFileSync(join(root, 'x_MMStack_A1-Site_0_metadata.txt'), '{}');
  return {
    title: 'stacks',
    folder: root,
    root,
    planes: new Map([
      ['A01_s001_w1_z001_t001.tif', 'x_MMStack_A1-Site_0.ome.tif#0'],
      ['A01_s001_w2_z001_t001.tif', 'x_MMStack_A1-Site_0.ome.tif#1'],
      ['C05_s001_w1_z001_t001.tif', 'x_MMStack_C05-Site_0.ome.tif#0'],
      ['C05_s001_w2_z001_t001.tif', 'x_MMStack_C05-Site_0_1.ome.tif#0'],
    ]),
    excluded: new Map([['x_MMStack_A1-Site_0_metadata.txt', 'metadata']]),
  };
}

function sharedData(): FormatExample[] {
  if (!existsSync(DATA)) return [];
  const v2 = join(DATA, 'v2/ndtiffv2.0_stitched_test');
  const v3 = join(DATA, 'v3/12_bit_pycromanager_mda');
  const stack = 'ndtiffv2.0_stitched_test_NDTiffStack.tif';
  const small = [2, 4, 8, 16].flatMap((n): [string, string][] => [
    [`Downsampled_x${n}/NDTiff.index`, 'other'],
    [`Downsampled_x${n}/${stack}`, 'thumbnail'],
  ]);
  const series = [1, 2].flatMap((w) =>
    [0, 1, 2, 3].map((t): [string, string] => [
      `A01_s001_w${w}_z001_t00${t + 1}.tif`,
      `12_bit_pycromanager_mda_NDTiffStack.tif#${2 * t + w - 1}`,
    ]),
  );
  return [
    {
      title: 'NDTiff 2 with a pyramid',
      folder: v2,
      root: v2,
      planes: new Map([
        ['A01_s001_w1_z001_t001.tif', `Full resolution/${stack}#1`],
        ['A01_s002_w1_z001_t001.tif', `Full resolution/${stack}#0`],
      ]),
      excluded: new Map([
        ...small,
        ['Full resolution/NDTiff.index', 'metadata'],
        ['display_settings.txt', 'metadata'],
      ]),
    },
    {
      title: 'NDTiff 3 of 12 bits',
      folder: join(DATA, 'v3'),
      root: v3,
      planes: new Map(series),
      excluded: new Map([
        ['NDTiff.index', 'metadata'],
        ['display_settings.txt', 'metadata'],
      ]),
    },
  ];
}

formatConformance(microManager, {
  examples: async () => [newNames(), oldNames(), stacks(), ...sharedData()],
});

describe('names and labels', () => {
  it('reads names of single images', () => {
    expect(parseMmImageName('img_channel001_position002_time000000003_z004.tif')).toEqual({
      channel: 1,
      position: 2,
      t: 3,
      z: 4,
    });
    expect(parseMmImageName('img_000000012_Cy5_long_name_003.tif')).toEqual({
      channel: 'Cy5_long_name',
      t: 12,
      z: 3,
    });
    expect(parseMmImageName('img_1_DAPI_2.tif')).toBeUndefined();
    expect(parseMmImageName('img.tif')).toBeUndefined();
  });

  const fieldsOf = (...labels: readonly string[]): string[] =>
    placePositions(labels.map((name, order): MmPosition => ({ name, order }))).fields.map(
      ({ row, column, site }) => `${wellName({ row, column })} ${site}`,
    );

  it('makes wells and sites of labels', () => {
    expect(fieldsOf('A1-Site_0', 'B03-Site_1', 'A1-Site_2')).toEqual(['A01 1', 'B03 2', 'A01 3']);
    expect(fieldsOf('B2-Pos_000_001', 'B2-Pos_001_000')).toEqual(['B02 1', 'B02 2']);
    expect(fieldsOf('1-Pos_000_000', '1-Pos_000_001')).toEqual(['A01 1', 'A01 2']);
    expect(fieldsOf('Pos0', 'Pos1', 'A1-Site_4')).toEqual(['A01 6', 'A01 7', 'A01 5']);
    expect(fieldsOf('A1-Site_1', 'A01-Site_1')).toEqual(['A01 1', 'A01 2']);
    expect(fieldsOf('A1', 'B1')).toEqual(['A01 1', 'B01 1']);
    expect(fieldsOf('P1', 'P2')).toEqual(['A01 1', 'A01 2']);
    expect(fieldsOf('Z99-Site_0')).toEqual(['A01 1']);
  });
});

describe('separate image files', () => {
  it('have names, sizes and steps from metadata.txt', async () => {
    const index = await indexOf(oldNames().root);
    expect(index.facts).toMatchObject({
      pixelSizeUm: { x: 0.1625, y: 0.1625 },
      timeIntervalS: 1,
      channels: [
        { number: 1, name: 'FITC' },
        { number: 2, name: 'DA_PI' },
      ],
    });
    expect(index.warnings).toEqual([]);
    expect((await indexOf(newNames().root)).facts).toMatchObject({
      pixelSizeUm: { x: 0.65, y: 0.65 },
      zSpacingUm: 0.5,
      channels: [{ name: 'DAPI' }, { name: 'FITC' }],
    });
  });

  it('that are listed and not there are told', async () => {
    const root = folder();
    write(join(root, 'img_000000000_DAPI_000.tif'), 1);
    write(join(root, 'other.tif'), 1);
    writeFileSync(
      join(root, 'metadata.txt'),
      JSON.stringify({
        Summary: {},
        'FrameKey-0-0-0': { FileName: 'img_000000000_DAPI_000.tif' },
        'FrameKey-1-0-0': { FileName: 'img_000000001_DAPI_000.tif' },
        'FrameKey-2-0-0': 7,
      }),
    );
    const index = await indexOf(root);
    expect(told(index, 'absent-image')).toMatch(/img_000000001_DAPI_000\.tif/);
    expect(told(index, 'bad-metadata')).toMatch(/FrameKey-2-0-0/);
    expect(told(index, 'unrecognised-name')).toMatch(/other\.tif/);
    expect(index.planes.count).toBe(1);
  });
});

describe('image file stacks', () => {
  it('have their facts from the summary and the images', async () => {
    const index = await indexOf(stacks().root);
    expect(index.facts).toMatchObject({
      pixelSizeUm: { x: 0.5, y: 0.5 },
      channels: [{ name: 'DAPI' }, { name: 'Cy5' }],
    });
    expect(index.facts.zSpacingUm).toBeUndefined();
    expect(valuesOf(index)).toEqual({
      'A01_s001_w1_z001_t001.tif': 0,
      'A01_s001_w2_z001_t001.tif': 1,
      'C05_s001_w1_z001_t001.tif': 2,
      'C05_s001_w2_z001_t001.tif': 3,
    });
  });

  it('that are being acquired show the images that are there', async () => {
    const root = folder();
    writeMmStack(
      join(root, 'x_MMStack_Pos0.ome.tif'),
      [0, 1, 2].map((t) => ({ value: 40 + t, t })),
      { isOpen: true },
    );
    const index = await indexOf(root);
    expect(valuesOf(index)).toEqual({
      'A01_s001_w1_z001_t001.tif': 40,
      'A01_s001_w1_z001_t002.tif': 41,
      'A01_s001_w1_z001_t003.tif': 42,
    });
    expect(index.warnings).toEqual([]);
  });

  it('of another acquisition in the same folder are left out', async () => {
    const root = folder();
    for (const prefix of ['b', 'a']) writeMmStack(join(root, `${prefix}_MMStack.ome.tif`), [{ value: 1 }]);
    const index = await indexOf(root);
    expect([...planesOf(index).values()]).toEqual(['a_MMStack.ome.tif#0']);
    expect(told(index, 'several-acquisitions')).toMatch(/b_MMStack/);
  });
});

describe('acquisitions of more images than are asked for their metadata', () => {
  const COUNT = 20_001;

  it('have the right pages, and labels of positions, in a stack', async () => {
    const root = folder();
    const images = Array.from({ length: COUNT }, (_, i) => ({
      value: i,
      t: i >> 1,
      p: i & 1,
      width: 60,
      frame: { PositionName: `A${1 + (i & 1)}-Site_0`, PixelSizeUm: 0.5 },
    }));
    writeMmStack(join(root, 'x_MMStack.ome.tif'), images);
    const index = await indexOf(root);
    expect(index.planes.count).toBe(COUNT);
    expect(index.facts.pixelSizeUm).toEqual({ x: 0.5, y: 0.5 });
    const at = planeByName(index, 'A02_s001_w1_z001_t5001.tif') ?? -1;
    expect(index.planes.pages[at]).toBe(10_001);
    const pixels = tiff.readPlaneSync?.(join(root, 'x_MMStack.ome.tif'), 10_001).bytes ?? [];
    expect((pixels[0] ?? 0) + 256 * (pixels[1] ?? 0)).toBe(10_001);
  });

  it('have the right pages in an NDTiff data set', async () => {
    const root = ndTiff(
      Array.from({ length: COUNT }, (_, i) => ({
        value: i,
        axes: { time: i >> 1, position: i & 1 },
        frame: { PositionName: `A${1 + (i & 1)}-Site_0` },
      })),
    );
    const index = await indexOf(root);
    expect(index.planes.count).toBe(COUNT);
    const at = planeByName(index, 'A02_s001_w1_z001_t5001.tif') ?? -1;
    expect(index.planes.pages[at]).toBe(10_001);
  });
});

describe('members of a JSON object', () => {
  it('are the same however the text is cut', () => {
    const json = fc.dictionary(fc.string({ maxLength: 6 }), fc.jsonValue({ maxDepth: 3 }), { maxKeys: 6 });
    fc.assert(
      fc.property(json, fc.integer({ min: 1, max: 9 }), (object, chunkBytes) => {
        const text = Buffer.from(JSON.stringify(object));
        const splitter = new JsonMemberSplitter();
        const members: [string, unknown][] = [];
        for (let at = 0; at < text.length; at += chunkBytes)
          for (const { key, value } of splitter.write(Buffer.from(text.subarray(at, at + chunkBytes))))
            members.push([key, JSON.parse(value)]);
        expect(members).toEqual(Object.entries(JSON.parse(text.toString())));
      }),
    );
  });

  it('that are before the place where it was cut off are whole', () => {
    const splitter = new JsonMemberSplitter();
    const members = [...splitter.write(Buffer.from('{"a": {"b": [1, "}"]}, "c": {"d": '))];
    expect(members.map(({ key }) => key)).toEqual(['a']);
  });
});

describe('NDTiff', () => {
  it('has wells by position labels, centred z axes and channels by name', async () => {
    const root = ndTiff([
      {
        value: 1,
        axes: { position: 'B3-Site_0', channel: 'Cy5', z: -1 },
        frame: { ZPositionUm: 8, XPositionUm: 5 },
      },
      {
        value: 2,
        axes: { position: 'B3-Site_0', channel: 'Cy5', z: 0 },
        frame: { ZPositionUm: 10, XPositionUm: 5 },
      },
      { value: 3, axes: { position: 'B3-Site_0', channel: 'DAPI', z: 0 } },
    ]);
    const index = await indexOf(root);
    expect(valuesOf(index)).toEqual({
      'B03_s001_w1_z001_t001.tif': 1,
      'B03_s001_w1_z002_t001.tif': 2,
      'B03_s001_w2_z002_t001.tif': 3,
    });
    expect(index.facts).toMatchObject({ zSpacingUm: 2, channels: [{ name: 'Cy5' }, { name: 'DAPI' }] });
    expect(index.planes.xsUm[0]).toBe(5);
  });

  it('has the label of a numbered position from the metadata of its image', async () => {
    const root = ndTiff([
      { value: 1, axes: { position: 0 }, frame: { PositionName: 'A1-Site_0' } },
      { value: 2, axes: { position: 1 }, frame: { PositionName: 'D7-Site_3' } },
    ]);
    expect([...planesOf(await indexOf(root)).keys()]).toEqual([
      'A01_s001_w1_z001_t001.tif',
      'D07_s004_w1_z001_t001.tif',
    ]);
  });

  it('finds pages by the chain where the index leaves images out', async () => {
    const root = ndTiff(
      [0, 1, 2, 3].map((t) => ({ value: 50 + t, axes: { time: t }, isUnlisted: t === 1 })),
      { version: 2 },
    );
    expect(valuesOf(await indexOf(root))).toEqual({
      'A01_s001_w1_z001_t001.tif': 50,
      'A01_s001_w1_z001_t003.tif': 52,
      'A01_s001_w1_z001_t004.tif': 53,
    });
  });

  it('shows an image that was saved again as it was saved last', async () => {
    const root = ndTiff([5, 6].map((value) => ({ value, axes: { time: 0 } })));
    expect(valuesOf(await indexOf(root))).toEqual({ 'A01_s001_w1_z001_t001.tif': 6 });
  });

  it('shows no image that the index names and the file has not yet', async () => {
    const images = [0, 1, 2].map((t) => ({ value: 60 + t, axes: { time: t } }));
    const whole = ndTiff(images);
    const size = readFileSync(join(whole, 'a_NDTiffStack.tif')).length;
    for (const writtenBytes of [size - 1, size - 60, size - 200]) {
      const root = ndTiff(images, { writtenBytes });
      const index = await indexOf(root);
      expect(Object.values(valuesOf(index))).toEqual([60, 61]);
      expect(told(index, 'unfinished-image')).toMatch(/"time":2/);
    }
    const preallocated = ndTiff(images, { writtenBytes: size - 200 });
    const path = join(preallocated, 'a_NDTiffStack.tif');
    writeFileSync(path, Buffer.concat([readFileSync(path), Buffer.alloc(100_000)]));
    expect(Object.values(valuesOf(await indexOf(preallocated)))).toEqual([60, 61]);
  });

  it('makes a field of each value of an axis that it does not know', async () => {
    const root = ndTiff([0, 1].map((repeat) => ({ value: repeat, axes: { repeat, time: 0 } })));
    const index = await indexOf(root);
    expect(valuesOf(index)).toEqual({ 'A01_s001_w1_z001_t001.tif': 0, 'A01_s002_w1_z001_t001.tif': 1 });
    expect(told(index, 'unknown-axis')).toMatch(/repeat/);
  });

  it('never opens a file outside the plate, and tells of one that is gone and of images in colour', async () => {
    const root = ndTiff([{ value: 1, axes: { time: 0 } }]);
    const numbers = [500, 8, 6, 2, 0, 600, 2, 0];
    writeFileSync(
      join(root, 'NDTiff.index'),
      Buffer.concat([
        indexEntry({ time: 1 }, '../../x.tif', numbers),
        indexEntry({ time: 2 }, '/etc/passwd', numbers),
        indexEntry({ time: 3 }, 'gone_NDTiffStack.tif', numbers),
        readFileSync(join(root, 'NDTiff.index')),
      ]),
    );
    const index = await indexOf(root);
    expect(told(index, 'unsafe-path')).toMatch(/^2 entries/);
    expect(told(index, 'absent-image')).toMatch(/gone_NDTiffStack/);
    expect(index.planes.count).toBe(1);
  });

  it('takes entries before a damaged one', async () => {
    const root = ndTiff([0, 1].map((t) => ({ value: t, axes: { time: t } })));
    const path = join(root, 'NDTiff.index');
    const good = readFileSync(path);
    writeFileSync(path, Buffer.concat([good, Buffer.from([0xff, 0xff, 0xff, 0x7f, 1, 2, 3])]));
    const index = await indexOf(root);
    expect(index.planes.count).toBe(2);
    expect(told(index, 'bad-metadata')).toMatch(/entry 2 at byte \d+ claims axes/);
    writeFileSync(path, good.subarray(0, good.length - 5));
    expect(told(await indexOf(root), 'unfinished-image')).toMatch(/last entry/);
    writeFileSync(path, Buffer.concat([good, Buffer.alloc(4096)]));
    expect((await indexOf(root)).warnings).toEqual([]);
  });
});

/** Damages files of a plate in many ways; each time there must be an index or a typed error. */
async function damage(root: string, names: readonly string[], maxPlanes: number): Promise<void> {
  const files = names.map((name) => ({ path: join(root, name), good: readFileSync(join(root, name)) }));
  const changes = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(fc.nat(names.length - 1), changes, async (which, made) => {
      for (const [i, { path, good }] of files.entries()) {
        const bytes = Buffer.from(good);
        if (i === which) for (const [at, value] of made) bytes[at % bytes.length] = value;
        writeFileSync(path, bytes);
      }
      try {
        await microManager.detect(root, signal);
        const index = await indexOf(root);
        expect(index.planes.count).toBeLessThanOrEqual(maxPlanes);
      } catch (error) {
        expect(error).toBeInstanceOf(PlateFsError);
      }
    }),
    { numRuns: 120 },
  );
}

describe('damaged acquisitions give an index or a typed error', () => {
  it('NDTiff', async () => {
    const frame = { PixelSizeUm: 1 };
    const root = ndTiff([0, 1, 2].map((t) => ({ value: t, axes: { time: t }, frame })));
    await damage(root, ['NDTiff.index', 'a_NDTiffStack.tif'], 4);
  });

  it('stacks', async () => {
    const root = folder();
    writeMmStack(
      join(root, 'x_MMStack.ome.tif'),
      [0, 1, 2].map((t) => ({ value: t, t })),
    );
    await damage(root, ['x_MMStack.ome.tif'], 4);
  });

  it('separate files', async () => {
    await damage(oldNames().root, ['Pos0/metadata.txt'], 12);
  });
});

describe('detection of Micro-Manager', () => {
  it('is not certain without its header or its metadata', async () => {
    const root = folder();
    write(join(root, 'img_000000000_DAPI_000.tif'), 1);
    expect((await microManager.detect(root, signal)).confidence).toBe('maybe');
    const stack = folder();
    write(join(stack, 'x_MMStack_Pos0.ome.tif'), 1);
    expect((await microManager.detect(stack, signal)).confidence).toBe('maybe');
    expect(excludedOf(await indexOf(stack)).get('x_MMStack_Pos0.ome.tif')).toBe('other');
    const plain = folder();
    write(join(plain, 'a.tif'), 1);
    expect((await microManager.detect(plain, signal)).confidence).toBe('no');
  });
});
