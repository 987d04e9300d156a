import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { BadMetadataError, PlateFsError } from '../../../src/core/errors.ts';
import openhcs from '../../../src/formats/openhcs.ts';
import { parseHarmonyName } from '../../../src/formats/shared/harmony-name.ts';
import { JsonReader } from '../../../src/formats/shared/json-reader.ts';
import { type OpenHcsParser, parseOpenHcsName } from '../../../src/formats/shared/openhcs-name.ts';
import { planesOf } from '../../conformance/formats.ts';

const folder = mkdtempSync(join(tmpdir(), 'platefs-openhcs-fuzz-'));
afterAll(() => rmSync(folder, { recursive: true }));

function whole(reader: JsonReader): unknown {
  const kind = reader.kind();
  if (kind === 'text') return reader.text();
  if (kind === 'word') {
    reader.skip();
    return null;
  }
  if (kind === 'array') {
    const items: unknown[] = [];
    for (const _ of reader.items()) items.push(whole(reader));
    return items;
  }
  const entries: [string, unknown][] = [];
  for (const key of reader.keys()) entries.push([key, whole(reader)]);
  return Object.fromEntries(entries);
}

function readingOf(bytes: Uint8Array): unknown {
  const path = join(folder, 'x.json');
  writeFileSync(path, bytes);
  const fd = openSync(path, 'r');
  try {
    return whole(new JsonReader(fd, path));
  } finally {
    closeSync(fd);
  }
}

/** What the reader makes of a value: words are passed over. */
const expected = (value: unknown): unknown => {
  if (typeof value === 'string') return value;
  if (Array.isArray(value)) return value.map(expected);
  if (typeof value !== 'object' || value === null) return null;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, expected(item)]));
};

const flip = fc.record({ at: fc.nat(100_000), byte: fc.nat(255) });
const damaged = (text: string, flips: readonly { at: number; byte: number }[], cut: number): Buffer => {
  const bytes = Buffer.from(text);
  for (const { at, byte } of flips) if (bytes.length > 0) bytes[at % bytes.length] = byte;
  return bytes.subarray(0, bytes.length - (cut % 5 === 0 ? cut % (bytes.length + 1) : 0));
};

describe('any JSON', () => {
  it('is read as JSON.parse reads it', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
        expect(readingOf(Buffer.from(JSON.stringify(value)))).toEqual(expected(value));
      }),
      { numRuns: 300 },
    );
  });

  it('is read or refused when it is damaged', () => {
    fc.assert(
      fc.property(
        fc.json({ maxDepth: 4 }),
        fc.array(flip, { minLength: 1, maxLength: 4 }),
        fc.nat(1000),
        (text, flips, cut) => {
          try {
            readingOf(damaged(text, flips, cut));
          } catch (error) {
            expect(error).toBeInstanceOf(BadMetadataError);
          }
        },
      ),
      { numRuns: 400 },
    );
  });
});

describe('any name', () => {
  const piece = fc.constantFrom(
    'A01',
    'AF48',
    '_s',
    '_w',
    '_z',
    '_t',
    '001',
    '{iii}',
    'r',
    'c',
    'f',
    'p',
    '-ch',
    'sk',
    '.tif',
    '9'.repeat(40),
    '_',
    ' ',
  );
  const name = fc.oneof(
    fc.string(),
    fc.array(piece, { maxLength: 14 }).map((pieces) => pieces.join('')),
  );
  const isPlace = (value: number, least: number): boolean =>
    Number.isSafeInteger(value) && value >= least && value <= 999_999_999;

  it('is a plane on a plate of 1536 wells, or none', () => {
    const parser = fc.constantFrom<OpenHcsParser>('imagexpress', 'harmony', 'either');
    fc.assert(
      fc.property(name, parser, (text, by) => {
        const parsed = parseOpenHcsName(text, by);
        if (!parsed) return;
        expect(parsed.well.row >= 0 && parsed.well.row < 32).toBe(true);
        expect(parsed.well.column >= 0 && parsed.well.column < 48).toBe(true);
        for (const value of [parsed.site, parsed.channel, parsed.t]) expect(isPlace(value, 1)).toBe(true);
        expect(isPlace(parsed.z, 0)).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  it('is read by the Harmony grammar as numbers that can be written back, or not at all', () => {
    fc.assert(
      fc.property(name, (text) => {
        const parsed = parseHarmonyName(text);
        for (const value of Object.values(parsed ?? {}))
          if (typeof value === 'number') expect(isPlace(value, 0)).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('any metadata of OpenHCS', () => {
  it('gives an index or a typed error, and only ever names files of the plate', async () => {
    const root = join(folder, 'plate');
    mkdirSync(join(root, 'TimePoint_1'), { recursive: true });
    for (const image of ['TimePoint_1/a.tif', 'A01_s001_w1_z001_t001.tif'])
      writeFileSync(join(root, image), '');
    const path = fc.constantFrom(
      'TimePoint_1/a.tif',
      '../../etc/passwd',
      '/etc/passwd',
      'A01_s001_w1_z001_t001.tif',
      'B02_s1_w1.tif',
      '',
      '.',
      'a\0b',
    );
    const target = fc.oneof(
      path,
      fc.record({ backend: path, backend_address: path, source_axis_indices: fc.array(fc.integer()) }),
      fc.jsonValue({ maxDepth: 2 }),
    );
    const subdirectory = fc.record(
      {
        source_filename_parser_name: fc.oneof(fc.constant('ImageXpressFilenameParser'), fc.jsonValue()),
        grid_dimensions: fc.jsonValue(),
        pixel_size: fc.jsonValue(),
        available_backends: fc.oneof(fc.constant({ disk: true, zarr: true }), fc.jsonValue()),
        workspace_mapping: fc.oneof(fc.dictionary(path, target, { maxKeys: 4 }), fc.jsonValue()),
        image_files: fc.oneof(fc.array(path), fc.jsonValue()),
        channels: fc.jsonValue(),
        main: fc.oneof(fc.constant(true), fc.jsonValue()),
      },
      { requiredKeys: [] },
    );
    const document = fc.oneof(
      fc.record({ subdirectories: fc.dictionary(fc.constantFrom('.', 'images', '..', '/'), subdirectory) }),
      subdirectory,
      fc.jsonValue({ maxDepth: 3 }),
    );
    const signal = new AbortController().signal;
    await fc.assert(
      fc.asyncProperty(
        document,
        fc.array(flip, { maxLength: 2 }),
        fc.nat(1000),
        async (value, flips, cut) => {
          writeFileSync(join(root, 'openhcs_metadata.json'), damaged(JSON.stringify(value), flips, cut));
          try {
            await openhcs.detect(root, signal);
            const index = await openhcs.index(root, {}, signal);
            for (const file of planesOf(index).values())
              expect(['TimePoint_1/a.tif', 'A01_s001_w1_z001_t001.tif']).toContain(file);
          } catch (error) {
            expect(error, JSON.stringify(value)).toBeInstanceOf(PlateFsError);
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});
