import { spawnSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { BadZarrError, PlateFsError, UnreadableSourceError } from '../../../src/core/errors.ts';
import { bytesOf } from '../../../src/core/nd-array.ts';
import { wholeRegion } from '../../../src/core/region.ts';
import zarr from '../../../src/sources/zarr.ts';
import { type ArrayToWrite, type Packing, put, writeV2, writeV3 } from '../../fixtures/zarr.ts';

const never = new AbortController().signal;
const root = mkdtempSync(join(tmpdir(), 'platefs-zarr-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let serial = 0;
const folder = (): string => join(root, String(serial++));

const plane = (path: string, page = 0): Uint8Array => zarr.readPlaneSync!(path, page).bytes;

const noise = (shape: readonly number[], chunkShape: readonly number[], itemBytes: number): ArrayToWrite => ({
  shape,
  chunkShape,
  itemBytes,
  bytes: Uint8Array.from(
    { length: shape.reduce((a, b) => a * b, itemBytes) },
    (_, i) => (i * i * 31 + (i >> 3)) & 255,
  ),
});
const array = noise([2, 16, 16], [1, 16, 16], 2);
const PACKINGS: readonly Packing[] = ['none', 'zlib', 'gzip', 'zstd', 'blosc', 'crc32', 'crc32c'];

function errorOf(read: () => unknown): unknown {
  try {
    read();
  } catch (error) {
    return error;
  }
  return undefined;
}

describe('a damaged chunk', () => {
  const written = (packing: Packing): { path: string; chunk: string } => {
    const at = folder();
    return packing === 'crc32c'
      ? { path: writeV3(at, array, { dtype: 'uint16', packing }), chunk: join(at, 'c/0/0/0') }
      : { path: writeV2(at, array, { dtype: '<u2', packing }), chunk: join(at, '0/0/0') };
  };

  it.each(PACKINGS)('is an error that names its file when it is cut off (%s)', (packing) => {
    const { path, chunk } = written(packing);
    const whole = readFileSync(chunk);
    for (let length = 0; length < whole.length; length += 1 + (whole.length >> 5)) {
      writeFileSync(chunk, whole.subarray(0, length));
      const error = errorOf(() => plane(path));
      // A gzip file that lacks its trailer only has lost its checksum, and node:zlib says so too.
      expect(error, `${packing} ${length}`).toBeInstanceOf(BadZarrError);
      expect(String(error)).toContain(chunk);
      expect(errorOf(() => zarr.probeSync!(path)) ?? error).toBeInstanceOf(BadZarrError);
    }
    expect(plane(path, 1)).toEqual(array.bytes.slice(512));
  });

  it.each(PACKINGS)(
    'gives an error or right-sized pixels when a byte is wrong, never a crash (%s)',
    (packing) => {
      const { path, chunk } = written(packing);
      const whole = readFileSync(chunk);
      fc.assert(
        fc.property(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
          const damaged = Buffer.from(whole);
          damaged[at] = damaged[at]! ^ flip;
          writeFileSync(chunk, damaged);
          const error = errorOf(() => expect(plane(path)).toHaveLength(512));
          if (error !== undefined) {
            expect(error).toBeInstanceOf(PlateFsError);
            expect(String(error)).toContain(chunk);
          }
          if (packing.startsWith('crc32') || packing === 'gzip' || packing === 'zlib')
            expect(error === undefined ? plane(path) : array.bytes.slice(0, 512)).toEqual(
              array.bytes.slice(0, 512),
            );
        }),
        { numRuns: 150 },
      );
    },
  );

  it('is an error too when it is longer than it may be, a folder, or a pipe', () => {
    const { path, chunk } = written('none');
    writeFileSync(chunk, Buffer.alloc(513));
    expect(() => plane(path)).toThrow(/513 bytes instead of 512/);
    rmSync(chunk);
    mkdirSync(chunk);
    expect(() => plane(path)).toThrow(BadZarrError);
    rmSync(chunk, { recursive: true });
    expect(spawnSync('sh', ['-c', 'mkfifo "$0"', chunk]).status).toBe(0);
    expect(() => plane(path)).toThrow(/not a file/);
  });

  it('of a huge size costs no memory', () => {
    const { path, chunk } = written('zlib');
    truncateSync(chunk, 2 ** 40);
    expect(() => plane(path)).toThrow(/more than a chunk here can have/);
  });

  it('that would decode to more than the chunk is refused', () => {
    const { path, chunk } = written('zstd');
    const other = folder();
    writeV2(other, noise([1, 64, 64], [1, 64, 64], 2), { dtype: '<u2', packing: 'zstd' });
    writeFileSync(chunk, readFileSync(join(other, '0/0/0')));
    expect(() => plane(path)).toThrow(BadZarrError);
  });
});

describe('a missing chunk', () => {
  it('is fill value, as Zarr says', () => {
    const absent = ([z]: readonly number[]): boolean => z === 1;
    const one = writeV2(folder(), array, { dtype: '<u2', fillValue: 300, absent });
    expect([...new Uint16Array(plane(one, 1).buffer)]).toEqual(new Array(256).fill(300));
    const nan = writeV3(folder(), noise([2, 4, 4], [1, 4, 4], 4), {
      dtype: 'float32',
      fillValue: 'NaN',
      absent,
    });
    expect([...new Float32Array(plane(nan, 1).buffer)]).toEqual(new Array(16).fill(Number.NaN));
    const shard = { shape: [2, 16, 16], location: 'end', absent } as const;
    const inner = writeV3(folder(), array, { dtype: 'uint16', fillValue: 7, shard });
    expect([...new Uint16Array(plane(inner, 1).buffer)]).toEqual(new Array(256).fill(7));
    expect(plane(inner, 0)).toEqual(array.bytes.slice(0, 512));
    const into = new Uint8Array(512).fill(9);
    const all = writeV2(folder(), array, { dtype: '<u2', fillValue: null, absent: () => true });
    expect(zarr.readPlaneSync!(all, 0, into).bytes.every((byte) => byte === 0)).toBe(true);
  });

  it('keeps 64-bit fill values exact', () => {
    const at = folder();
    const path = writeV2(at, noise([1, 1, 1], [1, 1, 1], 8), { dtype: '<u8', absent: () => true });
    const text = readFileSync(path, 'utf8').replace('"fill_value":0', '"fill_value":18446744073709551615');
    writeFileSync(path, text);
    expect(new BigUint64Array(plane(path).buffer)[0]).toBe(2n ** 64n - 1n);
  });

  it('is looked for under either separator where the metadata names none', () => {
    const at = folder();
    const path = writeV2(at, array, { dtype: '<u2', separator: '/' });
    writeFileSync(path, readFileSync(path, 'utf8').replace(',"dimension_separator":"/"', ''));
    expect(plane(path, 1)).toEqual(array.bytes.slice(512));
  });

  it('is not what a link to a file is that is not there', async () => {
    const at = folder();
    const path = writeV2(at, array, { dtype: '<u2', separator: '.' });
    rmSync(join(at, '1.0.0'));
    symlinkSync(join(at, '.git', 'annex', 'object'), join(at, '1.0.0'));
    expect(plane(path, 0).length).toBe(512);
    const error = errorOf(() => plane(path, 1));
    expect(error).toBeInstanceOf(UnreadableSourceError);
    expect(String(error)).toContain('1.0.0');
  });

  it('is not what a chunk is that may not be read', () => {
    const at = folder();
    const path = writeV2(at, array, { dtype: '<u2' });
    rmSync(join(at, '0'), { recursive: true });
    writeFileSync(join(at, '0'), 'a file where a folder should be');
    expect(() => plane(path)).toThrow(UnreadableSourceError);
  });
});

describe('a damaged shard', () => {
  const shard = { shape: [2, 16, 16], location: 'end' } as const;

  it('gives an error or the right pixels, whatever byte is wrong', () => {
    for (const location of ['start', 'end'] as const)
      for (const packing of ['none', 'zstd', 'crc32c'] as const) {
        const at = folder();
        const path = writeV3(at, array, { dtype: 'uint16', packing, shard: { ...shard, location } });
        const chunk = join(at, 'c/0/0/0');
        const whole = readFileSync(chunk);
        fc.assert(
          fc.property(
            fc.nat(whole.length - 1),
            fc.integer({ min: 0, max: 255 }),
            fc.boolean(),
            (where, to, cut) => {
              const damaged = Buffer.from(whole);
              damaged[where] = to;
              writeFileSync(chunk, cut ? whole.subarray(0, where) : damaged);
              const error = errorOf(() => expect(plane(path)).toHaveLength(512));
              if (error === undefined) return;
              expect(error).toBeInstanceOf(PlateFsError);
              expect(String(error)).toContain(chunk);
            },
          ),
          { numRuns: 100 },
        );
      }
  });

  it('whose index is damaged is never read past', () => {
    const at = folder();
    const path = writeV3(at, array, { dtype: 'uint16', shard });
    const chunk = join(at, 'c/0/0/0');
    const whole = readFileSync(chunk);
    whole[whole.length - 20] = 77;
    writeFileSync(chunk, whole);
    expect(() => plane(path)).toThrow(/checksum of the shard's index/);
  });
});

describe('hostile metadata', () => {
  const good = {
    zarr_format: 2,
    shape: [2, 4, 4],
    chunks: [1, 4, 4],
    dtype: '<u2',
    order: 'C',
    compressor: null,
    filters: null,
    fill_value: 0,
  };
  const codecs = [{ name: 'bytes', configuration: { endian: 'little' } }];
  const good3 = {
    zarr_format: 3,
    node_type: 'array',
    shape: [2, 4, 4],
    data_type: 'uint16',
    chunk_grid: { name: 'regular', configuration: { chunk_shape: [1, 4, 4] } },
    chunk_key_encoding: { name: 'default', configuration: { separator: '/' } },
    fill_value: 0,
    codecs,
  };
  const refusal = (content: string | object, name = '.zarray'): unknown => {
    const path = join(folder(), name);
    put(path, content);
    const error = errorOf(() => plane(path));
    expect(error).toBeInstanceOf(PlateFsError);
    expect(String(error)).toContain(dirname(path));
    return error;
  };

  it('is refused before memory is taken for it', () => {
    refusal({ ...good, shape: [2 ** 30, 2 ** 30] });
    refusal({ ...good, shape: [1, 2 ** 26, 2 ** 26], chunks: [1, 2 ** 26, 2 ** 26] });
    refusal({ ...good, shape: [1, 40_000, 40_000], chunks: [1, 1, 1] });
    refusal({ ...good, shape: [1, 20_000, 20_000], chunks: [1, 1, 1] });
    refusal({ ...good, shape: [1, 4, 4], chunks: [2 ** 50, 4, 4] });
    refusal({ ...good, shape: new Array(1_000_000).fill(1), chunks: new Array(1_000_000).fill(1) });
    refusal({ ...good, shape: [2, 4], chunks: [1, 4, 4] });
    refusal({ ...good, shape: [2, -4, 4] });
    refusal({ ...good, shape: [2, 4.5, 4] });
    refusal({ ...good, chunks: [0, 4, 4] });
    refusal({ ...good, dtype: [['a', '<u2']] });
    refusal({ ...good, dtype: '|O', filters: [{ id: 'vlen-utf8' }] });
    refusal({ ...good, compressor: { id: 'bz2', level: 1 } });
    refusal({ ...good, compressor: { id: '../../etc' } });
    refusal({ ...good, dimension_separator: '/../' });
    refusal({ ...good, fill_value: 70_000 });
    refusal({ ...good, fill_value: 'x' });
    refusal(JSON.stringify({ ...good, dtype: ['huge'] }).replace('"huge"', '-9007199254740993'));
    refusal({ ...good, zarr_format: 1 });
    // What can't be turned into text the usual way.
    const mute = { toString: 0, valueOf: 0, toJSON: 0 };
    for (const key of ['zarr_format', 'order', 'dimension_separator', 'fill_value', 'dtype'])
      refusal({ ...good, [key]: mute });
    refusal({ ...good, shape: [mute, 4, 4] });
    for (const key of ['chunk_grid', 'chunk_key_encoding'])
      refusal({ ...good3, [key]: { name: mute } }, 'zarr.json');
    refusal({ ...good3, node_type: 'group' }, 'zarr.json');
    refusal({ ...good3, codecs: [] }, 'zarr.json');
    refusal({ ...good3, codecs: [...codecs, ...codecs] }, 'zarr.json');
    refusal({ ...good3, extension: {} }, 'zarr.json');
    refusal({ ...good3, chunk_grid: { name: 'rectangular' } }, 'zarr.json');
    refusal(
      { ...good3, chunk_key_encoding: { name: 'default', configuration: { separator: '/../' } } },
      'zarr.json',
    );
    refusal(`${'['.repeat(1_000_000)}${']'.repeat(1_000_000)}`);
    refusal(`{"shape":${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}}`);
    refusal('[]');
    refusal('null');
    refusal('');
  });

  it('may nest shards only so deep, and must divide them', () => {
    const shardOf = (shape: number[], inner: object[]): object[] => [
      {
        name: 'sharding_indexed',
        configuration: { chunk_shape: shape, codecs: inner, index_codecs: codecs, index_location: 'end' },
      },
    ];
    let deep = codecs as object[];
    for (let depth = 0; depth < 6; depth++) deep = shardOf([1, 4, 4], deep);
    refusal({ ...good3, codecs: deep }, 'zarr.json');
    refusal({ ...good3, codecs: shardOf([1, 3, 4], codecs) }, 'zarr.json');
    refusal({ ...good3, codecs: shardOf([1, 4, 4], []) }, 'zarr.json');
  });

  it.each([
    ['NaN', Number.NaN],
    ['Infinity', Number.POSITIVE_INFINITY],
    ['-Infinity', Number.NEGATIVE_INFINITY],
  ])('that Python wrote with %s is read: what is missing is that', (word, value) => {
    const path = join(folder(), '.zarray');
    const document = { ...good, dtype: '<f4', note: 'NaN stays "Infinity"' };
    put(path, JSON.stringify(document).replace('"fill_value":0', `"fill_value":${word}`));
    expect(new Set(new Float32Array(plane(path).buffer))).toEqual(new Set([value]));
  });

  it('of any kind gives planes of the right size or a typed error', async () => {
    const strange = fc.oneof(
      fc.jsonValue({ maxDepth: 2 }),
      fc.constantFrom<unknown>(
        2,
        3,
        'C',
        'F',
        '<u2',
        '>f4',
        '|S3',
        '<U2',
        'uint16',
        'bool',
        '.',
        '/',
        null,
        1e308,
      ),
      fc.array(fc.integer({ min: 0, max: 6 }), { maxLength: 4 }),
    );
    const edit = (document: object): fc.Arbitrary<object> =>
      fc
        .array(fc.tuple(fc.constantFrom(...Object.keys(document)), strange), { minLength: 1, maxLength: 3 })
        .map((edits) => ({ ...document, ...Object.fromEntries(edits) }));
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          edit({ ...good, dimension_separator: '/' }).map((document) => ['.zarray', document] as const),
          edit(good3).map((document) => ['zarr.json', document] as const),
        ),
        async ([name, document]) => {
          const path = join(root, 'fuzz', name);
          put(path, document);
          try {
            await using source = await zarr.openArray(path, never);
            const bytes = bytesOf(await source.read(wholeRegion(source.info.shape), never));
            const probe = zarr.probeSync!(path);
            expect(bytes.length % Math.max(1, probe.width * probe.height)).toBe(0);
            expect(source.info.axes).toHaveLength(source.info.shape.length);
          } catch (error) {
            expect(error).toBeInstanceOf(PlateFsError);
            expect(String(error)).toContain(path);
          }
        },
      ),
      { numRuns: 600 },
    );
  });
});
