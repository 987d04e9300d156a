import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { BadParameterError } from '../../../src/core/errors.ts';
import generic from '../../../src/formats/generic.ts';
import type { PlateIndex } from '../../../src/model/plate-index.ts';
import { openPlate } from '../../../src/tree/open-plate.ts';
import { excludedOf, type FormatExample, formatConformance, planesOf } from '../../conformance/formats.ts';

const folder = mkdtempSync(join(tmpdir(), 'platefs-generic-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const signal = new AbortController().signal;

let made = 0;
function folderWith(paths: Iterable<string | Buffer>): string {
  made += 1;
  const root = join(folder, String(made));
  mkdirSync(root);
  for (const path of paths) {
    if (typeof path === 'string') mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(
      typeof path === 'string' ? join(root, path) : Buffer.concat([Buffer.from(`${root}/`), path]),
      '',
    );
  }
  return root;
}

const indexed = (paths: Iterable<string | Buffer>, layout: string): Promise<PlateIndex> =>
  generic.index(folderWith(paths), { layout }, signal);

const EXAMPLES: readonly {
  layout: string;
  planes: Record<string, string>;
  excluded?: Record<string, string>;
}[] = [
  {
    layout: 'Plate1/{well}/field {site} {channel}.tif',
    planes: {
      'A01_s003_w1_z001_t001.tif': 'Plate1/A1/field 3 DAPI.tif',
      'A01_s003_w2_z001_t001.tif': 'Plate1/A1/field 3 GFP.tif',
      'B12_s010_w2_z001_t001.TIF': 'Plate1/b12/field 10 GFP.TIF',
    },
    excluded: {
      'Plate1/A1/notes.txt': 'other',
      'Plate1/A1/._field 3 GFP.tif': 'junk',
      'Plate1/overview.tif': 'other',
    },
  },
  { layout: '{site}', planes: { 'A01_s007_w1_z001_t001.tiff': '7.tiff' } },
  {
    layout: '*_r{row:02}c{column:02}_{t}_z{z:02}{channel:02}.tif',
    planes: {
      'B03_s001_w1_z001_t001.tif': 'exp_5_r02c03_a1_z0001.tif',
      'B03_s001_w1_z001_t002.tif': 'exp_5_r02c03_a10_z0001.tif',
      'B03_s001_w2_z012_t002.tif': 'x_r02c03_a10_z1102.tif',
    },
  },
  {
    layout: '{row}/{column}/{field}.tif',
    planes: { 'AF48_s001_w1_z001_t001.tif': 'AF/48/1.tif', 'B03_s012_w1_z001_t001.tif': 'b/3/012.tif' },
  },
  {
    layout: '{well}(fld {site} wv {channel})*',
    planes: {
      'C03_s001_w1_z001_t001.tif': 'C - 03(fld 01 wv Blue - FITC).tif',
      'C03_s001_w2_z001_t001.tif': 'C - 03(fld 01 wv Green - dsRed) x.tif',
    },
  },
  {
    layout: 'well_{well}_{well}/{well}.tif',
    planes: { 'A01_s001_w1_z001_t001.tif': 'well_A1_R01C01/a01.tif' },
    excluded: { 'well_A1_A2/A1.tif': 'other' },
  },
];

formatConformance(generic, {
  layoutOf: ({ title }) => title,
  examples: async () =>
    EXAMPLES.map(({ layout, planes, excluded = {} }): FormatExample => {
      const root = folderWith([...Object.values(planes), ...Object.keys(excluded)]);
      return {
        title: layout,
        folder: root,
        root,
        planes: new Map(Object.entries(planes)),
        excluded: new Map(Object.entries(excluded)),
      };
    }),
});

describe('generic', () => {
  it('says what names leave open', async () => {
    const { facts } = await indexed(['img_0_405.tif', 'img_1_488.tif'], 'img_{site}_{channel}.tif');
    expect(facts).toMatchObject({
      layout: 'img_{site}_{channel}.tif',
      channels: [
        { number: 1, name: '405' },
        { number: 2, name: '488' },
      ],
    });
    expect(facts.formatDetail).toBe(
      'names read as img_{site}_{channel}.tif; names say no well: all is A01; sites count from 0 in the names, from 1 here',
    );
    expect((await indexed(['3.tif'], '{column}')).facts.formatDetail).toContain('names say no row: row A');
    const moments = await indexed(['A1_2022-03-10.tif', 'A1_2022-03-09.tif'], '{well}_{t}');
    expect(moments.facts.formatDetail).toContain('time points numbered in natural order of their texts');
    expect([...planesOf(moments)]).toContainEqual(['A01_s001_w1_z001_t001.tif', 'A1_2022-03-09.tif']);
  });

  it('tells of files that are not named so, of collisions, and of names that can be read in two ways', async () => {
    const index = await indexed(
      [
        'A1_1.tif',
        'A01_1.tif',
        'A2.tif',
        'deep/er/A1_1.tif',
        'x_A1_2_y_B1_3.tif',
        Buffer.from([0xff, 0x2e, 0x74, 0x69, 0x66]),
        'A3_1\n.tif',
      ],
      '*{well}_{site}*.tif',
    );
    const told = Object.fromEntries(index.warnings.map(({ kind, message }) => [kind, message]));
    expect(told['name-collision']).toContain('2 files claim A01_s001_w1_z001_t001: A01_1.tif is shown');
    expect(told['unrecognised-name']).toBe(
      "1 file with the extension of an image not named like '*{well}_{site}*.tif', e.g. A2.tif",
    );
    expect(told['unrecognised-folder']).toContain('deep/er/A1_1.tif');
    expect(told['ambiguous-name']).toBe(
      "1 file with a name that '*{well}_{site}*.tif' reads in several ways, e.g. x_A1_2_y_B1_3.tif",
    );
    expect(told['unreadable-name']).toContain('1 file');
    expect([...planesOf(index).keys()]).toEqual(['A01_s001_w1_z001_t001.tif', 'A03_s001_w1_z001_t001.tif']);
    expect(excludedOf(index).get('A1_1.tif')).toBe('collision');
  });

  it('is not asked where another format knows the folder, and needs to be told the layout', async () => {
    const root = folderWith(['A1_1.tif', 'A1_2.tif', 'B1_1.tif', 'B1_2.tif']);
    const options = { signal, cacheDir: null };
    await expect(openPlate(root, options)).rejects.toMatchObject({
      tag: 'not-a-plate',
      message: expect.stringContaining("might be read as '{well}_{site}.tif' (4 of 4 images)"),
      advice: expect.stringContaining("--layout '{well}_{site}.tif'"),
    });
    await expect(generic.index(root, {}, signal)).rejects.toBeInstanceOf(BadParameterError);
    const { index } = await openPlate(root, { ...options, layout: '{well}_{site}.tif' });
    expect(index.planes.count).toBe(4);
    await expect(openPlate(root, { ...options, layout: 'x{site}.tif' })).rejects.toMatchObject({
      tag: 'not-a-plate',
      message: expect.stringContaining("no image is named like 'x{site}.tif': 4 files with the extension"),
    });
  });

  it('keeps one cached index per layout', async () => {
    const root = folderWith(['1_2.tif', '3_4.tif']);
    const cacheDir = join(folder, 'cache');
    const open = (layout: string) => openPlate(root, { signal, cacheDir, layout });
    const first = await open('{site}_{z}');
    expect([...planesOf(first.index).keys()]).toContain('A01_s001_w1_z002_t001.tif');
    const other = await open('{z}_{site}');
    expect([...planesOf(other.index).keys()]).toContain('A01_s002_w1_z001_t001.tif');
    expect(other.fromCache).toBe(false);
    await expect(openPlate(root, { signal, cacheDir })).rejects.toMatchObject({ tag: 'not-a-plate' });
  });

  it('refuses a channel that is none', async () => {
    const names = Array.from({ length: 1200 }, (_, i) => `s${i}_x${i}.tif`);
    await expect(indexed(names, 's{site}_{channel}.tif')).rejects.toThrow(
      "layout: its {channel} stands for 1200 different words, 'x0' and 'x1000' among them; write * for what is no channel",
    );
  });
});
