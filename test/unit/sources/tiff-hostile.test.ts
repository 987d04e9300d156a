import {
  closeSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PlateFsError } from '../../../src/core/errors.ts';
import { elementCount, itemSizeBytes } from '../../../src/core/nd-array.ts';
import { wholeRegion } from '../../../src/core/region.ts';
import tiff from '../../../src/sources/tiff.ts';
import type { SourceCatalog } from '../../../src/sources.ts';
import { cpuNowMs } from '../../fixtures/cpu-time.ts';
import { writeTiff } from '../../fixtures/tiff.ts';

const never = new AbortController().signal;
const ZOO = resolve(import.meta.dirname, '../../../../shared/data/tiff-zoo');
const folder = mkdtempSync(join(tmpdir(), 'platefs-tiff-hostile-'));
beforeAll(() => tiff.prepare!());
afterAll(() => rmSync(folder, { recursive: true, force: true }));
/** What is read at most of one item: a damaged file may claim gigabytes that it can't hold. */
const MOST_BYTES = 16 << 20;

const look = (path: string): Promise<SourceCatalog | undefined> =>
  tiff.catalog!(path, { root: folder }, never);

/**
 * Looks into a file that may be damaged in any way and reads what it claims to hold.
 * @returns bytes of every image, by path; undefined for one that was refused.
 */
async function readAll(path: string): Promise<Map<string, Uint8Array | undefined>> {
  const read = new Map<string, Uint8Array | undefined>();
  const allowed = (error: unknown): void => {
    if (!(error instanceof PlateFsError)) throw error;
    expect(error.message).toContain(folder);
  };
  let catalog: SourceCatalog | undefined;
  try {
    catalog = await look(path);
  } catch (error) {
    allowed(error);
  }
  if (!catalog) return read;
  using source = tiff.openSync!(path, catalog);
  for (const item of catalog.items) {
    if (item.kind !== 'image') continue;
    const { shape, dtype } = item.image;
    const parts = [{ path: item.path, shape }, ...item.levels];
    for (const part of parts) {
      const sizeBytes = elementCount(part.shape) * itemSizeBytes(dtype);
      const region =
        sizeBytes <= MOST_BYTES
          ? wholeRegion(part.shape)
          : { start: part.shape.map(() => 0), shape: [1, 1, 1, 1, Math.min(part.shape[4], 1000)] };
      const bytes = new Uint8Array(elementCount(region.shape) * itemSizeBytes(dtype));
      try {
        source.window(part.path, region);
        source.readRegion(part.path, region, bytes);
        read.set(part.path, bytes);
      } catch (error) {
        allowed(error);
        read.set(part.path, undefined);
      }
    }
  }
  return read;
}

const OME = `<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0" Name="n"><Pixels ID="P:0" DimensionOrder="XYZCT" Type="uint8" SizeX="9" SizeY="7" SizeZ="2" SizeC="1" SizeT="1"><TiffData IFD="0" PlaneCount="1"/><TiffData FirstZ="1" IFD="1"/></Pixels></Image></OME>`;
const IMAGEJ = 'ImageJ=1.53t\nimages=2\nslices=2\n';

const flips = fc.array(
  fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.constantFrom(0, 1, 2, 7, 127, 128, 255)),
  { minLength: 1, maxLength: 5 },
);

function damage(whole: Uint8Array, changes: readonly (readonly [number, number])[], cut: number): Buffer {
  const damaged = Buffer.from(cut < 0.3 ? whole.subarray(0, Math.floor((cut / 0.3) * whole.length)) : whole);
  for (const [at, value] of changes)
    if (damaged.length > 0) damaged[Math.floor(at * (damaged.length - 1))] = value;
  return damaged;
}

describe('TIFF sources that are damaged', () => {
  it.each([
    ['OME-XML', OME],
    ['an ImageJ text', IMAGEJ],
    ['no text', undefined],
  ])(
    'with %s: what is read is of the size that was told, or an error names the file',
    async (_, description) => {
      const pixels = Uint8Array.from({ length: 63 }, (__, i) => i);
      const page = { width: 9, height: 7, bits: 8, pixels, compression: 8, rowsPerStrip: 3 };
      const whole = writeTiff({ pages: [{ ...page, ...(description ? { description } : {}) }, page] });
      await fc.assert(
        fc.asyncProperty(flips, fc.double({ min: 0, max: 1, noNaN: true }), async (changes, cut) => {
          const path = join(folder, 'damaged.tif');
          writeFileSync(path, damage(whole, changes, cut));
          await readAll(path);
        }),
        { numRuns: 300 },
      );
    },
  );

  it.each([
    ['blanks', `${' '.repeat(400_000)}x`],
    ['MetaMorph properties that never end', '<prop '.repeat(80_000)],
    ['Pixels that never end', '<Pixels '.repeat(80_000)],
    ['Pixels that end once', `${'<Pixels '.repeat(80_000)}>`],
    ['an attribute without an end', `<OME><Pixels ${'a'.repeat(400_000)}>`],
    ['prefixes', '<a:'.repeat(100_000)],
  ])('a description of %s is looked through in a moment', async (_, description) => {
    const path = join(folder, 'described.tif');
    const page = { width: 4, height: 4, bits: 8, pixels: new Uint8Array(16), description };
    writeFileSync(path, writeTiff({ pages: [page, page] }));
    const startedMs = cpuNowMs();
    const catalog = await look(path);
    expect(catalog?.items.filter(({ kind }) => kind === 'image')).toHaveLength(1);
    await using array = await tiff.openArray(path, never);
    expect(array.info.shape).toEqual([2, 4, 4]);
    expect(cpuNowMs() - startedMs).toBeLessThan(5000);
  });

  it('ImageJ texts and OME-XML of absurd sizes take no memory', async () => {
    const pixels = new Uint8Array(63);
    const page = { width: 9, height: 7, bits: 8, pixels };
    const texts = [
      'ImageJ=1.53t\nimages=999999999\nslices=999999999\n',
      OME.replace('SizeZ="2"', 'SizeZ="900000000"'),
      OME.replace('SizeZ="2"', 'SizeZ="900000000" ').replace('IFD="1"', 'IFD="1" PlaneCount="800000000"'),
      OME.replace(/<TiffData IFD.*PlaneCount="1"\/>/, '<TiffData/>'.repeat(20_000)),
    ];
    for (const description of texts) {
      const path = join(folder, 'absurd.tif');
      writeFileSync(path, writeTiff({ pages: [{ ...page, description }, page] }));
      const read = await readAll(path);
      expect([...read.values()].map((bytes) => bytes?.length)).toEqual([126]);
    }
  });
});

describe('an ImageJ stack over 4 GiB with one directory', () => {
  it('is all its planes, read where they lie', async () => {
    const [width, height, planes] = [2048, 1024, 1100];
    const planeBytes = 2 * width * height;
    const path = join(folder, 'over4g.tif');
    const page = { width: 1, height: 1, bits: 16, pixels: new Uint8Array(2) };
    const text = `ImageJ=1.53t\nimages=${planes}\nchannels=2\nslices=550\nhyperstack=true\n`;
    const file = writeTiff({ pages: [{ ...page, description: text }], bigEndian: true });
    const at = file.readUInt32BE(4);
    const first = file.length;
    for (let entry = at + 2; entry < at + 2 + 12 * file.readUInt16BE(at); entry += 12) {
      const tag = file.readUInt16BE(entry);
      const value = { 256: width, 257: height, 273: first, 278: height, 279: planeBytes }[tag];
      if (value !== undefined) file.writeUInt32BE(value, entry + 8);
    }
    const fd = openSync(path, 'w');
    try {
      writeSync(fd, file, 0, file.length, 0);
      ftruncateSync(fd, first + planes * planeBytes);
      // The pixel at y 3, x 5 of channel 1, slice 549: the last page.
      writeSync(fd, Uint8Array.of(0x12, 0x34), 0, 2, first + (planes - 1) * planeBytes + 2 * (3 * width + 5));
    } finally {
      closeSync(fd);
    }
    expect(first + planes * planeBytes).toBeGreaterThan(2 ** 32);
    const catalog = (await look(path))!;
    expect(catalog.items[0]).toMatchObject({ kind: 'image', image: { shape: [1, 2, 550, height, width] } });
    using source = tiff.openSync!(path, catalog);
    const bytes = new Uint8Array(2 * 2 * 3 * 2);
    source.readRegion('', { start: [0, 0, 549, 2, 4], shape: [1, 2, 1, 2, 3] }, bytes);
    // Channel 1, second row, second column; little-endian.
    expect([...bytes]).toEqual([...new Array(12).fill(0), 0, 0, 0, 0, 0, 0, 0, 0, 0x34, 0x12, 0, 0]);
    rmSync(path);
  });
});

describe.skipIf(readdirOrNone(ZOO).length === 0)('odd TIFFs as sources (needs ../shared/data)', () => {
  it.each(readdirOrNone(ZOO))('%s: its images are its pages, or it says why not', async (name) => {
    const path = join(ZOO, name);
    let catalog: SourceCatalog | undefined;
    try {
      catalog = await tiff.catalog!(path, { root: ZOO }, never);
    } catch (error) {
      expect(REFUSED[name], String(error)).toBeDefined();
      expect(String(error)).toMatch(REFUSED[name]!);
      return;
    }
    if (REFUSED[name]) {
      expect(catalog!.warnings.map(({ message }) => message).join()).toMatch(REFUSED[name]);
      expect(catalog!.items.filter(({ kind }) => kind === 'image')).toEqual([]);
      return;
    }
    using source = tiff.openSync!(path, catalog!);
    let page = 0;
    for (const item of catalog!.items) {
      if (item.kind !== 'image') continue;
      const { shape, dtype } = item.image;
      const itemBytes = itemSizeBytes(dtype);
      for (let z = 0; z < shape[2]; z++, page++) {
        const plane = new Uint8Array(shape[1] * shape[3] * shape[4] * itemBytes);
        source.readRegion(
          item.path,
          { start: [0, 0, z, 0, 0], shape: [1, shape[1], 1, shape[3], shape[4]] },
          plane,
        );
        const { info, bytes } = tiff.readPlaneSync!(path, page);
        const chunky = info.axes === 'yxs';
        const expected = new Uint8Array(plane.length);
        const pixels = shape[3] * shape[4];
        for (let c = 0; c < shape[1]; c++)
          for (let i = 0; i < pixels; i++) {
            const from = (chunky ? i * shape[1] + c : c * pixels + i) * itemBytes;
            expected.set(bytes.subarray(from, from + itemBytes), (c * pixels + i) * itemBytes);
          }
        expect(Buffer.compare(plane, expected), `page ${page}`).toBe(0);
      }
    }
    expect(page).toBeGreaterThan(0);
    expect(catalog!.warnings).toEqual([]);
  });

  it('JPEG, LERC and all the others, damaged: an error that names the file, or bytes of the size that was told', async () => {
    for (const name of readdirOrNone(ZOO)) {
      const whole = readFileSync(join(ZOO, name));
      if (whole.length > 120_000) continue;
      await fc.assert(
        fc.asyncProperty(flips, fc.double({ min: 0, max: 1, noNaN: true }), async (changes, cut) => {
          const path = join(folder, 'zoo.tif');
          writeFileSync(path, damage(whole, changes, cut));
          await readAll(path);
        }),
        { numRuns: 12 },
      );
    }
  });
});

/** Files of the zoo that nobody can read here, and why. */
const REFUSED: Record<string, RegExp> = {
  'imagers-logluv-3c-16b.tiff': /tag 259 has value 34676/,
};

function readdirOrNone(path: string): string[] {
  try {
    return readdirSync(path).filter((name) => /\.tiff?$/.test(name));
  } catch {
    return [];
  }
}
