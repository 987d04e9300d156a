import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PlateFsError } from '../../../src/core/errors.ts';
import omeTiff from '../../../src/formats/ome-tiff.ts';
import type { PlateIndex } from '../../../src/model/plate-index.ts';
import { planeByName } from '../../../src/model/plate-lookup.ts';
import { inMicrometres, inSeconds } from '../../../src/ome/ome-units.ts';
import { excludedOf, type FormatExample, formatConformance, planesOf } from '../../conformance/formats.ts';
import { flatPage, imageXml, omeXml, plateXml, writeOmeTiff } from '../../fixtures/ome-tiff.ts';
import { writeTiff } from '../../fixtures/tiff.ts';

const DATA = resolve(import.meta.dirname, '../../../../shared/data/ome-tiff');
const signal = new AbortController().signal;

let scratch = '';
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'platefs-ome-'));
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

let made = 0;
function folder(): string {
  made += 1;
  const path = join(scratch, `plate${made}`);
  mkdirSync(path);
  return path;
}

async function indexOf(root: string): Promise<PlateIndex> {
  return await omeTiff.index(root, {}, signal);
}

const kinds = ({ warnings }: PlateIndex): string[] => warnings.map(({ kind }) => kind);
const told = ({ warnings }: PlateIndex, kind: string): string =>
  warnings
    .filter((warning) => warning.kind === kind)
    .map(({ message }) => message)
    .join('\n');

const tiffData = (ifd: number, place: string, file?: string, uuid = 'urn:uuid:1'): string =>
  `<TiffData IFD="${ifd}" ${place} PlaneCount="1">${file === undefined ? '' : `<UUID FileName="${file}">${uuid}</UUID>`}</TiffData>`;

/** Two wells, two fields, two channels, in one file. */
function platePage(): FormatExample {
  const root = folder();
  const images = [0, 1, 2].map((i) =>
    imageXml({
      id: `Image:${i}`,
      c: 2,
      inner: tiffData(2 * i, 'FirstC="0"') + tiffData(2 * i + 1, 'FirstC="1"'),
    }),
  );
  const plate = plateXml([
    [1, 2, 'Image:1', 'Image:0'],
    [7, 11, 'Image:2'],
  ]);
  writeOmeTiff(join(root, 'plate.ome.tif'), omeXml(plate + images.join('')), [1, 2, 3, 4, 5, 6]);
  writeFileSync(join(root, 'notes.txt'), 'x');
  return {
    title: 'a plate in one file',
    folder: root,
    root,
    planes: new Map([
      ['B03_s001_w1_z001_t001.tif', 'plate.ome.tif#2'],
      ['B03_s001_w2_z001_t001.tif', 'plate.ome.tif#3'],
      ['B03_s002_w1_z001_t001.tif', 'plate.ome.tif#0'],
      ['B03_s002_w2_z001_t001.tif', 'plate.ome.tif#1'],
      ['H12_s001_w1_z001_t001.tif', 'plate.ome.tif#4'],
      ['H12_s001_w2_z001_t001.tif', 'plate.ome.tif#5'],
    ]),
    excluded: new Map([['notes.txt', 'other']]),
  };
}

/** A set whose files each have the whole text, in a folder below. */
function fileSet(): FormatExample {
  const above = folder();
  const root = join(above, 'set');
  const inner = [1, 2]
    .map((z) => tiffData(0, `FirstZ="${z - 1}"`, `z${z}.ome.tiff`, `urn:uuid:${z}`))
    .join('');
  for (const z of [1, 2])
    writeOmeTiff(join(root, `z${z}.ome.tiff`), omeXml(imageXml({ z: 2, inner }), `UUID="urn:uuid:${z}"`), [
      z,
    ]);
  return {
    title: 'a set of files',
    folder: above,
    root,
    planes: new Map([
      ['A01_s001_w1_z001_t001.tiff', 'z1.ome.tiff'],
      ['A01_s001_w1_z002_t001.tiff', 'z2.ome.tiff'],
    ]),
    excluded: new Map(),
  };
}

/** Two files without a plate: fields in natural order, planes by DimensionOrder. */
function looseImages(): FormatExample {
  const root = folder();
  writeOmeTiff(join(root, 'f10.ome.tif'), omeXml(imageXml({ c: 2, t: 2, order: 'XYCTZ' })), [1, 2, 3, 4]);
  writeOmeTiff(join(root, 'f9.ome.tif'), omeXml(imageXml({ c: 2, t: 2, order: 'XYTCZ' })), [1, 2, 3, 4]);
  return {
    title: 'images without a plate',
    folder: root,
    root,
    planes: new Map([
      ['A01_s001_w1_z001_t001.tif', 'f9.ome.tif#0'],
      ['A01_s001_w1_z001_t002.tif', 'f9.ome.tif#1'],
      ['A01_s001_w2_z001_t001.tif', 'f9.ome.tif#2'],
      ['A01_s001_w2_z001_t002.tif', 'f9.ome.tif#3'],
      ['A01_s002_w1_z001_t001.tif', 'f10.ome.tif#0'],
      ['A01_s002_w2_z001_t001.tif', 'f10.ome.tif#1'],
      ['A01_s002_w1_z001_t002.tif', 'f10.ome.tif#2'],
      ['A01_s002_w2_z001_t002.tif', 'f10.ome.tif#3'],
    ]),
    excluded: new Map(),
  };
}

function sharedData(): FormatExample[] {
  if (!existsSync(DATA)) return [];
  const planes = new Map<string, string>();
  for (const w of [1, 2, 3]) planes.set(`A01_s001_w${w}_z001_t001.tif`, `multi-channel.ome.tif#${w - 1}`);
  for (const z of [1, 2, 3, 4, 5]) planes.set(`A01_s002_w1_z00${z}_t001.tiff`, `multifile-Z${z}.ome.tiff`);
  return [
    {
      title: 'files with a companion, and one without',
      folder: DATA,
      root: DATA,
      planes,
      excluded: new Map([['multifile.companion.ome', 'metadata']]),
    },
  ];
}

formatConformance(omeTiff, {
  examples: async () => [platePage(), fileSet(), looseImages(), ...sharedData()],
});

describe('what OME-XML tells', () => {
  it('has sizes, steps, names and wavelengths in their units, and positions of planes', async () => {
    const root = folder();
    const plane =
      '<Plane TheC="1" TheZ="1" TheT="0" DeltaT="250" DeltaTUnit="ms" PositionX="1.5" PositionXUnit="mm" PositionY="2" PositionYUnit="reference frame" PositionZ="-300" PositionZUnit="nm"/>';
    const channels =
      '<Channel ID="C:0" Name="DAPI" EmissionWavelength="461"/><Channel ID="C:1" Name="µ &amp; Cy5" EmissionWavelength="0.67" EmissionWavelengthUnit="µm" ExcitationWavelength="640"/>';
    const attributes =
      'PhysicalSizeX="325" PhysicalSizeXUnit="nm" PhysicalSizeY="0.000325" PhysicalSizeYUnit="mm" PhysicalSizeZ="2" TimeIncrement="1.5" TimeIncrementUnit="min"';
    const image = imageXml({ c: 2, z: 2, t: 2, attributes, inner: `${channels}<TiffData/>${plane}` });
    writeOmeTiff(
      join(root, 'a.ome.tif'),
      omeXml(plateXml([[0, 0, 'Image:0']]) + image),
      [1, 2, 3, 4, 5, 6, 7, 8],
    );
    const index = await indexOf(root);
    expect(index.facts).toMatchObject({
      name: 'Screen 7',
      plateRows: 8,
      plateColumns: 12,
      pixelSizeUm: { x: 0.325, y: 0.325 },
      zSpacingUm: 2,
      timeIntervalS: 90,
      channels: [
        { number: 1, name: 'DAPI', emissionNm: 461 },
        { number: 2, name: 'µ & Cy5', emissionNm: 670, excitationNm: 640 },
      ],
    });
    expect(index.warnings).toEqual([]);
    const at = planeByName(index, 'A01_s001_w2_z002_t001.tif') ?? -1;
    expect(index.planes.xsUm[at]).toBe(1500);
    expect(index.planes.ysUm[at]).toBeNaN();
    expect(index.planes.zsUm[at]).toBe(-0.3);
    expect(index.planes.elapsedS[at]).toBe(0.25);
    expect(index.planes.xsUm[0]).toBeNaN();
  });

  it('leaves out what images disagree about, and says so', async () => {
    const root = folder();
    for (const [i, size] of ['0.5', '0.6'].entries())
      writeOmeTiff(
        join(root, `${i}.ome.tif`),
        omeXml(
          imageXml({
            attributes: `PhysicalSizeX="${size}" PhysicalSizeY="${size}"`,
            inner: `<Channel ID="C" Name="n${i}"/><TiffData/>`,
          }),
        ),
        [1],
      );
    const index = await indexOf(root);
    expect(index.facts.pixelSizeUm).toBeUndefined();
    expect(index.facts.channels).toEqual([{ number: 1 }]);
    expect(told(index, 'contradiction')).toMatch(/pixel size, the name of channel 1/);
  });

  it('knows the units of length and time', () => {
    expect(inMicrometres(3, 'Å')).toBe(0.0003);
    expect(inMicrometres(1, 'in')).toBe(25_400);
    expect(inMicrometres(1, 'pixel')).toBeUndefined();
    expect(inSeconds(2, 'h')).toBe(7200);
    expect(inSeconds(2, 'fortnight')).toBeUndefined();
  });

  it('says in the facts that there was no plate', async () => {
    const { root } = looseImages();
    expect((await indexOf(root)).facts.formatDetail).toMatch(/without a plate.*fields of well A01/);
  });

  it('joins documents that each hold some wells of one plate, and leaves another plate out', async () => {
    const root = folder();
    for (const column of [0, 1])
      writeOmeTiff(
        join(root, `${column}.ome.tif`),
        omeXml(plateXml([[0, column, 'Image:0']]) + imageXml({})),
        [column],
      );
    writeOmeTiff(
      join(root, '9.ome.tif'),
      omeXml(plateXml([[0, 5, 'Image:0']], 'ID="Plate:1" Name="other"') + imageXml({})),
      [9],
    );
    const index = await indexOf(root);
    expect([...planesOf(index).keys()]).toEqual(['A01_s001_w1_z001_t001.tif', 'A02_s001_w1_z001_t001.tif']);
    expect(kinds(index)).toEqual(expect.arrayContaining(['several-plates', 'unplaced-image']));
  });
});

describe('files of OME-TIFF', () => {
  it('takes level 0 of a BigTIFF pyramid whose smaller levels lie in SubIFDs', async () => {
    const root = folder();
    const pages = [1, 2].map((value, i) =>
      flatPage(value, {
        ...(i === 0 ? { description: omeXml(imageXml({ c: 2 })) } : {}),
        extra: [{ tag: 330, type: 16, values: [16] }],
      }),
    );
    writeFileSync(join(root, 'p.ome.tf8'), writeTiff({ big: true, pages }));
    const index = await indexOf(root);
    expect([...planesOf(index).values()]).toEqual(['p.ome.tf8#0', 'p.ome.tf8#1']);
    expect(index.shapes).toEqual([{ width: 6, height: 4, dtype: 'uint16' }]);
  });

  it('passes over smaller copies in the chain where no TiffData says what is what', async () => {
    const root = folder();
    const reduced = { extra: [{ tag: 254, type: 4, values: [1] }] };
    const pages = [
      flatPage(1, { description: omeXml(imageXml({ c: 2, inner: '' })) }),
      flatPage(9, reduced),
      flatPage(2),
      flatPage(9, reduced),
    ];
    writeFileSync(join(root, 'p.ome.tif'), writeTiff({ pages }));
    expect([...planesOf(await indexOf(root)).values()]).toEqual(['p.ome.tif#0', 'p.ome.tif#2']);
  });

  it('shows no plane of an image in colour, and says so', async () => {
    const root = folder();
    const rgb = { samples: 3, pixels: new Uint8Array(6 * 4 * 2 * 3) };
    writeOmeTiff(join(root, 'rgb.ome.tif'), omeXml(imageXml({ c: 3 })), [0], rgb);
    writeOmeTiff(join(root, 'grey.ome.tif'), omeXml(imageXml({})), [1]);
    const index = await indexOf(root);
    expect([...planesOf(index).values()]).toEqual(['grey.ome.tif']);
    expect(told(index, 'colour-image')).toMatch(/rgb\.ome\.tif/);
    expect([...excludedOf(index)]).toEqual([['rgb.ome.tif', 'other']]);
  });

  it('tells of files that are named and not there, and shows the others', async () => {
    const root = folder();
    const inner = ['a', 'gone'].map((name, z) => tiffData(0, `FirstZ="${z}"`, `${name}.ome.tif`)).join('');
    writeOmeTiff(join(root, 'a.ome.tif'), omeXml(imageXml({ z: 2, inner })), [1]);
    const index = await indexOf(root);
    expect([...planesOf(index)]).toEqual([['A01_s001_w1_z001_t001.tif', 'a.ome.tif']]);
    expect(told(index, 'absent-image')).toMatch(/A01_s001_w1_z002_t001: gone\.ome\.tif/);
  });

  it('finds a renamed file by its UUID', async () => {
    const root = folder();
    const inner = tiffData(0, 'FirstZ="0"', 'was.ome.tif', 'urn:uuid:7');
    writeFileSync(join(root, 'set.companion.ome'), omeXml(imageXml({ inner })));
    const binary = omeXml(
      '<BinaryOnly MetadataFile="set.companion.ome" UUID="urn:uuid:0"/>',
      'UUID="urn:uuid:7"',
    );
    writeOmeTiff(join(root, 'is.ome.tif'), binary, [1]);
    const index = await indexOf(root);
    expect([...planesOf(index).values()]).toEqual(['is.ome.tif']);
    expect(index.warnings).toEqual([]);
  });

  it('tells of a TIFF whose companion is missing', async () => {
    const root = folder();
    writeOmeTiff(
      join(root, 'a.ome.tif'),
      omeXml('<BinaryOnly MetadataFile="x.companion.ome" UUID="u"/>'),
      [1],
    );
    writeOmeTiff(join(root, 'b.ome.tif'), omeXml(imageXml({})), [1]);
    const index = await indexOf(root);
    expect(told(index, 'absent-metadata')).toMatch(/a\.ome\.tif, whose metadata is in x\.companion\.ome/);
    expect(index.planes.count).toBe(1);
  });

  it('never gives one page to two planes', async () => {
    const root = folder();
    const inner = tiffData(0, 'FirstC="0"') + tiffData(0, 'FirstC="1"');
    writeOmeTiff(join(root, 'a.ome.tif'), omeXml(imageXml({ c: 2, inner })), [1, 2]);
    const index = await indexOf(root);
    expect([...planesOf(index).values()]).toEqual(['a.ome.tif#0']);
    expect(told(index, 'contradiction')).toMatch(/page 0 of a\.ome\.tif/);
  });
});

describe('hostile OME-TIFF', () => {
  it.each(['../../etc/passwd', '/etc/passwd', 'C:\\x.tif', 'a/../../b.tif'])(
    'never follows %s out of the plate',
    async (name) => {
      const root = folder();
      writeOmeTiff(join(root, 'a.ome.tif'), omeXml(imageXml({ inner: tiffData(0, '', name) })), [1]);
      const index = await indexOf(root);
      expect(kinds(index)).toContain('unsafe-path');
      expect(index.planes.count).toBe(0);
    },
  );

  it('is bounded by the file where sizes and counts are beyond all reason', async () => {
    const root = folder();
    const inner =
      '<TiffData IFD="0" PlaneCount="999999999"/><TiffData IFD="2147483648" FirstT="5"/><TiffData IFD="1" FirstT="999999999"/>';
    writeOmeTiff(join(root, 'a.ome.tif'), omeXml(imageXml({ t: 999_999_999, inner })), [1, 2, 3]);
    writeOmeTiff(join(root, 'b.ome.tif'), omeXml(imageXml({ t: 2 ** 31 })), [1]);
    const index = await indexOf(root);
    expect([...planesOf(index).values()]).toEqual(['a.ome.tif#0', 'a.ome.tif#1', 'a.ome.tif#2']);
    expect(told(index, 'bad-metadata')).toMatch(/lead outside/);
    expect(told(index, 'bad-metadata')).toMatch(/lacks a usable SizeT/);
  });

  it('ends where the directories run in a circle, with the pages before it', async () => {
    const root = folder();
    const bytes = writeTiff({
      pages: [flatPage(1, { description: omeXml(imageXml({ t: 2 })) }), flatPage(2)],
    });
    // The link of the last directory, the file's last four bytes, goes back to the first.
    bytes.writeUInt32LE(bytes.readUInt32LE(4), bytes.length - 4);
    writeFileSync(join(root, 'a.ome.tif'), bytes);
    const index = await indexOf(root);
    expect(told(index, 'bad-image')).toMatch(/circle/);
    expect(index.planes.count).toBe(2);
  });

  it('reads 60 MB of OME-XML piece by piece', async () => {
    const root = folder();
    const junk = `<StructuredAnnotations>${'<XMLAnnotation ID="a"><Value>xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx</Value></XMLAnnotation>'.repeat(700_000)}</StructuredAnnotations>`;
    writeFileSync(
      join(root, 'a.companion.ome'),
      omeXml(junk + imageXml({ inner: tiffData(0, '', 'a.tif') })),
    );
    writeFileSync(join(root, 'a.tif'), writeTiff({ pages: [flatPage(1)] }));
    const index = await indexOf(root);
    expect([...planesOf(index).values()]).toEqual(['a.tif']);
  });

  it('reads 40 MB of OME-XML out of a TIFF piece by piece', async () => {
    const root = folder();
    const path = join(root, 'a.ome.tif');
    writeOmeTiff(path, 'a description to be moved', [1]);
    const bytes = readFileSync(path);
    const first = bytes.readUInt32LE(4);
    const entries = Array.from({ length: bytes.readUInt16LE(first) }, (_, i) => first + 2 + 12 * i);
    const entry = entries.find((at) => bytes.readUInt16LE(at) === 270) ?? 0;
    const junk = `<StructuredAnnotations>${'<XMLAnnotation ID="a"/>'.repeat(1_700_000)}</StructuredAnnotations>`;
    const text = Buffer.from(`${omeXml(junk + imageXml({}))}\0`);
    bytes.writeUInt32LE(text.length, entry + 4);
    bytes.writeUInt32LE(bytes.length, entry + 8);
    writeFileSync(path, Buffer.concat([bytes, text]));
    const index = await indexOf(root);
    expect([...planesOf(index).values()]).toEqual(['a.ome.tif']);
  });

  it('warns of OME-XML that is damaged, and goes on', async () => {
    const root = folder();
    writeOmeTiff(join(root, 'a.ome.tif'), `${omeXml(imageXml({})).slice(0, 300)}<`, [1]);
    writeOmeTiff(join(root, 'b.ome.tif'), omeXml(imageXml({})), [1]);
    writeFileSync(join(root, 'c.companion.ome'), '<OME><Image');
    writeFileSync(join(root, 'd.ome.tif'), 'II*\0');
    const index = await indexOf(root);
    expect([...planesOf(index).values()]).toEqual(['b.ome.tif']);
    expect(told(index, 'bad-metadata')).toMatch(/a\.ome\.tif: bad OME-XML at byte \d+/);
    expect(told(index, 'bad-metadata')).toMatch(/c\.companion\.ome: bad XML at line 1/);
    expect(told(index, 'bad-image')).toMatch(/d\.ome\.tif/);
  });

  it('gives an index or a typed error for any damage', async () => {
    const root = folder();
    const { root: source } = platePage();
    const good = readFileSync(join(source, 'plate.ome.tif'));
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(good.length - 1), fc.integer({ min: 0, max: 255 })), {
          minLength: 1,
          maxLength: 12,
        }),
        fc.nat(good.length),
        async (changes, cut) => {
          const bytes = Buffer.from(good);
          for (const [at, value] of changes) bytes[at] = value;
          writeFileSync(join(root, 'x.ome.tif'), cut % 3 === 0 ? bytes.subarray(0, cut) : bytes);
          try {
            await omeTiff.detect(root, signal);
            const index = await indexOf(root);
            expect(index.planes.count).toBeLessThanOrEqual(6);
          } catch (error) {
            expect(error).toBeInstanceOf(PlateFsError);
          }
        },
      ),
      { numRuns: 150 },
    );
  });
});

describe('detection of OME-TIFF', () => {
  it('leaves folders of other instruments to them', async () => {
    for (const name of [
      'x_MMStack_Pos0.ome.tif',
      'image--L0000--S00--U00--V00--J08--E00--O00--X00--Y00--T0000--Z00--C00.ome.tif',
    ]) {
      const root = folder();
      writeOmeTiff(join(root, name), omeXml(imageXml({})), [1]);
      expect((await omeTiff.detect(root, signal)).confidence).toBe('no');
    }
    const beside = folder();
    writeOmeTiff(join(beside, 'a.ome.tif'), omeXml(imageXml({})), [1]);
    writeFileSync(join(beside, 'plate.HTD'), '');
    expect((await omeTiff.detect(beside, signal)).confidence).toBe('maybe');
  });

  it('leaves images to their names where these say wells and the text does not', async () => {
    const root = folder();
    const path = join(root, 'P_B03_s1_w2.tif');
    writeOmeTiff(path, omeXml(imageXml({})), [1]);
    expect((await omeTiff.detect(root, signal)).confidence).toBe('no');
    writeOmeTiff(path, omeXml(plateXml([[0, 0, 'Image:0']]) + imageXml({})), [1]);
    expect((await omeTiff.detect(root, signal)).confidence).toBe('certain');
  });

  it('asks the text, not the name', async () => {
    const root = folder();
    writeFileSync(join(root, 'a.ome.tif'), writeTiff({ pages: [flatPage(1)] }));
    expect((await omeTiff.detect(root, signal)).confidence).toBe('no');
    writeOmeTiff(join(root, 'a.ome.tif'), omeXml(imageXml({})), [1]);
    expect((await omeTiff.detect(root, signal)).confidence).toBe('certain');
  });
});
