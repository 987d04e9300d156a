import { createHash } from 'node:crypto';
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { BadZarrError, PlateFsError, SourceChangedError } from '../../../src/core/errors.ts';
import { elementCount, itemSizeBytes } from '../../../src/core/nd-array.ts';
import { wholeRegion } from '../../../src/core/region.ts';
import zarr from '../../../src/sources/zarr.ts';
import type { ArrayItem, SourceCatalog } from '../../../src/sources.ts';
import { put, writeV3 } from '../../fixtures/zarr.ts';
import { folderEntries, zipFile } from '../../fixtures/zip.ts';

await zarr.prepare!();

const never = new AbortController().signal;
const DATA = resolve(import.meta.dirname, '../../../../shared/data');
const scratch = mkdtempSync(join(tmpdir(), 'platefs-zarr-zip-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
let serial = 0;
const zipPath = (): string => join(scratch, `${serial++}.zarr.zip`);

const catalogOf = (path: string): Promise<SourceCatalog | undefined> =>
  zarr.catalog!(path, { root: dirname(path) }, never);
const sha = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const arraysOf = (catalog: SourceCatalog): ArrayItem[] =>
  catalog.items.filter((item): item is ArrayItem => item.kind === 'array');

function readWhole(path: string, catalog: SourceCatalog, item: ArrayItem): Uint8Array {
  using source = zarr.openSync!(path, catalog);
  const bytes = new Uint8Array(elementCount(item.shape) * itemSizeBytes(item.dtype));
  source.readRegion(item.path, wholeRegion(item.shape), bytes);
  return bytes;
}

/** A store of a plain, a packed and a sharded array. */
const bytes = Uint8Array.from({ length: 2 * 6 * 8 }, (_, i) => (i * i * 31 + 7) & 255);
const array = { shape: [6, 8], chunkShape: [3, 4], itemBytes: 2, bytes };
const folder = join(scratch, 'store.zarr');
put(join(folder, 'zarr.json'), { zarr_format: 3, node_type: 'group', attributes: { a: 1 } });
writeV3(join(folder, 'plain'), array, { dtype: 'uint16' });
writeV3(join(folder, 'packed'), array, { dtype: 'uint16', packing: 'zstd' });
writeV3(join(folder, 'g/sharded'), array, { dtype: 'uint16', shard: { shape: [6, 4], location: 'end' } });

describe('a store in a zip file', () => {
  it.each([
    ['stored', {}],
    ['deflate', {}],
    ['zstd', {}],
    ['stored', { wide: true }],
    ['deflate', { wide: true, comment: 'made with care, PK\u0005\u0006 and all' }],
    ['stored', { before: '#!/bin/sh\nsomething that unpacks itself\n' }],
  ] as const)('is read exactly: %s, %j', async (packing, options) => {
    for (const prefix of ['', 'store.zarr/']) {
      const path = zipPath();
      writeFileSync(path, zipFile(folderEntries(folder, packing, prefix), options));
      const catalog = await catalogOf(path);
      expect(catalog).toMatchObject({ title: 'Zarr (zarr v3)', warnings: [] });
      expect(arraysOf(catalog!).map((item) => item.path)).toEqual(['g/sharded', 'packed', 'plain']);
      for (const item of arraysOf(catalog!))
        expect(readWhole(path, catalog!, item), item.path).toEqual(bytes);
    }
  });

  it.each(['stored', 'deflate'] as const)('is read in parts as it is whole: %s', async (packing) => {
    const store = join(scratch, `swapped-${packing}.zarr`);
    writeV3(store, array, { dtype: 'uint16', bigEndian: true });
    const path = zipPath();
    writeFileSync(path, zipFile(folderEntries(store, packing)));
    using source = zarr.openSync!(path, (await catalogOf(path))!);
    for (let row = 0; row < 6; row++)
      for (let column = 0; column < 7; column++) {
        const part = new Uint8Array(4);
        source.readRegion('', { start: [row, column], shape: [1, 2] }, part);
        const at = 2 * (8 * row + column);
        expect(part, `${row}, ${column}`).toEqual(bytes.slice(at, at + 4));
      }
  });

  it('has byte windows into the zip file where bytes lie as they are', async () => {
    const path = zipPath();
    writeFileSync(path, zipFile(folderEntries(folder)));
    using source = zarr.openSync!(path, (await catalogOf(path))!);
    for (const name of ['plain', 'g/sharded']) {
      const region = { start: [1, 4], shape: [1, 4] };
      const window = source.window(name, region)!;
      expect(window.path).toBe(path);
      const expected = new Uint8Array(8);
      source.readRegion(name, region, expected);
      expect(new Uint8Array(readFileSync(path).subarray(window.offsetBytes, window.offsetBytes + 8))).toEqual(
        expected,
      );
    }
    expect(source.window('packed', { start: [0, 0], shape: [1, 4] })).toBeUndefined();
  });

  it('of which a member is there twice is read from the last, as zarr-python leaves it', async () => {
    const path = zipPath();
    const entries = folderEntries(folder);
    const old = { name: 'plain/c/0/0', content: Buffer.alloc(24, 1) };
    writeFileSync(path, zipFile([old, ...entries]));
    const catalog = (await catalogOf(path))!;
    expect(readWhole(path, catalog, arraysOf(catalog)[2]!)).toEqual(bytes);
  });

  it('with a wrong checksum or a lie about sizes is an error that names the member', async () => {
    const entries = folderEntries(folder, 'deflate');
    const good = zipFile(entries);
    for (const [name, offset, value] of [
      ['plain/c/0/0', 16, 1],
      ['plain/c/0/0', 24, 3],
      ['plain/c/0/0', 10, 99],
      ['plain/c/0/0', 42, 1],
    ] as const) {
      const path = zipPath();
      const damaged = Buffer.from(good);
      // In the directory: the last place where the name stands.
      const at = damaged.lastIndexOf(name) - 46 + offset;
      damaged[at] = damaged[at]! ^ value;
      writeFileSync(path, damaged);
      const catalog = (await catalogOf(path))!;
      const plain = arraysOf(catalog)[2]!;
      expect(() => readWhole(path, catalog, plain), `${offset}`).toThrow(PlateFsError);
      expect(() => readWhole(path, catalog, plain)).toThrow(`${path}/${name}`);
    }
  });

  it('that is written to while it is open is told apart', async () => {
    const path = zipPath();
    writeFileSync(path, zipFile(folderEntries(folder)));
    const catalog = (await catalogOf(path))!;
    using source = zarr.openSync!(path, catalog);
    source.readRegion('plain', wholeRegion([6, 8]), new Uint8Array(96));
    appendFileSync(path, 'more');
    expect(() => source.readRegion('plain', wholeRegion([6, 8]), new Uint8Array(96))).toThrow(
      SourceChangedError,
    );
  });

  it('of anything else is none of ours; one that is cut off says so', async () => {
    const other = join(scratch, 'photos.zip');
    writeFileSync(
      other,
      zipFile([
        { name: 'a/b.txt', content: Buffer.from('hello') },
        { name: 'c.txt', content: Buffer.of() },
      ]),
    );
    expect(await catalogOf(other)).toBeUndefined();
    const whole = zipFile(folderEntries(folder));
    for (const length of [0, 10, 21, whole.length >> 1, whole.length - 1]) {
      const path = zipPath();
      writeFileSync(path, whole.subarray(0, length));
      await expect(catalogOf(path)).rejects.toThrow(BadZarrError);
      await expect(catalogOf(path)).rejects.toThrow(path);
    }
  });

  it('whose end counts fewer members than its directory has bytes for is refused by name', async () => {
    const path = zipPath();
    const damaged = zipFile(folderEntries(folder));
    const end = damaged.length - 22;
    damaged.writeUInt16LE(0, end + 10);
    damaged.writeUInt32LE(10, end + 12);
    writeFileSync(path, damaged);
    await expect(catalogOf(path)).rejects.toThrow(/counts 0 members/);
    await expect(catalogOf(path)).rejects.toThrow(path);
  });

  it('with any bytes changed is read right, or refused by name', async () => {
    const path = zipPath();
    const entries = folderEntries(folder, 'deflate');
    const whole = [zipFile(entries), zipFile(entries, { wide: true })];
    await fc.assert(
      fc.asyncProperty(
        fc.nat(1),
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 8 }),
        fc.boolean(),
        async (which, edits, isInTail) => {
          const damaged = Buffer.from(whole[which]!);
          for (const [at, value] of edits)
            damaged[isInTail ? damaged.length - 1 - (at % 300) : at % damaged.length] = value;
          writeFileSync(path, damaged);
          try {
            const catalog = await catalogOf(path);
            for (const item of catalog ? arraysOf(catalog) : []) {
              const size = elementCount(item.shape) * itemSizeBytes(item.dtype);
              if (size < 2 ** 20) expect(readWhole(path, catalog!, item)).toHaveLength(size);
            }
          } catch (error) {
            expect(error).toBeInstanceOf(PlateFsError);
            expect(String(error)).toContain(path);
          }
        },
      ),
      { numRuns: 400 },
    );
  });

  it('that claims much more than it has costs no memory', async () => {
    const path = zipPath();
    const file = zipFile(folderEntries(folder));
    const end = file.length - 22;
    file.writeUInt32LE(0xfffffff0, end + 12);
    writeFileSync(path, file);
    await expect(catalogOf(path)).rejects.toThrow(/lies outside/);
  });
});

describe.skipIf(!existsSync(DATA))(
  'real stores in zip files (skipped where ../shared/data is absent)',
  () => {
    it('a plate is catalogued with all its images, and has the pixels of its truth file', async () => {
      const set = join(DATA, 'ngff05-hcs');
      const path = zipPath();
      writeFileSync(path, zipFile(folderEntries(join(set, 'derived.zarr'), 'stored', 'derived.zarr/')));
      const catalog = (await catalogOf(path))!;
      expect(catalog.title).toBe('OME-Zarr 0.5 (zarr v3)');
      const { planes } = JSON.parse(readFileSync(`${set}.truth.json`, 'utf8')) as {
        planes: { source: string; index: number[]; sha256_pixels: string }[];
      };
      using source = zarr.openSync!(path, catalog);
      for (const { source: at, index, sha256_pixels } of planes) {
        const image = at.replace('derived.zarr/', '').replace(/\/0$/, '');
        const target = new Uint8Array(2 * 256 * 256);
        source.readRegion(
          image,
          { start: [0, index[0]!, index[1]!, 0, 0], shape: [1, 1, 1, 256, 256] },
          target,
        );
        expect(sha(target), at).toBe(sha256_pixels);
      }
    });
  },
);
