import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import {
  BadZarrError,
  PlateFsError,
  SourceChangedError,
  UnreadableSourceError,
} from '../../../src/core/errors.ts';
import { elementCount, itemSizeBytes } from '../../../src/core/nd-array.ts';
import { type Region, wholeRegion } from '../../../src/core/region.ts';
import zarr from '../../../src/sources/zarr.ts';
import type { ArrayItem, ImageItem, SourceCatalog, TextItem } from '../../../src/sources.ts';
import { sourceCatalogConformance } from '../../conformance/source-catalogs.ts';
import { type ArrayToWrite, put, writeV2, writeV3 } from '../../fixtures/zarr.ts';
import { folderEntries, zipFile } from '../../fixtures/zip.ts';

await zarr.prepare!();

const never = new AbortController().signal;
const DATA = resolve(import.meta.dirname, '../../../../shared/data');
const scratch = mkdtempSync(join(tmpdir(), 'platefs-zarr-catalog-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
let serial = 0;
const store = (): string => join(scratch, `${serial++}`, 'store.zarr');

const catalogOf = async (path: string, root = dirname(path)): Promise<SourceCatalog> => {
  const catalog = await zarr.catalog!(path, { root }, never);
  expect(catalog, path).toBeDefined();
  return catalog!;
};
const sha = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const paths = (catalog: SourceCatalog, kind: string): string[] =>
  catalog.items.filter((item) => item.kind === kind).map(({ path }) => path);
const imageIn = (catalog: SourceCatalog, path: string): ImageItem =>
  catalog.items.find((item) => item.kind === 'image' && item.path === path) as ImageItem;

const noise = (shape: readonly number[], chunkShape: readonly number[], itemBytes = 2): ArrayToWrite => ({
  shape,
  chunkShape,
  itemBytes,
  bytes: Uint8Array.from(
    { length: elementCount(shape) * itemBytes },
    (_, i) => (i * i * 31 + (i >> 3)) & 255,
  ),
});

/** An image of OME-NGFF 0.4 with axes as given, of two levels. */
function putImage(folder: string, axes: string, arrays: readonly ArrayToWrite[], more: object = {}): void {
  const kinds = { t: 'time', c: 'channel', z: 'space', y: 'space', x: 'space' } as const;
  put(join(folder, '.zgroup'), { zarr_format: 2 });
  put(join(folder, '.zattrs'), {
    multiscales: [
      {
        version: '0.4',
        name: 'cells',
        axes: [...axes].map((name) => ({
          name,
          type: kinds[name as 't'],
          ...(name === 't' ? { unit: 'minute' } : name === 'c' ? {} : { unit: 'nanometer' }),
        })),
        datasets: arrays.map((_, level) => ({
          path: `${level}`,
          coordinateTransformations: [{ type: 'scale', scale: [...axes].map(() => 250 * 2 ** level) }],
        })),
      },
    ],
    ...more,
  });
  for (const [level, array] of arrays.entries()) writeV2(join(folder, `${level}`), array, { dtype: '<u2' });
}

sourceCatalogConformance(zarr, (folder) => {
  const full = noise([2, 3, 8, 9], [1, 2, 5, 4]);
  const half = noise([2, 3, 4, 5], [1, 3, 4, 5]);
  const five = ([c, z, y, x]: readonly number[]): number[] => [1, c!, z!, y!, x!];
  const image = join(folder, 'a/cells.ome.zarr');
  putImage(image, 'czyx', [full, half], { omero: { channels: [{ label: 'DAPI' }, { label: 'GFP' }] } });
  const pixels = [
    { path: 'cells', shape: five(full.shape), dtype: 'uint16', bytes: full.bytes },
    { path: '1', shape: five(half.shape), dtype: 'uint16', bytes: half.bytes },
    { path: '0', shape: full.shape, dtype: 'uint16', bytes: full.bytes },
  ] as const;
  const flat = noise([7, 5], [4, 4], 1);
  const tree = join(folder, 'b/tree.zarr');
  put(join(tree, 'zarr.json'), { zarr_format: 3, node_type: 'group', attributes: {} });
  writeV3(join(tree, 'g/shards'), flat, {
    dtype: 'uint8',
    packing: 'gzip',
    shard: { shape: [8, 8], location: 'start' },
  });
  const names = Buffer.from('ab\0cd\0', 'latin1');
  put(join(tree, 'names/.zarray'), {
    zarr_format: 2,
    shape: [2],
    chunks: [2],
    dtype: '|S3',
    order: 'C',
    compressor: null,
    filters: null,
    fill_value: '',
  });
  put(join(tree, 'names/0'), names);
  const zip = join(folder, 'c/cells.ome.zarr.zip');
  put(zip, zipFile(folderEntries(image, 'deflate', 'cells.ome.zarr/')));
  const ofTree = { path: 'g/shards', shape: [7, 5], dtype: 'uint8', bytes: flat.bytes } as const;
  return [
    { path: image, mainFile: 'cells.ome.zarr/.zattrs', pixels },
    {
      path: tree,
      mainFile: 'tree.zarr/zarr.json',
      pixels: [ofTree],
      items: [
        ['array', 'g/shards'],
        ['table', 'names'],
      ],
    },
    { path: zip, pixels },
  ];
});

interface TruthArray {
  readonly path: string;
  readonly sha256_array?: string;
  readonly read_error?: string;
}

describe.skipIf(!existsSync(DATA))('catalogs of real stores (skipped where ../shared/data is absent)', () => {
  it.each(['zarr-arrays', 'ngff-images', 'anndata-zarr'])(
    'list every array of %s, and read it with the checksum of its truth file',
    async (set) => {
      const { arrays } = JSON.parse(readFileSync(join(DATA, `${set}.truth.json`), 'utf8')) as {
        arrays: TruthArray[];
      };
      const stores = Map.groupBy(arrays, ({ path }) => /^.*?\.zarr/.exec(path)![0]);
      let summed = 0;
      for (const [name, members] of stores) {
        const path = join(DATA, set, name);
        const catalog = await catalogOf(path);
        using source = zarr.openSync!(path, catalog);
        for (const { path: full, sha256_array } of members) {
          const at = full.slice(name.length + 1);
          const item = catalog.items.find((one) => one.path === at && one.kind !== 'text');
          if (item?.kind === 'array') {
            const bytes = new Uint8Array(elementCount(item.shape) * itemSizeBytes(item.dtype));
            source.readRegion(at, wholeRegion(item.shape), bytes);
            expect(sha(bytes), full).toBe(sha256_array);
            summed += 1;
          } else if (item?.kind === 'table')
            expect(source.readRows(at, 0, item.rowCount).columns[0], full).toHaveLength(item.rowCount);
          else
            expect(
              catalog.warnings.map((warning) => warning.path),
              full,
            ).toContain(at);
        }
      }
      expect(summed).toBeGreaterThan(20);
    },
  );

  it('shows images with their levels, sizes, channels and labels', async () => {
    const path = join(DATA, 'ngff-images/v04/test_image_czyx.zarr');
    const catalog = await catalogOf(path);
    expect(catalog.title).toBe('OME-Zarr 0.4 (zarr v2)');
    const image = imageIn(catalog, 'test_image_czyx');
    expect(image.image).toEqual({
      name: 'test_image_czyx',
      shape: [1, 2, 10, 64, 64],
      dtype: 'uint16',
      pixelSizeUm: { x: 0.5, y: 0.5 },
      zSpacingUm: 1,
      channels: [
        { name: 'channel_0', color: '00FFFF' },
        { name: 'channel_1', color: 'FF00FF' },
      ],
    });
    expect(image.levels.map(({ shape }) => shape)).toEqual([[1, 2, 10, 32, 32]]);
    expect(paths(catalog, 'image')).toEqual(['test_image_czyx', 'labels/label']);
    using source = zarr.openSync!(path, catalog);
    const whole = new Uint8Array(2 * elementCount(image.image.shape));
    source.readRegion(image.path, wholeRegion(image.image.shape), whole);
    expect(sha(whole)).toBe('6cdd259c8ecbe61fbc369f3293c1961541386954a223b17a37899d7fd9ad42da');
  });

  it('leave a plate in a folder to its format', async () => {
    const path = join(DATA, 'ngff04-hcs-3d/hcs_ngff_3D.zarr');
    expect(await zarr.catalog!(path, { root: dirname(path) }, never)).toBeUndefined();
  });
});

describe('an image of a store', () => {
  const FIVE = 'tczyx';
  /** The items of a stored array, picked one by one, in the order t, c, z, y, x. */
  const picked = (array: ArrayToWrite, axes: string, { start, shape }: Region): Uint8Array => {
    const bytes = new Uint8Array(elementCount(shape) * array.itemBytes);
    for (let index = 0; index < elementCount(shape); index++) {
      let rest = index;
      const position = [...shape].map(() => 0);
      for (let axis = 4; axis >= 0; axis--) {
        position[axis] = start[axis]! + (rest % shape[axis]!);
        rest = Math.floor(rest / shape[axis]!);
      }
      let from = 0;
      for (const [stored, letter] of [...axes].entries())
        from = from * array.shape[stored]! + position[FIVE.indexOf(letter)]!;
      bytes.set(
        array.bytes.subarray(from * array.itemBytes, (from + 1) * array.itemBytes),
        index * array.itemBytes,
      );
    }
    return bytes;
  };
  const five = (array: ArrayToWrite, axes: string): number[] =>
    [...FIVE].map((letter) => (axes.includes(letter) ? array.shape[axes.indexOf(letter)]! : 1));

  it.each(['yx', 'zyx', 'cyx', 'tczyx', 'xyzct', 'tcyxz'])(
    'is read in the axes t, c, z, y, x whatever the order of its own (%s)',
    async (axes) => {
      const extents: Record<string, number> = { t: 2, c: 3, z: 4, y: 7, x: 9 };
      const shape = [...axes].map((letter) => extents[letter]!);
      const arrays = [
        noise(
          shape,
          shape.map((extent) => Math.ceil(extent / 2)),
        ),
        noise(
          shape.map((extent) => Math.ceil(extent / 3)),
          shape.map(() => 2),
        ),
      ];
      const path = store();
      putImage(path, axes, arrays);
      const catalog = await catalogOf(path);
      expect(catalog.warnings).toEqual([]);
      const item = imageIn(catalog, 'store');
      expect(item.image).toMatchObject({
        name: 'cells',
        shape: five(arrays[0]!, axes),
        pixelSizeUm: { x: 0.25, y: 0.25 },
      });
      expect(item.image.zSpacingUm).toBe(axes.includes('z') ? 0.25 : undefined);
      expect(item.image.timeIntervalS).toBe(axes.includes('t') ? 15_000 : undefined);
      expect(item.levels.map((level) => level.shape)).toEqual([five(arrays[1]!, axes)]);
      using source = zarr.openSync!(path, catalog);
      const levels = [{ path: item.path, shape: item.image.shape }, ...item.levels];
      fc.assert(
        fc.property(fc.nat(1), fc.array(fc.nat(1000), { minLength: 10, maxLength: 10 }), (place, random) => {
          const level = levels[place]!;
          const start = level.shape.map((extent, axis) => random[axis]! % extent);
          const region = {
            start,
            shape: level.shape.map((extent, axis) => 1 + (random[5 + axis]! % (extent - start[axis]!))),
          };
          const expected = picked(arrays[place]!, axes, region);
          const target = new Uint8Array(expected.length);
          source.readRegion(level.path, region, target);
          expect(Buffer.compare(target, expected)).toBe(0);
          const window = source.window(level.path, region);
          if (!window) return;
          const stored = readFileSync(window.path).subarray(
            window.offsetBytes,
            window.offsetBytes + window.sizeBytes,
          );
          expect(Buffer.compare(stored, expected)).toBe(0);
        }),
        { numRuns: 60 },
      );
    },
  );

  it('refuses what is outside, of another size, or no item', async () => {
    const path = store();
    putImage(path, 'yx', [noise([4, 5], [4, 5])]);
    const catalog = await catalogOf(path);
    using source = zarr.openSync!(path, catalog);
    const region = wholeRegion([1, 1, 1, 4, 5]);
    expect(() => source.readRegion('store', region, new Uint8Array(39))).toThrow(RangeError);
    expect(() => source.readRegion('store', wholeRegion([1, 1, 1, 4, 6]), new Uint8Array(48))).toThrow(
      RangeError,
    );
    expect(() => source.readRegion('other', region, new Uint8Array(40))).toThrow(RangeError);
    expect(() => source.readRows('store', 0, 1)).toThrow(RangeError);
    expect(source.window('store', region)).toMatchObject({ offsetBytes: 0, sizeBytes: 40 });
  });

  it('that is no longer what was catalogued is not read', async () => {
    const path = store();
    putImage(path, 'yx', [noise([4, 5], [4, 5])]);
    const catalog = await catalogOf(path);
    writeV2(join(path, '0'), noise([4, 6], [4, 6]), { dtype: '<u2' });
    using source = zarr.openSync!(path, catalog);
    expect(() => source.readRegion('store', wholeRegion([1, 1, 1, 4, 5]), new Uint8Array(40))).toThrow(
      SourceChangedError,
    );
    expect(() => source.readRegion('0', wholeRegion([4, 5]), new Uint8Array(40))).toThrow(SourceChangedError);
  });

  it('of before 0.3, and of 0.3, is read too; no size is made up', async () => {
    const path = store();
    put(join(path, 'old/.zgroup'), { zarr_format: 2 });
    put(join(path, 'old/.zattrs'), { multiscales: [{ version: '0.1', datasets: [{ path: 'full' }] }] });
    writeV2(join(path, 'old/full'), noise([1, 2, 1, 4, 5], [1, 1, 1, 4, 5]), { dtype: '<u2', separator: '' });
    put(join(path, 'newer/.zgroup'), { zarr_format: 2 });
    put(join(path, 'newer/.zattrs'), {
      multiscales: [{ version: '0.3', axes: ['z', 'y', 'x'], datasets: [{ path: '0' }] }],
    });
    writeV2(join(path, 'newer/0'), noise([3, 4, 5], [1, 4, 5]), { dtype: '<u2' });
    const catalog = await catalogOf(path);
    expect(imageIn(catalog, 'old').image).toEqual({
      name: 'old',
      shape: [1, 2, 1, 4, 5],
      dtype: 'uint16',
      channels: [],
    });
    expect(imageIn(catalog, 'newer').image).toMatchObject({ name: 'newer', shape: [1, 1, 3, 4, 5] });
  });

  it('with axes, levels or channels that fit nothing is told about, and its arrays are shown all the same', async () => {
    const path = store();
    const array = noise([2, 4, 5], [1, 4, 5]);
    putImage(join(path, 'axes'), 'yx', [array]);
    putImage(join(path, 'levels'), 'cyx', [array, noise([2, 2], [2, 2])], {
      omero: { channels: [{ label: 'DAPI' }] },
    });
    put(join(path, '.zgroup'), { zarr_format: 2 });
    const catalog = await catalogOf(path);
    expect(paths(catalog, 'image')).toEqual(['levels']);
    expect(imageIn(catalog, 'levels')).toMatchObject({ levels: [], image: { channels: [] } });
    expect(paths(catalog, 'array')).toEqual(['axes/0', 'levels/0', 'levels/1']);
    const text = catalog.warnings.map(({ path: at, message }) => `${at} ${message}`).join('\n');
    expect(text).toContain('names 2 axes of an array of 3');
    expect(text).toContain('levels its level 1 is left out');
    expect(text).toContain('names 1 channels of 2');
  });
});

describe('a store that was moved away while it is open', () => {
  it('is no store of missing chunks: it has changed', async () => {
    const path = store();
    const array = noise([6, 8], [3, 4]);
    put(join(path, '.zgroup'), { zarr_format: 2 });
    writeV2(join(path, 'a'), array, { dtype: '<u2' });
    using source = zarr.openSync!(path, await catalogOf(path));
    const bytes = new Uint8Array(array.bytes.length);
    source.readRegion('a', wholeRegion([6, 8]), bytes);
    expect(bytes).toEqual(array.bytes);
    renameSync(path, `${path}.moved`);
    expect(() => source.readRegion('a', wholeRegion([6, 8]), bytes)).toThrow(SourceChangedError);
  });
});

describe('a store', () => {
  it('shows its groups, arrays and attributes as a tree; whole numbers stay exact', async () => {
    const path = store();
    put(
      join(path, 'zarr.json'),
      '{"zarr_format":3,"node_type":"group","attributes":{"id":12345678901234567890}}',
    );
    writeV3(join(path, 'a/b'), noise([3], [2]), { dtype: 'uint16' });
    const catalog = await catalogOf(path);
    expect(catalog.title).toBe('Zarr (zarr v3)');
    expect(paths(catalog, 'array')).toEqual(['a/b']);
    const text = catalog.items.find((item) => item.kind === 'text') as TextItem;
    expect(text.path).toBe('attributes.json');
    expect(text.text).toBe('{\n  "id": 12345678901234567890\n}\n');
  });

  it('may be a folder of any name', async () => {
    const path = join(scratch, `${serial++}`, 'no extension');
    putImage(path, 'yx', [noise([4, 5], [4, 5])]);
    expect(paths(await catalogOf(path), 'image')).toEqual(['no extension']);
  });

  it('may be a single array, or hold none', async () => {
    const path = store();
    writeV2(path, noise([4], [2]), { dtype: '<u2' });
    expect(paths(await catalogOf(path), 'array')).toEqual(['']);
    const empty = store();
    mkdirSync(join(empty, 'folder'), { recursive: true });
    expect(await zarr.catalog!(empty, { root: dirname(empty) }, never)).toBeUndefined();
    await expect(zarr.catalog!(store(), { root: scratch }, never)).rejects.toThrow(UnreadableSourceError);
  });

  it('uses consolidated metadata for what has none of its own', async () => {
    const array = noise([4], [2]);
    const two = store();
    const metadata = writeV2(join(two, 'x'), array, { dtype: '<u2' });
    const document: unknown = JSON.parse(readFileSync(metadata, 'utf8'));
    rmSync(metadata);
    put(join(two, '.zmetadata'), {
      zarr_consolidated_format: 1,
      metadata: { '.zgroup': { zarr_format: 2 }, 'x/.zarray': document, 'x/.zattrs': { a: 1 } },
    });
    const three = store();
    const node = writeV3(join(three, 'y'), array, { dtype: 'uint16' });
    const inline: unknown = JSON.parse(readFileSync(node, 'utf8'));
    rmSync(node);
    put(join(three, 'zarr.json'), {
      zarr_format: 3,
      node_type: 'group',
      attributes: {},
      consolidated_metadata: { kind: 'inline', must_understand: false, metadata: { y: inline } },
    });
    for (const [path, name] of [
      [two, 'x'],
      [three, 'y'],
    ] as const) {
      const catalog = await catalogOf(path);
      expect(paths(catalog, 'array')).toEqual([name]);
      using source = zarr.openSync!(path, catalog);
      const bytes = new Uint8Array(8);
      source.readRegion(name, wholeRegion([4]), bytes);
      expect(bytes).toEqual(array.bytes);
    }
  });

  it('follows links inside its folder, and no other', async () => {
    const path = store();
    const folder = dirname(path);
    put(join(path, '.zgroup'), { zarr_format: 2 });
    put(join(path, 'group/.zgroup'), { zarr_format: 2 });
    writeV2(join(folder, 'beside'), noise([4], [2]), { dtype: '<u2' });
    const outside = join(scratch, `outside-${serial}`);
    writeV2(outside, noise([4], [2]), { dtype: '<u2' });
    symlinkSync('../beside', join(path, 'inside'));
    symlinkSync(outside, join(path, 'outside'));
    symlinkSync('..', join(path, 'group/up'));
    symlinkSync('loop', join(path, 'loop'));
    symlinkSync('nowhere', join(path, 'dangling'));
    writeV2(join(path, 'chunky'), noise([4], [2]), { dtype: '<u2' });
    rmSync(join(path, 'chunky/0'));
    symlinkSync(join(outside, '0'), join(path, 'chunky/0'));
    const catalog = await catalogOf(path);
    expect(paths(catalog, 'array')).toEqual(['chunky', 'inside']);
    const warned = Object.fromEntries(catalog.warnings.map(({ path: at, message }) => [at, message]));
    expect(warned['outside']).toContain('leads out');
    expect(warned['group/up']).toContain('holds it');
    expect(warned['loop']).toContain('circle');
    using source = zarr.openSync!(path, catalog);
    source.readRegion('inside', wholeRegion([4]), new Uint8Array(8));
    expect(() => source.readRegion('chunky', wholeRegion([4]), new Uint8Array(8))).toThrow(/leads out of/);
    symlinkSync(outside, join(folder, 'linked.zarr'));
    await expect(zarr.catalog!(join(folder, 'linked.zarr'), { root: folder }, never)).rejects.toThrow(
      UnreadableSourceError,
    );
  });

  it('with arrays that can’t be decoded says which codec or type it is, and shows the others', async () => {
    const path = store();
    put(join(path, '.zgroup'), { zarr_format: 2 });
    const two = (name: string, more: object): void =>
      put(join(path, name, '.zarray'), {
        zarr_format: 2,
        shape: [4],
        chunks: [2],
        dtype: '<u2',
        order: 'C',
        compressor: null,
        filters: null,
        fill_value: 0,
        ...more,
      });
    two('bz2', { compressor: { id: 'bz2', level: 1 } });
    two('lzma', { compressor: { id: 'lzma' } });
    two('pickle', { dtype: '|O', filters: [{ id: 'pickle' }] });
    two('raw', { dtype: '|V12' });
    two('fields', { dtype: [['x', '<f4']], fill_value: null });
    two('good', {});
    const three = writeV3(join(path, 'zfp'), noise([4], [2]), { dtype: 'uint16' });
    const document = JSON.parse(readFileSync(three, 'utf8')) as { codecs: object[] };
    document.codecs.push({ name: 'numcodecs.zfpy', configuration: {} });
    put(three, document);
    const catalog = await catalogOf(path);
    expect(paths(catalog, 'array')).toEqual(['good']);
    const told = Object.fromEntries(catalog.warnings.map(({ path: at, message }) => [at, message]));
    expect(Object.keys(told)).toEqual(['bz2', 'fields', 'lzma', 'pickle', 'raw', 'zfp']);
    for (const name of ['bz2', 'lzma', 'pickle', 'zfp']) expect(told[name]).toContain(name);
    expect(told['raw']).toContain('|V12');
    expect(told['fields']).toContain('structured');
  });

  it('of groups in groups without end is cut, and says so', async () => {
    const path = store();
    let at = path;
    for (let depth = 0; depth < 40; depth++) {
      put(join(at, '.zgroup'), { zarr_format: 2 });
      at = join(at, 'g');
    }
    const catalog = await catalogOf(path);
    expect(catalog.warnings.map(({ message }) => message).join()).toContain('groups deep');
  });

  it('with an array of 2^60 elements is catalogued or refused, and reading it costs nothing', async () => {
    const path = store();
    put(join(path, '.zgroup'), { zarr_format: 2 });
    const bomb = (name: string, shape: number[], chunks: number[]): void =>
      put(join(path, name, '.zarray'), {
        zarr_format: 2,
        shape,
        chunks,
        dtype: '<u2',
        order: 'C',
        compressor: null,
        filters: null,
        fill_value: 7,
      });
    bomb('wide', [2 ** 26, 2 ** 25], [1024, 1024]);
    bomb('wider', [2 ** 30, 2 ** 30], [1024, 1024]);
    bomb('lump', [2 ** 20, 2 ** 20], [2 ** 20, 2 ** 20]);
    const catalog = await catalogOf(path);
    expect(paths(catalog, 'array')).toEqual(['wide']);
    expect(catalog.warnings.map((warning) => warning.path)).toEqual(['lump', 'wider']);
    using source = zarr.openSync!(path, catalog);
    const corner = new Uint8Array(2);
    source.readRegion('wide', { start: [2 ** 26 - 1, 2 ** 25 - 1], shape: [1, 1] }, corner);
    expect([...corner]).toEqual([7, 0]);
    const whole = wholeRegion((catalog.items[0] as ArrayItem).shape);
    expect(() => source.readRegion('wide', whole, new Uint8Array(8))).toThrow(PlateFsError);
  });

  it('with metadata of any kind is catalogued, or refused with its name', async () => {
    const path = store();
    putImage(path, 'cyx', [noise([2, 4, 5], [1, 4, 5])], {
      omero: { channels: [{ label: 'a' }, { label: 'b' }] },
    });
    const files = ['.zgroup', '.zattrs', '0/.zarray'].map((name) => join(path, name));
    const originals = files.map((file) => readFileSync(file));
    await fc.assert(
      fc.asyncProperty(
        fc.nat(files.length - 1),
        fc.array(fc.tuple(fc.nat(), fc.integer({ min: 32, max: 126 })), { minLength: 1, maxLength: 6 }),
        async (which, edits) => {
          const bytes = Buffer.from(originals[which]!);
          for (const [at, value] of edits) bytes[at % bytes.length] = value;
          writeFileSync(files[which]!, bytes);
          try {
            const catalog = await zarr.catalog!(path, { root: dirname(path) }, never);
            if (!catalog) return;
            using source = zarr.openSync!(path, catalog);
            for (const item of catalog.items) {
              const shape =
                item.kind === 'image' ? item.image.shape : item.kind === 'array' ? item.shape : undefined;
              if (!shape || (item.kind !== 'image' && item.kind !== 'array')) continue;
              const dtype = item.kind === 'image' ? item.image.dtype : item.dtype;
              const sizeBytes = elementCount(shape) * itemSizeBytes(dtype);
              if (sizeBytes > 2 ** 20) continue;
              source.readRegion(item.path, wholeRegion(shape), new Uint8Array(sizeBytes));
            }
          } catch (error) {
            expect(error).toBeInstanceOf(PlateFsError);
            expect(String(error)).toContain(path);
          } finally {
            writeFileSync(files[which]!, originals[which]!);
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it('with a damaged chunk is an error that names it, and a missing one is fill value', async () => {
    const path = store();
    putImage(path, 'yx', [noise([4, 4], [2, 2])]);
    const catalog = await catalogOf(path);
    using source = zarr.openSync!(path, catalog);
    const region = wholeRegion([4, 4]);
    writeFileSync(join(path, '0/1/1'), 'short');
    expect(() => source.readRegion('0', region, new Uint8Array(32))).toThrow(BadZarrError);
    expect(() => source.readRegion('0', region, new Uint8Array(32))).toThrow(/0\/1\/1/);
    rmSync(join(path, '0/1/1'));
    const bytes = new Uint8Array(32);
    source.readRegion('0', region, bytes);
    expect([...bytes.subarray(28)]).toEqual([0, 0, 0, 0]);
  });
});
