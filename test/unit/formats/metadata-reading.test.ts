import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BadMetadataError, CancelledError, UnreadableSourceError } from '../../../src/core/errors.ts';
import { finiteNumber, fromZero, plainText, wholeNumber } from '../../../src/core/metadata-values.ts';
import { recordedPath } from '../../../src/core/recorded-path.ts';
import { parseBoundedJson } from '../../../src/formats/shared/bounded-json.ts';
import { CsvScanner, scanCsvFile } from '../../../src/formats/shared/csv-rows.ts';
import { readMetadata } from '../../../src/formats/shared/metadata-file.ts';
import { PlanePositions } from '../../../src/formats/shared/plane-positions.ts';
import { type FolderSight, searchPlate } from '../../../src/formats/shared/plate-search.ts';

const signal = new AbortController().signal;
let scratch = '';
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'platefs-metadata-'));
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

function rowsOf(...chunks: string[]): string[][] {
  const rows: string[][] = [];
  const scanner = new CsvScanner('x.csv', (fields) => rows.push([...fields]));
  for (const chunk of chunks) scanner.write(chunk);
  scanner.end();
  return rows;
}

describe('recorded paths', () => {
  it('lie below the plate, however folders are separated', () => {
    for (const [text, path] of [
      ['a.tif', 'a.tif'],
      ['Projection/W0029.tif', 'Projection/W0029.tif'],
      ['Image\\deep\\a.tif', 'Image/deep/a.tif'],
      ['./a//b.tif', 'a/b.tif'],
      ['..a/b...tif', '..a/b...tif'],
      ['C - 03(fld 01 wv UV - DAPI).tif', 'C - 03(fld 01 wv UV - DAPI).tif'],
    ] as const)
      expect(recordedPath(text)).toBe(path);
  });

  it('are refused where they could lead out of it', () => {
    for (const text of [
      '',
      '.',
      '..',
      '../a',
      'a/..',
      'a\\..\\b',
      '/a',
      '\\a',
      '\\\\s\\a',
      'c:a',
      'D:\\a',
      'a\0',
      'a\nb',
      'x'.repeat(5000),
    ])
      expect(recordedPath(text), JSON.stringify(text)).toBeUndefined();
  });

  it('never hold a part that leads upwards, whatever they are made of', () => {
    const piece = fc.constantFrom('..', '.', '/', '\\', 'a', 'C:', '\0', ' ', '...');
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
        const path = recordedPath(pieces.join(''));
        if (path === undefined) return;
        expect(path.startsWith('/')).toBe(false);
        expect(path.split(/[\\/]/)).not.toContain('..');
      }),
    );
  });
});

describe('CSV', () => {
  it('is split as RFC 4180 has it', () => {
    expect(rowsOf('a,b\r\n1,"x, ""y""\r\nz"\n\n,\r3')).toEqual([
      ['a', 'b'],
      ['1', 'x, "y"\r\nz'],
      ['', ''],
      ['3'],
    ]);
    expect(rowsOf('5" wide,"a"b\n')).toEqual([['5" wide', 'ab']]);
  });

  it('comes out the same however it is cut, and whatever is in it', () => {
    const field = fc.string({ unit: fc.constantFrom('a', '"', ',', '\n', '\r', 'µ', ' '), maxLength: 6 });
    const rows = fc.array(fc.array(field, { minLength: 2, maxLength: 4 }), { maxLength: 5 });
    fc.assert(
      fc.property(rows, fc.nat(200), fc.constantFrom('\n', '\r\n', '\r'), (table, cut, newline) => {
        const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;
        const text = table.map((row) => row.map(quoted).join(',')).join(newline);
        expect(rowsOf(text)).toEqual(table);
        expect(rowsOf(text.slice(0, cut), text.slice(cut))).toEqual(table);
      }),
    );
  });

  it('is read by the names of its columns, and names the line of a fault', async () => {
    const path = join(scratch, 'a.csv');
    await writeFile(path, `\ufeffB , A\n1,2\n3\n${'x'.repeat(70_000)}`);
    const seen: string[] = [];
    const reading = scanCsvFile(
      path,
      (row, line) => seen.push(`${line}: ${row('A')}/${row('B')}/${row('C')}`),
      signal,
    );
    await expect(reading).rejects.toThrow(/a\.csv: line 4: .*65536/);
    expect(seen).toEqual(['2: 2/1/', '3: /3/']);
  });
});

describe('JSON', () => {
  it('may hold brackets in strings, a byte-order mark, and not too many levels', () => {
    expect(parseBoundedJson('x', Buffer.from(`\ufeff{"a\\"[": "${'{'.repeat(500)}"}`))).toHaveProperty('a"[');
    const nested = (depth: number) => Buffer.from(`{"a":${'['.repeat(depth)}${']'.repeat(depth)}}`);
    expect(parseBoundedJson('x', nested(60))).toHaveProperty('a');
    expect(() => parseBoundedJson('x', nested(64))).toThrow(/nests objects more than 64 deep/);
  });

  it('that is none is a typed error, whatever it is', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          parseBoundedJson('x', bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(BadMetadataError);
        }
      }),
    );
  });
});

describe('metadata files', () => {
  it('are read up to a bound, never wait for a pipe, and stop when cancelled', async () => {
    const path = join(scratch, 'big');
    await writeFile(path, Buffer.alloc(1000));
    expect(await readMetadata(path, 1000, signal)).toHaveLength(1000);
    await expect(readMetadata(path, 999, signal)).rejects.toBeInstanceOf(BadMetadataError);
    await expect(readMetadata(path, 1000, AbortSignal.abort())).rejects.toBeInstanceOf(CancelledError);
    const pipe = join(scratch, 'pipe');
    execFileSync('/usr/bin/mkfifo', [pipe]);
    for (const bad of [pipe, scratch, join(scratch, 'none')])
      await expect(readMetadata(bad, 1000, signal)).rejects.toBeInstanceOf(UnreadableSourceError);
  });
});

describe('numbers', () => {
  it('are numbers only where they are nothing else', () => {
    expect(
      ['7', ' 7 ', '007', '-7', '7.0', '1e3', '', '9999999999', undefined].map((text) => wholeNumber(text)),
    ).toEqual([7, 7, 7, undefined, undefined, undefined, undefined, undefined, undefined]);
    expect(
      ['-567.1', '.5', '1e3', 'NaN', 'Infinity', '0x10', '1,5', ''].map((text) => finiteNumber(text)),
    ).toEqual([-567.1, 0.5, 1000, undefined, undefined, undefined, undefined, undefined]);
    expect(fromZero('0')).toBe(1);
  });
});

describe('text', () => {
  it('is one line of bounded length without control characters', () => {
    expect(plainText(' a\n\u001b[31mb\0c ')).toBe('a [31mb c');
    expect(plainText('x'.repeat(1e6))).toHaveLength(1000);
    for (const none of ['', ' \n ', undefined]) expect(plainText(none)).toBeUndefined();
  });
});

describe('positions', () => {
  const plane = { row: 0, column: 0, site: 1, channel: 1, z: 1, t: 1 };

  it('give the grid only where the fields fill it, stage jitter left aside', () => {
    const grid = (...fields: [xUm: number, yUm: number][]) => {
      const positions = new PlanePositions();
      for (const [i, [xUm, yUm]] of fields.entries()) positions.note({ ...plane, site: i + 1, xUm, yUm });
      positions.note({ ...plane, row: 5, site: 9, xUm: 9999, yUm: 9999 });
      return positions.grid().grid;
    };
    expect(grid([0, 0], [650.3, 1.2], [-0.4, 650], [650, 651])).toEqual({ rows: 2, columns: 2 });
    expect(grid([0, 0], [650, 0], [0, 650])).toBeUndefined();
    expect(new PlanePositions().grid()).toEqual({});
  });

  it('give spacing and interval only where the steps are regular', () => {
    const positions = new PlanePositions();
    for (const [i, zUm] of [0, 3, 6].entries()) positions.note({ ...plane, z: i + 1, zUm });
    for (const [i, acquiredAtMs] of [0, 1000, 9000].entries())
      positions.note({ ...plane, t: i + 1, acquiredAtMs });
    expect(positions.zSpacing()).toEqual({ zSpacingUm: 3 });
    expect(positions.timeInterval()).toEqual({});
  });
});

describe('the search for a plate', () => {
  const judge = async ({ files }: FolderSight) =>
    files.includes('plate')
      ? { confidence: 'certain' as const, reason: 'plate' }
      : { confidence: 'no' as const, reason: '' };

  it('looks two levels down, but not into folders of images nor below many images', async () => {
    const folder = await mkdtemp(join(scratch, 'search-'));
    await mkdir(join(folder, 'a/b/c'), { recursive: true });
    await mkdir(join(folder, 'TimePoint_1'));
    await writeFile(join(folder, 'TimePoint_1/plate'), '');
    await writeFile(join(folder, 'a/b/c/plate'), '');
    expect((await searchPlate(folder, judge, signal)).confidence).toBe('no');
    await writeFile(join(folder, 'a/b/plate'), '');
    expect(await searchPlate(folder, judge, signal)).toMatchObject({ root: join(folder, 'a/b') });
    for (let i = 0; i < 101; i += 1) await writeFile(join(folder, `${i}.tif`), '');
    expect((await searchPlate(folder, judge, signal)).confidence).toBe('no');
    await writeFile(join(folder, 'plate'), '');
    expect(await searchPlate(folder, judge, signal)).toMatchObject({ root: folder });
  });

  it('gives up on hundreds of folders rather than missing one of two plates', async () => {
    const folder = await mkdtemp(join(scratch, 'many-'));
    for (let i = 0; i < 250; i += 1) await mkdir(join(folder, `run${i}`));
    await writeFile(join(folder, 'run3/plate'), '');
    expect((await searchPlate(folder, judge, signal)).reason).toContain('run3, …');
    await expect(searchPlate(folder, judge, AbortSignal.abort())).rejects.toBeInstanceOf(CancelledError);
  });
});
