import {
  closeSync,
  cpSync,
  existsSync,
  mkdtempSync,
  openSync as openFile,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  realpathSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CancelledError, PlateFsError, SourceChangedError } from '../../src/core/errors.ts';
import { type Dtype, elementCount, itemSizeBytes } from '../../src/core/nd-array.ts';
import { type Region, wholeRegion } from '../../src/core/region.ts';
import type {
  ItemPath,
  OpenSource,
  SourceCatalog,
  SourceDriver,
  SourceItem,
  TableColumn,
} from '../../src/sources.ts';
import { anyRegion, pick } from './sources.ts';

/** What an image (five axes), one of its levels or an array (axes as stored) holds: little-endian, C order. */
export interface ExpectedPixels {
  readonly path: ItemPath;
  readonly shape: readonly number[];
  readonly dtype: Dtype;
  readonly bytes: Uint8Array;
}

/** A file or store that a driver must know, alone in its folder but for what belongs to it. */
export interface CatalogSample {
  readonly path: string;
  /** The folder that all of it lies in; the folder that `path` lies in unless given. */
  readonly root?: string;
  /** Below `root`: the file that is cut and overwritten. `path` itself unless given. */
  readonly mainFile?: string;
  readonly pixels: readonly ExpectedPixels[];
  /** Items that must be there, in this order, and no others. Any items unless given. */
  readonly items?: readonly (readonly [kind: SourceItem['kind'], path: ItemPath])[];
}

const never = new AbortController().signal;
/** Larger items are read in regions, but not compared whole. */
const WHOLE_BYTES = 32 << 20;

interface Pixels {
  readonly path: ItemPath;
  readonly shape: readonly number[];
  readonly dtype: Dtype;
}

/** Everything in a catalog that `readRegion` reads. */
function allPixels(catalog: SourceCatalog): Pixels[] {
  return catalog.items.flatMap((item): Pixels[] => {
    if (item.kind === 'array') return [item];
    if (item.kind !== 'image') return [];
    const { shape, dtype } = item.image;
    return [
      { path: item.path, shape, dtype },
      ...item.levels.map((level) => ({ path: level.path, shape: level.shape, dtype })),
    ];
  });
}

const sizeOf = ({ shape, dtype }: Omit<Pixels, 'path'>): number => elementCount(shape) * itemSizeBytes(dtype);

/** Reads into memory full of chance bytes that need not be aligned. */
function read(source: OpenSource, pixels: Pixels, region: Region = wholeRegion(pixels.shape)): Uint8Array {
  const size = sizeOf({ shape: region.shape, dtype: pixels.dtype });
  const memory = new Uint8Array(size + 2).fill(0xa5);
  source.readRegion(pixels.path, region, memory.subarray(1, size + 1));
  expect([memory[0], memory[size + 1]], `${pixels.path}: beyond the target`).toEqual([0xa5, 0xa5]);
  return memory.subarray(1, size + 1);
}

function expectWindow(source: OpenSource, path: ItemPath, region: Region, bytes: Uint8Array): void {
  const window = source.window(path, region);
  if (window === undefined) return;
  expect(window.sizeBytes, path).toBe(bytes.length);
  const fd = openFile(window.path, 'r');
  try {
    const there = Buffer.alloc(window.sizeBytes);
    readSync(fd, there, 0, there.length, window.offsetBytes);
    expect(Buffer.compare(there, bytes), `${path}: window of ${region.start} + ${region.shape}`).toBe(0);
  } finally {
    closeSync(fd);
  }
}

function expectCell(value: unknown, { name, type }: TableColumn): void {
  if (value === undefined) return;
  const wanted =
    type === 'text' ? 'string' : type === 'boolean' ? 'boolean' : /int64/.test(type) ? 'bigint' : 'number';
  expect(typeof value, name).toBe(wanted);
}

/**
 * What every driver that describes files which are no plates must do. `samples` is called once, before the tests;
 * each sample lies in a folder of its own below the one it is given.
 */
export function sourceCatalogConformance(
  driver: SourceDriver,
  samples: (folder: string) => readonly CatalogSample[] | Promise<readonly CatalogSample[]>,
): void {
  describe.skipIf(driver.catalog === undefined)(`catalogs of source driver ${driver.id}`, () => {
    let folder = '';
    let copies = 0;
    let all: readonly (CatalogSample & { readonly root: string; readonly mainFile: string })[] = [];

    beforeAll(async () => {
      folder = realpathSync(mkdtempSync(join(tmpdir(), 'platefs-catalogs-')));
      const made = await samples(folder);
      all = made.map((sample) => ({
        root: dirname(sample.path),
        mainFile: basename(sample.path),
        ...sample,
      }));
      await driver.prepare?.();
    });
    afterAll(() => rmSync(folder, { recursive: true, force: true }));

    const describeIt = async (path: string, root: string): Promise<SourceCatalog> => {
      const catalog = await driver.catalog!(path, { root }, never);
      if (catalog === undefined) throw new Error(`${path} is not ${driver.id}'s`);
      return catalog;
    };
    const openCatalog = (path: string, catalog: SourceCatalog): OpenSource =>
      driver.openSync!(path, structuredClone(catalog));
    /** A copy of a sample to be damaged. */
    const copyOf = (sample: (typeof all)[number]) => {
      copies += 1;
      const root = join(folder, `copy${copies}`);
      cpSync(sample.root, root, { recursive: true });
      const path = join(root, sample.path.slice(sample.root.length));
      return { root, path, mainFile: join(root, sample.mainFile) };
    };

    it('describes every sample in plain data, each item once, with extents that fit', async () => {
      for (const { path, root, items, pixels } of all) {
        const catalog = await describeIt(path, root);
        expect(JSON.parse(JSON.stringify(catalog)), path).toEqual(catalog);
        expect(catalog.title, path).not.toBe('');
        if (items) expect(catalog.items.map((item) => [item.kind, item.path])).toEqual(items);
        const keys = catalog.items.map((item) => `${item.kind} ${item.path}`);
        expect(new Set(keys).size, keys.join()).toBe(keys.length);
        const found = allPixels(catalog);
        for (const { bytes: _, ...wanted } of pixels)
          expect(found, path).toContainEqual(expect.objectContaining(wanted));
        for (const item of catalog.items) {
          if (item.kind === 'array') expect(item.chunkShape).toHaveLength(item.shape.length);
          if (item.kind !== 'image') continue;
          const { shape, channels } = item.image;
          expect([0, shape[1]], `channels of ${item.path}`).toContain(channels.length);
          let above: readonly number[] = shape;
          for (const level of [{ shape, chunkShape: item.chunkShape }, ...item.levels]) {
            expect(level.shape).toHaveLength(5);
            expect(level.chunkShape).toHaveLength(5);
            for (const [axis, extent] of level.shape.entries()) {
              expect(extent).toBeGreaterThan(0);
              expect(extent, `a level of ${item.path}`).toBeLessThanOrEqual(above[axis]!);
              expect(level.chunkShape[axis]).toBeGreaterThan(0);
            }
            above = level.shape;
          }
        }
      }
    });

    it('reads every sample exactly, whole', async () => {
      for (const { path, root, pixels } of all) {
        using source = openCatalog(path, await describeIt(path, root));
        for (const { bytes, ...wanted } of pixels)
          expect(Buffer.compare(read(source, wanted), bytes), `${path} ${wanted.path}`).toBe(0);
      }
    });

    it('reads any region of any item as that part of the whole, and its window holds the same bytes', async () => {
      for (const { path, root } of all) {
        const catalog = await describeIt(path, root);
        using source = openCatalog(path, catalog);
        const few = allPixels(catalog).filter((item) => sizeOf(item) > 0 && sizeOf(item) <= WHOLE_BYTES);
        for (const item of few) {
          const whole = read(source, item);
          expectWindow(source, item.path, wholeRegion(item.shape), whole);
          fc.assert(
            fc.property(anyRegion(item.shape), (region) => {
              const expected = pick(item, whole, region);
              expect(Buffer.compare(read(source, item, region), expected), `${path} ${item.path}`).toBe(0);
              expectWindow(source, item.path, region, expected);
            }),
            { numRuns: few.length > 20 ? 4 : 25 },
          );
        }
      }
    });

    it('refuses targets of a wrong size, regions outside and paths that are not there', async () => {
      for (const { path, root } of all) {
        const catalog = await describeIt(path, root);
        using source = openCatalog(path, catalog);
        const memory = new Uint8Array(64);
        const somewhere = { start: [0], shape: [1] };
        expect(() => source.readRegion('no/such item', somewhere, memory), path).toThrow(RangeError);
        expect(() => source.window('no/such item', somewhere), path).toThrow(RangeError);
        expect(() => source.readRows('no/such item', 0, 1), path).toThrow(RangeError);
        expect(() => source.readEntries('no/such item', 0, 1), path).toThrow(RangeError);
        expect(() => source.memberNames('no/such item', 0, 1), path).toThrow(RangeError);
        for (const item of allPixels(catalog)) {
          const one = { start: item.shape.map(() => 0), shape: item.shape.map(() => 1) };
          const size = itemSizeBytes(item.dtype);
          if (sizeOf(item) > 0)
            for (const wrong of [size - 1, size + 1])
              expect(() => source.readRegion(item.path, one, new Uint8Array(wrong))).toThrow(RangeError);
          const outside = { start: item.shape, shape: item.shape.map(() => 1) };
          if (item.shape.length === 0) continue;
          expect(() => source.readRegion(item.path, outside, new Uint8Array(size))).toThrow(RangeError);
          expect(() => source.window(item.path, outside)).toThrow(RangeError);
        }
      }
    });

    it('gives rows, entries and names in any pieces as in one', async () => {
      for (const { path, root } of all) {
        const catalog = await describeIt(path, root);
        using source = openCatalog(path, catalog);
        for (const item of catalog.items) {
          if (item.kind === 'table' || item.kind === 'family') {
            const member = item.kind === 'family' ? [0] : [];
            const [first] = member;
            const whole = source.readRows(item.path, 0, item.rowCount, first).columns;
            expect(whole).toHaveLength(item.columns.length);
            for (const [number, cells] of whole.entries()) {
              expect(cells, item.path).toHaveLength(item.rowCount);
              for (const value of cells) expectCell(value, item.columns[number]!);
            }
            const half = item.rowCount >> 1;
            const upper = source.readRows(item.path, 0, half, first).columns;
            const lower = source.readRows(item.path, half, item.rowCount - half, first).columns;
            expect(whole.map((_, i) => [...upper[i]!, ...lower[i]!])).toEqual(whole.map((c) => [...c]));
            expect(() => source.readRows(item.path, half, item.rowCount + 1, first)).toThrow(RangeError);
          }
          if (item.kind === 'family') {
            const names = source.memberNames(item.path, 0, item.memberCount);
            expect(names).toHaveLength(item.memberCount);
            const half = item.memberCount >> 1;
            expect(source.memberNames(item.path, half, item.memberCount - half)).toEqual(names.slice(half));
          }
          if (item.kind === 'sparse') {
            const whole = source.readEntries(item.path, 0, item.entryCount);
            const half = item.entryCount >> 1;
            const part = source.readEntries(item.path, half, item.entryCount - half);
            expect([...whole.rows.subarray(half)]).toEqual([...part.rows]);
            expect([...whole.columns.subarray(half)]).toEqual([...part.columns]);
            expect([...whole.values.subarray(half)]).toEqual([...part.values]);
            expect(whole.rows.every((row) => row >= 0 && row < item.shape[0])).toBe(true);
            expect(whole.columns.every((column) => column >= 0 && column < item.shape[1])).toBe(true);
          }
        }
      }
    });

    it('never gives bytes of a file that changed since it was described', async () => {
      for (const sample of all) {
        const { path, root, mainFile } = copyOf(sample);
        const catalog = await describeIt(path, root);
        using opened = openCatalog(path, catalog);
        const later = new Date(Date.now() + 10_000);
        writeFileSync(mainFile, Buffer.alloc(readFileSync(mainFile).length));
        utimesSync(mainFile, later, later);
        expect(() => openCatalog(path, catalog)[Symbol.dispose](), path).toThrow(SourceChangedError);
        for (const { bytes, ...wanted } of sample.pixels) {
          // What was in memory before is as good as an error.
          let got: Uint8Array;
          try {
            got = read(opened, wanted);
          } catch (error) {
            expect(error, path).toBeInstanceOf(SourceChangedError);
            continue;
          }
          expect(Buffer.compare(got, bytes), `${path} ${wanted.path}`).toBe(0);
        }
      }
    });

    it('says what is wrong with a file that was cut short, naming it', async () => {
      for (const sample of all) {
        const { path, root, mainFile } = copyOf(sample);
        const size = readFileSync(mainFile).length;
        for (const length of [size - 1, Math.floor(size * 0.9), size >> 1, size >> 3, 16, 9, 8, 7, 1, 0]) {
          if (length >= size) continue;
          truncateSync(mainFile, length);
          try {
            const catalog = await driver.catalog!(path, { root }, never);
            if (catalog === undefined) continue;
            using source = openCatalog(path, catalog);
            for (const item of allPixels(catalog)) {
              const wanted = sample.pixels.find((one) => one.path === item.path);
              if (sizeOf(item) > WHOLE_BYTES) continue;
              const got = read(source, item);
              if (wanted && wanted.shape.join() === item.shape.join())
                expect(Buffer.compare(got, wanted.bytes), `${mainFile} cut to ${length}`).toBe(0);
            }
          } catch (error) {
            if (!(error instanceof PlateFsError)) throw error;
            expect(String(error), `cut to ${length}`).toContain(root);
          }
        }
      }
    });

    it('holds nothing open once it is closed, and nothing after it failed', async () => {
      const held = (): string[] =>
        readdirSync('/proc/self/fd')
          .map((fd) => {
            try {
              return readlinkSync(`/proc/self/fd/${fd}`);
            } catch {
              return '';
            }
          })
          .filter((path) => path.startsWith(`${folder}/`));
      for (const { path, root } of all) openCatalog(path, await describeIt(path, root))[Symbol.dispose]();
      if (existsSync('/proc/self/fd')) expect(held()).toEqual([]);
    });

    it('stops when cancelled, and says that what is missing is missing', async () => {
      const { path, root } = all[0]!;
      await expect(driver.catalog!(path, { root }, AbortSignal.abort())).rejects.toThrow(CancelledError);
      const gone = join(root, `gone${basename(path)}`);
      await expect(driver.catalog!(gone, { root }, never)).rejects.toThrow(PlateFsError);
      await expect(driver.catalog!(gone, { root }, never)).rejects.toThrow(gone);
    });
  });
}
