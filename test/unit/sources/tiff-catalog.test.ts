import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Dtype } from '../../../src/core/nd-array.ts';
import { wholeRegion } from '../../../src/core/region.ts';
import tiff from '../../../src/sources/tiff.ts';
import type { ImageItem, SourceCatalog } from '../../../src/sources.ts';
import { type CatalogSample, sourceCatalogConformance } from '../../conformance/source-catalogs.ts';
import { type FileToWrite, itemOf, type PageToWrite, writeTiff } from '../../fixtures/tiff.ts';

const never = new AbortController().signal;
const DATA = resolve(import.meta.dirname, '../../../../shared/data');
const scratch = mkdtempSync(join(tmpdir(), 'platefs-tiff-catalog-'));
beforeAll(() => tiff.prepare!());
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const noise = (length: number, seed = 1): Uint8Array => {
  let state = seed;
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return state >>> 24;
  });
};

const BASE = { width: 21, height: 13, bits: 16 };
type Kind = Omit<PageToWrite, 'pixels'>;
const planeBytes = (page: Kind): number => page.width * page.height * (page.samples ?? 1) * itemOf(page.bits);

/** Pages of noise, and their pixels one after the other. */
function pagesOf(kinds: readonly Kind[], seed = 1): { pages: PageToWrite[]; pixels: Uint8Array[] } {
  const pages = kinds.map((page, i) => ({ ...page, pixels: noise(planeBytes(page), seed + i) }));
  return { pages, pixels: pages.map((page) => page.pixels) };
}

/** Makes the last pages of a classic little-endian file directories below the first, or below each of several. */
function below(file: Buffer, pages: number): Buffer {
  const offsets: number[] = [];
  const linkOf = (at: number): number => at + 2 + file.readUInt16LE(at) * 12;
  for (let at = file.readUInt32LE(4); at !== 0; at = file.readUInt32LE(linkOf(at))) offsets.push(at);
  const per = (offsets.length - pages) / pages;
  for (let page = 0; page < pages; page++) {
    const at = offsets[page]!;
    for (let entry = at + 2; entry < linkOf(at); entry += 12) {
      if (file.readUInt16LE(entry) !== 330) continue;
      const values = per === 1 ? entry + 8 : file.readUInt32LE(entry + 8);
      for (let i = 0; i < per; i++) file.writeUInt32LE(offsets[pages + page * per + i]!, values + 4 * i);
    }
  }
  file.writeUInt32LE(0, linkOf(offsets[pages - 1]!));
  return file;
}

/** The planes of pages with samples side by side, one after the other. */
function apart(pixels: Uint8Array, samples: number, itemBytes: number): Uint8Array {
  const out = new Uint8Array(pixels.length);
  const count = pixels.length / samples / itemBytes;
  for (let sample = 0; sample < samples; sample++)
    for (let i = 0; i < count; i++) {
      const from = (i * samples + sample) * itemBytes;
      out.set(pixels.subarray(from, from + itemBytes), (sample * count + i) * itemBytes);
    }
  return out;
}

const omeText = (pixels: string, data: string, name = 'cells'): string =>
  `<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0" Name="${name}"><Pixels ID="Pixels:0" ${pixels}>${data}</Pixels></Image></OME>`;

sourceCatalogConformance(tiff, (folder) => {
  const whole = (
    name: string,
    kinds: readonly Kind[],
    shape: readonly number[],
    options: Partial<FileToWrite> & { dtype?: Dtype; order?: readonly number[] } = {},
  ): CatalogSample => {
    mkdirSync(join(folder, name));
    const path = join(folder, name, `${name}.tif`);
    const { pages, pixels } = pagesOf(kinds);
    const { dtype = 'uint16', order = pixels.map((_, i) => i), ...file } = options;
    writeFileSync(path, writeTiff({ pages, ...file }));
    const [first] = kinds;
    const planes = order.map((i) =>
      (first?.samples ?? 1) > 1 && !first?.planar
        ? apart(pixels[i]!, first!.samples!, itemOf(first!.bits))
        : pixels[i]!,
    );
    return { path, pixels: [{ path: '', shape, dtype, bytes: Buffer.concat(planes) }] };
  };
  const times = (count: number, page: Kind, text?: string): Kind[] =>
    Array.from({ length: count }, (_, i) => ({ ...page, ...(i === 0 && text ? { description: text } : {}) }));

  const pyramid = (name: string, asPages: boolean): CatalogSample => {
    mkdirSync(join(folder, name));
    const path = join(folder, name, `${name}.tif`);
    const main = { width: 40, height: 36, bits: 16, tile: [16, 16] as const, compression: 8, predictor: 2 };
    const smaller = { tag: 254, type: 4, values: [1] };
    const { pages, pixels } = pagesOf([
      asPages ? main : { ...main, extra: [{ tag: 330, type: 4, values: [1, 1] }] },
      { ...main, width: 20, height: 18, extra: [smaller] },
      { ...main, width: 10, height: 9, extra: [smaller] },
    ]);
    const file = writeTiff({ pages });
    writeFileSync(path, asPages ? file : below(file, 1));
    return {
      path,
      items: [
        ['image', ''],
        ['array', ''],
      ],
      pixels: [
        { path: '', shape: [1, 1, 1, 36, 40], dtype: 'uint16', bytes: pixels[0]! },
        { path: '', shape: [36, 40], dtype: 'uint16', bytes: pixels[0]! },
        { path: 'level1', shape: [1, 1, 1, 18, 20], dtype: 'uint16', bytes: pixels[1]! },
        { path: 'level2', shape: [1, 1, 1, 9, 10], dtype: 'uint16', bytes: pixels[2]! },
      ],
    };
  };

  const set = (name: string, hasCompanion: boolean): CatalogSample => {
    const root = join(folder, name);
    mkdirSync(root);
    const { pages, pixels } = pagesOf(times(4, BASE));
    const parts = [0, 1, 2, 3].map((i) => `${name}_${i}.ome.tif`);
    const data = parts
      .map(
        (part, i) =>
          `<TiffData FirstZ="${i}" IFD="0" PlaneCount="1"><UUID FileName="${part}">u${i}</UUID></TiffData>`,
      )
      .join('');
    const size = 'DimensionOrder="XYZCT" Type="uint16" SizeX="21" SizeY="13" SizeZ="4" SizeC="1" SizeT="1"';
    const text = omeText(size, data);
    const companion = `${name}.companion.ome`;
    const pointer = `<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><BinaryOnly MetadataFile="${companion}" UUID="u"/></OME>`;
    if (hasCompanion) writeFileSync(join(root, companion), text);
    for (const [i, part] of parts.entries())
      writeFileSync(
        join(root, part),
        writeTiff({ pages: [{ ...pages[i]!, description: hasCompanion ? pointer : text }] }),
      );
    return {
      path: join(root, parts[1]!),
      pixels: [{ path: '', shape: [1, 1, 4, 13, 21], dtype: 'uint16', bytes: Buffer.concat(pixels) }],
    };
  };

  const several = (): CatalogSample => {
    const root = join(folder, 'several');
    mkdirSync(root);
    const path = join(root, 'several.tif');
    const { pages, pixels } = pagesOf([BASE, BASE, { ...BASE, bits: 8 }]);
    writeFileSync(path, writeTiff({ pages }));
    return {
      path,
      items: [
        ['image', 'several 1'],
        ['array', 'several 1'],
        ['image', 'several 2'],
        ['array', 'several 2'],
      ],
      pixels: [
        {
          path: 'several 1',
          shape: [1, 1, 2, 13, 21],
          dtype: 'uint16',
          bytes: Buffer.concat(pixels.slice(0, 2)),
        },
        { path: 'several 2', shape: [13, 21], dtype: 'uint8', bytes: pixels[2]! },
      ],
    };
  };

  const bigImagej = (): CatalogSample => {
    const root = join(folder, 'one-directory');
    mkdirSync(root);
    const path = join(root, 'one-directory.tif');
    const text = 'ImageJ=1.53t\nimages=6\nchannels=2\nslices=3\nhyperstack=true\n';
    const planes = Array.from({ length: 6 }, (_, i) => noise(planeBytes(BASE), i + 1));
    const file = writeTiff({ pages: [{ ...BASE, description: text, pixels: planes[0]! }], bigEndian: true });
    const directory = file.readUInt32BE(4);
    for (
      let entry = directory + 2;
      file.readUInt16BE(entry - 0) !== 0 && entry < file.length - 12;
      entry += 12
    )
      if (file.readUInt16BE(entry) === 273) file.writeUInt32BE(file.length, entry + 8);
    writeFileSync(path, Buffer.concat([file, ...planes.map((plane) => Buffer.from(plane).swap16())]));
    const order = [0, 2, 4, 1, 3, 5];
    return {
      path,
      pixels: [
        {
          path: '',
          shape: [1, 2, 3, 13, 21],
          dtype: 'uint16',
          bytes: Buffer.concat(order.map((i) => planes[i]!)),
        },
      ],
    };
  };

  const hyperstack = 'ImageJ=1.53t\nimages=12\nchannels=2\nslices=3\nframes=2\nhyperstack=true\n';
  // t, c, z of a file whose pages run over c, then z, then t
  const byChannel = [0, 2, 4, 1, 3, 5, 6, 8, 10, 7, 9, 11];
  const ome = 'DimensionOrder="XYZCT" Type="uint16" SizeX="21" SizeY="13" SizeZ="2" SizeC="3" SizeT="1"';
  return [
    whole('plain', [BASE], [1, 1, 1, 13, 21]),
    whole('strips', [{ ...BASE, rowsPerStrip: 4 }], [1, 1, 1, 13, 21]),
    whole('tiles', [{ ...BASE, tile: [16, 16] }], [1, 1, 1, 13, 21]),
    whole('lzw', [{ ...BASE, tile: [16, 16], compression: 5, predictor: 2 }], [1, 1, 1, 13, 21], {
      bigEndian: true,
    }),
    whole('bits12', [{ ...BASE, bits: 8, samples: 2, planar: true }], [1, 2, 1, 13, 21], { dtype: 'uint8' }),
    whole('rgb', times(2, { ...BASE, samples: 3, rowsPerStrip: 5, compression: 8 }), [1, 3, 2, 13, 21], {
      order: [],
      big: true,
    }),
    whole('planar', [{ ...BASE, samples: 3, planar: true, rowsPerStrip: 5 }], [1, 3, 1, 13, 21]),
    whole('pages', times(5, { ...BASE, compression: 50000 }), [1, 1, 5, 13, 21], { big: true }),
    whole('imagej', times(12, BASE, hyperstack), [2, 2, 3, 13, 21], { order: byChannel }),
    whole('ome', times(6, BASE, omeText(ome, '<TiffData/>')), [1, 3, 2, 13, 21]),
    pyramid('below', false),
    pyramid('reduced', true),
    set('files', false),
    set('companion', true),
    several(),
    bigImagej(),
  ].map((sample) => (sample.path.endsWith('rgb.tif') ? rgbOfTwo(sample) : sample));
});

/** Two pages of three samples: channels first, then z. */
function rgbOfTwo(sample: CatalogSample): CatalogSample {
  const { pixels } = pagesOf([1, 2].map(() => ({ ...BASE, samples: 3 })));
  const [a, b] = pixels.map((page) => apart(page, 3, 2));
  const plane = planeBytes(BASE);
  const bytes = Buffer.concat(
    [0, 1, 2].flatMap((c) => [a!, b!].map((page) => page.subarray(c * plane, (c + 1) * plane))),
  );
  return { ...sample, pixels: [{ ...sample.pixels[0]!, bytes }] };
}

async function look(path: string, root = dirname(path)): Promise<SourceCatalog> {
  const catalog = await tiff.catalog!(path, { root }, never);
  if (!catalog) throw new Error('no TIFF');
  return catalog;
}

const imagesOf = (catalog: SourceCatalog): ImageItem[] =>
  catalog.items.filter((item) => item.kind === 'image');

let serial = 0;
function save(file: FileToWrite, name = `${serial++}.tif`): string {
  const path = join(scratch, name);
  writeFileSync(path, writeTiff(file));
  return path;
}

describe('what is known of a TIFF', () => {
  const page: PageToWrite = { width: 3, height: 2, bits: 8, pixels: noise(6) };

  it('ImageJ: pixel size, z spacing, frame interval, and its text', async () => {
    const text =
      'ImageJ=1.53t\nimages=4\nslices=2\nframes=2\nhyperstack=true\nunit=\\u00B5m\nspacing=1.5\nfinterval=30\n';
    const resolution = [282, 283].map((tag) => ({ tag, type: 5, values: [2_000_000, 1_000_000] }));
    const pages = [{ ...page, description: text, extra: resolution }, page, page, page];
    const catalog = await look(save({ pages }));
    expect(catalog.title).toBe('ImageJ TIFF');
    expect(imagesOf(catalog)[0]?.image).toMatchObject({
      shape: [2, 1, 2, 2, 3],
      pixelSizeUm: { x: 0.5, y: 0.5 },
      zSpacingUm: 1.5,
      timeIntervalS: 30,
    });
    expect(catalog.items.at(-1)).toEqual({ kind: 'text', path: 'description.txt', text });
  });

  it('OME-XML: names of image and channels, sizes and interval with their units', async () => {
    const pixels =
      'DimensionOrder="XYCZT" Type="uint8" SizeX="3" SizeY="2" SizeZ="1" SizeC="2" SizeT="1" PhysicalSizeX="650" PhysicalSizeXUnit="nm" PhysicalSizeY="0.65" PhysicalSizeZ="2" TimeIncrement="500" TimeIncrementUnit="ms"';
    const channels =
      '<Channel ID="Channel:0:0" Name="DAPI" EmissionWavelength="460"/><Channel ID="Channel:0:1"/>';
    const path = save({ pages: [{ ...page, description: omeText(pixels, `${channels}<TiffData/>`) }, page] });
    const catalog = await look(path);
    expect(catalog).toMatchObject({ title: 'OME-TIFF', warnings: [] });
    expect(imagesOf(catalog)[0]?.image).toEqual({
      name: 'cells',
      shape: [1, 2, 1, 2, 3],
      dtype: 'uint8',
      pixelSizeUm: { x: 0.65, y: 0.65 },
      zSpacingUm: 2,
      timeIntervalS: 0.5,
      channels: [{ name: 'DAPI', emissionNm: 460 }, {}],
    });
  });

  it('levels of a set of more files than are open at once are those of its first', async () => {
    const count = 12;
    const folder = join(scratch, 'long-set');
    mkdirSync(folder);
    const nameOf = (z: number): string => `part${z}.ome.tif`;
    const data = Array.from(
      { length: count },
      (_, z) =>
        `<TiffData IFD="0" FirstZ="${z}" PlaneCount="1"><UUID FileName="${nameOf(z)}">u</UUID></TiffData>`,
    );
    const text = omeText(
      `DimensionOrder="XYZCT" Type="uint16" SizeX="40" SizeY="36" SizeZ="${count}" SizeC="1" SizeT="1"`,
      data.join(''),
    );
    for (let z = 0; z < count; z++) {
      // Far from the directory, where only another read finds the offsets of the levels.
      const description =
        z === 0 ? text.replace('<Image ', `<!--${'x'.repeat(200_000)}--><Image `) : 'another';
      const page = { width: 40, height: 36, bits: 16, description };
      const { pages } = pagesOf(
        [
          { ...page, extra: [{ tag: 330, type: 4, values: [1, 1] }] },
          { width: 20, height: 18, bits: 16 },
          { width: 10, height: 9, bits: 16 },
        ],
        z + 1,
      );
      writeFileSync(join(folder, nameOf(z)), below(writeTiff({ pages }), 1));
    }
    const catalog = await look(join(folder, nameOf(0)));
    expect(catalog.warnings).toEqual([]);
    const [image] = imagesOf(catalog);
    expect(image?.levels.map(({ shape }) => shape)).toEqual([
      [1, 1, count, 18, 20],
      [1, 1, count, 9, 10],
    ]);
  });

  it('samples of a colour image are channels called as the format calls them', async () => {
    const rgb = { ...page, samples: 3, pixels: noise(18), extra: [{ tag: 262, type: 3, values: [2] }] };
    const [item] = imagesOf(await look(save({ pages: [rgb] }, 'rgb.tif')));
    expect(item?.image).toEqual({
      name: 'rgb',
      shape: [1, 3, 1, 2, 3],
      dtype: 'uint8',
      channels: [{ name: 'Red' }, { name: 'Green' }, { name: 'Blue' }],
    });
    expect(item?.chunkShape).toEqual([1, 3, 1, 2, 3]);
  });

  const size = 'DimensionOrder="XYZCT" Type="uint8" SizeX="3" SizeY="2" SizeC="1" SizeT="1"';
  const elsewhere = (name: string): string =>
    `<TiffData IFD="0"/><TiffData FirstZ="1" IFD="0"><UUID FileName="${name}">x</UUID></TiffData>`;

  it.each([
    ['a file that is not there', () => 'not-here.ome.tif', /not-here.ome.tif/],
    ['a file outside', () => '../outside.tif', /outside/],
    [
      'a link that leads outside',
      () => {
        const away = mkdtempSync(join(tmpdir(), 'platefs-away-'));
        writeFileSync(join(away, 'there.tif'), writeTiff({ pages: [page] }));
        symlinkSync(join(away, 'there.tif'), join(scratch, 'link.tif'));
        return 'link.tif';
      },
      /outside the folder/,
    ],
  ])('OME-XML that names %s: the own pages are shown, and a warning', async (_, name, message) => {
    const path = save({ pages: [{ ...page, description: omeText(`${size} SizeZ="2"`, elsewhere(name())) }] });
    const catalog = await look(path);
    expect(imagesOf(catalog).map(({ image }) => image.shape)).toEqual([[1, 1, 1, 2, 3]]);
    expect(catalog.warnings.map((warning) => warning.message).join()).toMatch(message);
  });

  it.each([
    [
      'planes that have no page',
      `${size} SizeZ="3"`,
      '<TiffData IFD="0" PlaneCount="2"/>',
      /no page for plane 2/,
    ],
    [
      'a page twice',
      `${size} SizeZ="2"`,
      '<TiffData PlaneCount="2"/><TiffData FirstZ="1" IFD="0"/>',
      /two pages/,
    ],
    ['another size', `${size.replace('"3"', '"4"')} SizeZ="2"`, '<TiffData/>', /4 by 2 pixels/],
    ['a page too many', `${size} SizeZ="3"`, '<TiffData PlaneCount="3"/>', /not there/],
  ])('OME-XML that says of %s is not believed', async (_, pixels, data, message) => {
    const catalog = await look(save({ pages: [{ ...page, description: omeText(pixels, data) }, page] }));
    expect(imagesOf(catalog).map(({ image }) => image.shape)).toEqual([[1, 1, 2, 2, 3]]);
    expect(catalog.warnings[0]?.message).toMatch(message);
  });

  it('pages nobody can decode are a warning beside those that can be read', async () => {
    const path = save({
      pages: [page, { ...page, width: 6, height: 1, extra: [{ tag: 339, type: 3, values: [1] }] }],
    });
    const bytes = readFileSync(path);
    // The second page's compression becomes one of 1988 that nobody reads here.
    let at = bytes.readUInt32LE(4);
    at = bytes.readUInt32LE(at + 2 + bytes.readUInt16LE(at) * 12);
    for (let entry = at + 2; entry < at + 2 + bytes.readUInt16LE(at) * 12; entry += 12)
      if (bytes.readUInt16LE(entry) === 259) bytes.writeUInt16LE(34925, entry + 8);
    writeFileSync(path, bytes);
    const catalog = await look(path);
    expect(imagesOf(catalog)).toHaveLength(1);
    expect(catalog.warnings[0]?.message).toMatch(/tag 259 has value 34925 \(lzma\)/);
  });
});

describe('a region of a TIFF', () => {
  it.each([
    ['tiles', { tile: [16, 16] as const }, { start: [0, 0, 0, 16, 32], shape: [1, 1, 1, 16, 16] }, 5],
    ['strips', { rowsPerStrip: 8 }, { start: [0, 0, 0, 8, 3], shape: [1, 1, 1, 8, 20] }, 1],
    [
      'planes',
      { rowsPerStrip: 8, samples: 3, planar: true },
      { start: [0, 1, 0, 8, 0], shape: [1, 1, 1, 8, 48] },
      7,
    ],
  ])('of %s is decoded from what it touches and nothing else', async (_, layout, region, segment) => {
    const page = { width: 48, height: 48, bits: 8, compression: 8, ...layout };
    const pixels = noise(planeBytes(page));
    const path = save({ pages: [{ ...page, pixels }] });
    const read = async (): Promise<Uint8Array> => {
      using source = tiff.openSync!(path, await look(path));
      const bytes = new Uint8Array(region.shape.reduce((a, b) => a * b));
      source.readRegion('', region, bytes);
      return bytes;
    };
    const expected = await read();
    // Every other strip or tile is overwritten: reading one of them would fail.
    const bytes = readFileSync(path);
    const entries = new Map<number, { count: number; at: number }>();
    const directory = bytes.readUInt32LE(4);
    for (let entry = directory + 2; entry < directory + 2 + 12 * bytes.readUInt16LE(directory); entry += 12)
      entries.set(bytes.readUInt16LE(entry), {
        count: bytes.readUInt32LE(entry + 4),
        at: bytes.readUInt32LE(entry + 8),
      });
    const offsets = entries.get('tile' in layout ? 324 : 273)!;
    const sizes = entries.get('tile' in layout ? 325 : 279)!;
    for (let i = 0; i < offsets.count; i++) {
      if (i === segment) continue;
      const start = bytes.readUInt32LE(offsets.at + 4 * i);
      bytes.fill(0xff, start, start + bytes.readUInt32LE(sizes.at + 4 * i));
    }
    writeFileSync(path, bytes);
    expect(Buffer.compare(await read(), expected)).toBe(0);
  });
});

describe.skipIf(!existsSync(DATA))('real TIFFs as sources (needs ../shared/data)', () => {
  interface Truth {
    readonly files: readonly {
      readonly file: string;
      readonly pages: readonly { readonly page: number; readonly sha256_pixels: string }[];
    }[];
  }
  const truthOf = (set: string): Truth =>
    JSON.parse(readFileSync(join(DATA, `${set}.truth.json`), 'utf8')) as Truth;
  const sha = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

  it('an OME-TIFF set is one image, whichever file is opened', async () => {
    const files = truthOf('ome-tiff').files.filter(({ file }) => /^multifile.*tiff$/.test(file));
    for (const { file } of files) {
      const path = join(DATA, 'ome-tiff', file);
      const catalog = await look(path);
      expect(catalog.warnings).toEqual([]);
      const [item] = imagesOf(catalog);
      expect(item?.image.shape).toEqual([1, 1, 5, 24, 18]);
      using source = tiff.openSync!(path, catalog);
      for (const [z, { pages }] of files.entries()) {
        const plane = new Uint8Array(24 * 18);
        source.readRegion('', { start: [0, 0, z, 0, 0], shape: [1, 1, 1, 24, 18] }, plane);
        expect(sha(plane), basename(path)).toBe(pages[0]!.sha256_pixels);
      }
    }
  });

  it('three channels of an OME-TIFF come as they are', async () => {
    const path = join(DATA, 'ome-tiff/multi-channel.ome.tif');
    const catalog = await look(path);
    const [item] = imagesOf(catalog);
    expect(item?.image).toMatchObject({ shape: [1, 3, 1, 167, 439], dtype: 'int8' });
    using source = tiff.openSync!(path, catalog);
    const truth = truthOf('ome-tiff').files.find(({ file }) => file === 'multi-channel.ome.tif')!;
    const whole = new Uint8Array(3 * 167 * 439);
    source.readRegion('', wholeRegion(item!.image.shape), whole);
    for (const [c, { sha256_pixels }] of truth.pages.entries())
      expect(sha(whole.subarray(c * 167 * 439, (c + 1) * 167 * 439))).toBe(sha256_pixels);
  });
});
