import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { htdText, metaMorphXml } from '../../../scripts/plate-maker/metadata-text.ts';
import { tiffFile } from '../../../scripts/plate-maker/tiff-file.ts';
import { BadMetadataError, BadTiffError, UnreadableSourceError } from '../../../src/core/errors.ts';
import { decodeInstrumentText, htdDisagreements, parseHtd } from '../../../src/formats/shared/htd.ts';
import { parseMetaMorph } from '../../../src/formats/shared/metamorph-xml.ts';
import { glanceAtTiff } from '../../../src/formats/shared/tiff-description.ts';

const PLATE = {
  plateName: 'P',
  wells: ['A01'],
  sites: 6,
  channels: ['DAPI', 'Texas Red'],
  zSteps: 3,
  timePoints: 4,
  projections: true,
};
const FACTS = {
  grid: { rows: 2, columns: 3 },
  plateRows: 8,
  plateColumns: 12,
  timePoints: 4,
  zSteps: 3,
  zProjection: true,
  description: 'DAPI, Texas Red; 20x, 2 µm steps',
  waveNames: new Map([
    [1, 'DAPI'],
    [2, 'Texas Red'],
  ]),
};

describe('HTD files', () => {
  const text = htdText(PLATE).toString('latin1');
  const utf16be = Buffer.from(`\uFEFF${text}`, 'utf16le').swap16();

  it.each([
    ['Latin-1', Buffer.from(text, 'latin1')],
    ['UTF-8', Buffer.from(text, 'utf8')],
    ['UTF-8 with mark', Buffer.from(`\uFEFF${text}`, 'utf8')],
    ['UTF-16 LE with mark', Buffer.from(`\uFEFF${text}`, 'utf16le')],
    ['UTF-16 LE without', Buffer.from(text, 'utf16le')],
    ['UTF-16 BE with mark', utf16be],
    ['UTF-16 BE without', utf16be.subarray(2)],
    ['LF', Buffer.from(text.replaceAll('\r\n', '\n'), 'latin1')],
  ])('are read in %s', (_, bytes) => expect(parseHtd('x.HTD', bytes)).toEqual(FACTS));

  it('are read in the old form', () => {
    const old = 'SiteColumns=3\r\nSiteRows=2\r\nWaveName1=DAPI\r\n';
    expect(parseHtd('x.HTD', Buffer.from(old))).toEqual({
      grid: FACTS.grid,
      waveNames: new Map([[1, 'DAPI']]),
    });
  });

  it('leave out what is no number instead of guessing', () => {
    const odd = '"HTSInfoFile", Version 1.0\n"XSites", many\n"YSites", 0\n"TimePoints", -3\n"ZSteps", 1e99\n';
    expect(parseHtd('x.HTD', Buffer.from(odd))).toEqual({ waveNames: new Map() });
  });

  it('that are none of ours throw, naming the file', () => {
    for (const bytes of [Buffer.alloc(0), Buffer.from('hello, world'), Buffer.alloc(5000, 0xfe)])
      expect(() => parseHtd('dir/x.HTD', bytes)).toThrow(BadMetadataError);
    expect(() => parseHtd('dir/x.HTD', Buffer.alloc(0))).toThrow('dir/x.HTD');
  });

  it('decode whatever they hold', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => void decodeInstrumentText(bytes)));
  });

  it('disagree only about what both say', () => {
    const waveNames = new Map([[2, 'Cy3']]);
    expect(htdDisagreements(FACTS, { waveNames })).toEqual(['WaveName2 Texas Red against Cy3']);
    expect(htdDisagreements(FACTS, FACTS)).toEqual([]);
  });
});

describe('MetaMorph descriptions', () => {
  const plane = {
    well: 'B03',
    site: 4,
    channel: 2,
    t: 3,
    width: 8,
    height: 8,
    dateTime: '20240709 13:13:03.006',
  };

  it('tell a plane of a stack', () => {
    expect(parseMetaMorph(metaMorphXml(PLATE, { ...plane, z: 2 }))).toEqual({
      pixelSizeUm: { x: 0.6842, y: 0.6842 },
      channelName: 'Texas Red',
      emissionNm: 520,
      zPositionUm: 9304,
      zStep: 2,
      timePoint: 3,
      acquiredMs: Date.UTC(2024, 6, 9, 13, 13, 3, 6),
      well: { row: 1, column: 2 },
      site: 4,
    });
  });

  it('tell a projection', () => {
    const facts = parseMetaMorph(metaMorphXml(PLATE, { ...plane, z: 0 }));
    expect(facts.projection).toBe('Maximum');
    expect(facts.zStep).toBeUndefined();
  });

  const calibrated = (unit: string, state = 'on') =>
    parseMetaMorph(
      `<prop id="spatial-calibration-state" type="bool" value="${state}"/><prop id="spatial-calibration-x" type="float" value="500"/><prop id="spatial-calibration-y" type="float" value="250"/><prop id="spatial-calibration-units" type="string" value="${unit}"/>`,
    );

  it('give the pixel size in µm, or none', () => {
    expect(calibrated('nm').pixelSizeUm).toEqual({ x: 0.5, y: 0.25 });
    expect(calibrated('&#181;m').pixelSizeUm).toEqual({ x: 500, y: 250 });
    expect(calibrated('pixel')).toEqual({});
    expect(calibrated('um', 'off')).toEqual({});
    expect(calibrated('furlong')).toEqual({ unknownUnit: 'furlong' });
  });

  it('of older files are text', () => {
    expect(parseMetaMorph('Exposure: 5 ms\r\nSpatial Calibration: 0.65 um\r\n').pixelSizeUm).toEqual({
      x: 0.65,
      y: 0.65,
    });
  });

  it('survive any text', () => {
    fc.assert(
      fc.property(
        fc.string(),
        (text) => void parseMetaMorph(`<prop id="${text}" type="x" value="${text}"/>`),
      ),
    );
  });
});

describe('a glance at a TIFF', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'platefs-glance-'));
  afterAll(() => rmSync(scratch, { recursive: true }));
  const save = (bytes: Uint8Array): string => {
    const path = join(scratch, 'x.tif');
    writeFileSync(path, bytes);
    return path;
  };
  const bytes = (directoryFirst: boolean): Buffer =>
    tiffFile({
      width: 256,
      height: 256,
      pixels: new Uint16Array(65_536),
      description: `<MetaData>${'x'.repeat(20_000)}µ</MetaData>`,
      dateTime: '20240709 13:13:03.006',
      compression: 'none',
      rowsPerStrip: 16,
      directoryFirst,
    });

  it.each([true, false])('reads the description, directory first: %s', async (directoryFirst) => {
    const file = bytes(directoryFirst);
    const { description, sizeBytes } = await glanceAtTiff(save(file));
    expect(description).toMatch(/^<MetaData>x{20000}µ<\/MetaData>$/);
    expect(sizeBytes).toBe(file.length);
  });

  it('refuses what is truncated, empty or no TIFF, and names it', async () => {
    const whole = bytes(false);
    for (const cut of [0, 1, 7, 8, 100, whole.length - 60_000])
      await expect(glanceAtTiff(save(whole.subarray(0, cut))), `${cut}`).rejects.toBeInstanceOf(BadTiffError);
    await expect(glanceAtTiff(save(Buffer.from('PNG and more bytes')))).rejects.toThrow('x.tif');
    await expect(glanceAtTiff(join(scratch, 'none.tif'))).rejects.toBeInstanceOf(UnreadableSourceError);
  });

  it('reads or refuses any damaged header, and never hangs', async () => {
    const whole = bytes(true).subarray(0, 4000);
    await fc.assert(
      fc.asyncProperty(fc.nat(220), fc.nat(255), async (at, value) => {
        const damaged = Buffer.from(whole);
        damaged[at] = value;
        try {
          await glanceAtTiff(save(damaged));
        } catch (error) {
          expect(error).toBeInstanceOf(BadTiffError);
        }
      }),
    );
  });
});
