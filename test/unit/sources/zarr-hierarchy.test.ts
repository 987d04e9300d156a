import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { BadZarrError, PlateFsError, UnreadableSourceError } from '../../../src/core/errors.ts';
import { wholeRegion } from '../../../src/core/region.ts';
import { openZarrHierarchy } from '../../../src/sources/shared/zarr-hierarchy.ts';
import { put, writeV2 } from '../../fixtures/zarr.ts';

const DATA = resolve(import.meta.dirname, '../../../../shared/data');
const scratch = mkdtempSync(join(tmpdir(), 'platefs-zarr-hierarchy-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
let serial = 0;
const store = (): string => join(scratch, `${serial++}.zarr`);

/** One chunk as numcodecs' VLenUTF8 writes it. */
function packTexts(texts: readonly string[]): Buffer {
  const number = (value: number): Buffer => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value);
    return bytes;
  };
  const parts = texts.map((text) => [number(Buffer.byteLength(text)), Buffer.from(text)]);
  return Buffer.concat([number(texts.length), ...parts.flat()]);
}

function putTexts(path: string, chunk: Buffer, more: object = {}): void {
  put(join(path, 't/.zarray'), {
    zarr_format: 2,
    shape: [4],
    chunks: [2],
    dtype: '|O',
    order: 'C',
    compressor: null,
    filters: [{ id: 'vlen-utf8' }],
    fill_value: 'none',
    ...more,
  });
  put(join(path, 't/0'), chunk);
}

describe.skipIf(!existsSync(DATA))(
  'real stores as groups and arrays (skipped where ../shared/data is absent)',
  () => {
    it('have the texts that zarr-python wrote, of fixed and of variable length, in chunks and compressed', () => {
      using two = openZarrHierarchy(join(DATA, 'zarr-arrays/v2.zarr'));
      expect(two.readText('1d.contiguous.U7', wholeRegion([4]))).toEqual(['a', 'b', 'cc', 'd']);
      expect(two.readText('1d.contiguous.U13.be', wholeRegion([4]))).toEqual(['a', 'b', 'cc', 'd']);
      expect(two.readText('1d.contiguous.S7', wholeRegion([4]))).toEqual(['a', 'b', 'cc', 'd']);
      expect(two.readText('2d.chunked.U7', { start: [1, 0], shape: [1, 2] })).toEqual(['cc', 'd']);
      expect(two.readText('3d.chunked.O', wholeRegion([2, 2, 2]))).toEqual([
        'a',
        'aa',
        'aaa',
        'aaaa',
        'b',
        'bb',
        'bbb',
        'bbbb',
      ]);
      using three = openZarrHierarchy(join(DATA, 'zarr-arrays/v3.zarr'));
      expect(three.readText('1d.chunked.string.vlen', { start: [1], shape: [3] })).toHaveLength(3);
      for (const { name, kind } of three.children('', 1000).children)
        if (kind === 'array' && three.arrayFacts(name).type.kind === 'text')
          expect(three.readText(name, wholeRegion(three.arrayFacts(name).shape))).toBeInstanceOf(Array);
    });

    it('have groups, attributes, categories and structured arrays', () => {
      using store07 = openZarrHierarchy(join(DATA, 'anndata-zarr/anndata-0.7.0.zarr'));
      expect(store07.kindOf('obs')).toBe('group');
      expect(store07.kindOf('obs/_index')).toBe('array');
      expect(store07.kindOf('obs/nothing')).toBeUndefined();
      expect(store07.kindOf('../anndata-0.11.4.zarr')).toBeUndefined();
      expect(store07.attributes('obs')['encoding-type']).toBe('dataframe');
      expect(store07.children('', 3)).toMatchObject({
        isCut: true,
        children: [{ name: 'X', kind: 'group' }, {}, {}],
      });
      expect(store07.readText('obs/_index', wholeRegion([30])).every((text) => text.length > 0)).toBe(true);
      const facts = store07.arrayFacts('uns/O_recarray');
      expect(facts.type.kind).toBe('compound');
      const rows = store07.readCompound('uns/O_recarray', 0, facts.shape[0]!);
      expect(rows).toHaveLength(facts.shape[0]!);
      expect(rows[0]!.every((value) => typeof value === 'string')).toBe(true);
      expect(() => store07.children('nothing', 9)).toThrow(UnreadableSourceError);
    });
  },
);

describe('texts of variable length', () => {
  it('are read in any part; chunks that are not there are the fill value', () => {
    const path = store();
    putTexts(path, packTexts(['', 'zwölf – 十二']));
    using hierarchy = openZarrHierarchy(path);
    expect(hierarchy.readText('t', wholeRegion([4]))).toEqual(['', 'zwölf – 十二', 'none', 'none']);
    expect(hierarchy.readText('t', { start: [1], shape: [2] })).toEqual(['zwölf – 十二', 'none']);
    expect(() => hierarchy.readText('t', wholeRegion([5]))).toThrow(RangeError);
    expect(() => hierarchy.readRegion('t', wholeRegion([4]), new Uint8Array(4))).toThrow(PlateFsError);
  });

  it('that are cut off or damaged are an error that names the chunk, never other texts', () => {
    const whole = packTexts(['alpha', 'beta']);
    const path = store();
    for (let length = 0; length < whole.length; length++) {
      putTexts(path, whole.subarray(0, length));
      using hierarchy = openZarrHierarchy(path);
      expect(() => hierarchy.readText('t', wholeRegion([4])), `${length}`).toThrow(BadZarrError);
    }
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.integer({ min: 0, max: 255 }), (at, value) => {
        const damaged = Buffer.from(whole);
        damaged[at] = value;
        putTexts(path, damaged);
        using hierarchy = openZarrHierarchy(path);
        try {
          expect(hierarchy.readText('t', wholeRegion([4]))).toHaveLength(4);
        } catch (error) {
          expect(error).toBeInstanceOf(BadZarrError);
          expect(String(error)).toContain(`${path}/t/0`);
        }
      }),
    );
  });

  it('packed by pickle are refused by name', () => {
    const path = store();
    putTexts(path, packTexts(['a', 'b']), { filters: [{ id: 'pickle' }] });
    using hierarchy = openZarrHierarchy(path);
    expect(hierarchy.arrayFacts('t')).toMatchObject({ shape: [4], type: { kind: 'other' } });
    expect(hierarchy.arrayFacts('t').unreadable).toContain('pickle');
    expect(() => hierarchy.readText('t', wholeRegion([4]))).toThrow(/pickle/);
  });
});

describe('structured arrays', () => {
  it('have every field, of either byte order, and lists of them', () => {
    const path = store();
    const chunk = Buffer.alloc(2 * 21);
    chunk.writeInt16BE(-7, 0);
    chunk.writeFloatLE(1.5, 2);
    chunk.write('ab', 6);
    chunk.writeUInt8(1, 9);
    chunk.writeBigInt64LE(-(2n ** 60n), 10);
    chunk.set([3, 4, 5], 18);
    put(join(path, 'r/.zarray'), {
      zarr_format: 2,
      shape: [2],
      chunks: [2],
      dtype: [
        ['a', '>i2'],
        ['b', '<f4'],
        ['c', '|S3'],
        ['d', '|b1'],
        ['e', '<i8'],
        ['f', '|u1', [3]],
      ],
      order: 'C',
      compressor: null,
      filters: null,
      fill_value: null,
    });
    put(join(path, 'r/0'), chunk);
    using hierarchy = openZarrHierarchy(path);
    expect(hierarchy.readCompound('r', 0, 2)).toEqual([
      [-7, 1.5, 'ab', true, -(2n ** 60n), [3, 4, 5]],
      [0, 0, '', false, 0n, [0, 0, 0]],
    ]);
    expect(() => hierarchy.readCompound('r', 1, 2)).toThrow(RangeError);
  });
});

it('numbers and booleans are read as they are', () => {
  const path = store();
  const bytes = Uint8Array.of(1, 0, 2, 0, 3, 0);
  writeV2(join(path, 'n'), { shape: [3], chunkShape: [2], itemBytes: 2, bytes }, { dtype: '<u2' });
  using hierarchy = openZarrHierarchy(path);
  expect(hierarchy.arrayFacts('n')).toEqual({
    shape: [3],
    chunkShape: [2],
    type: { kind: 'number', dtype: 'uint16' },
  });
  const target = new Uint8Array(4);
  hierarchy.readRegion('n', { start: [1], shape: [2] }, target);
  expect([...target]).toEqual([2, 0, 3, 0]);
  expect(readFileSync(join(path, 'n/.zarray'), 'utf8')).toContain('<u2');
});
