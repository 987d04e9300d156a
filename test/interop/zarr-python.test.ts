import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { elementCount, itemSizeBytes } from '../../src/core/nd-array.ts';
import { wholeRegion } from '../../src/core/region.ts';
import zarr from '../../src/sources/zarr.ts';

const PYTHON = '/usr/bin/python3';
const hasZarr = spawnSync(PYTHON, ['-c', 'import zarr, numcodecs']).status === 0;

/** Writes stores by a list of cases on standard input and prints the checksum of every plane, as zarr reads it back. */
const WRITER = `
import sys, json, hashlib, numpy as np, zarr, numcodecs
folder = sys.argv[1]
out = []
for i, case in enumerate(json.load(sys.stdin)):
  rng = np.random.default_rng(case['seed'])
  dtype = np.dtype(case['dtype'])
  shape = tuple(case['shape'])
  kind = case['content']
  n = int(np.prod(shape))
  if kind == 'noise': a = rng.integers(0, 256, n * dtype.itemsize, dtype='u1').view(dtype)
  elif kind == 'smooth': a = (np.arange(n) // 7 % 100).astype(dtype)
  else: a = np.zeros(n, dtype)
  if dtype.kind == 'b': a = a.view('u1') % 2 == 1
  if dtype.kind in 'fc': a = np.nan_to_num(rng.normal(100, 10, n)).astype(dtype)
  a = a.reshape(shape)
  filters = [numcodecs.get_codec(f) for f in case['filters']]
  compressor = numcodecs.get_codec(case['compressor']) if case['compressor'] else None
  store = zarr.NestedDirectoryStore if case['separator'] == '/' else zarr.DirectoryStore
  path = f'{folder}/{i}.zarr'
  z = zarr.open(store(path), mode='w', shape=shape, chunks=tuple(case['chunks']), dtype=dtype, order=case['order'],
    compressor=compressor, filters=filters or None, fill_value=case['fill'], write_empty_chunks=case['empty'],
    dimension_separator=case['separator'])
  z[...] = a
  b = np.ascontiguousarray(z[...].astype(dtype.newbyteorder('<')))
  planes = b.reshape((-1,) + shape[-2:]) if len(shape) > 1 else b.reshape((1,) + shape)
  out.append([hashlib.sha256(p.tobytes()).hexdigest() for p in planes])
json.dump(out, sys.stdout)
`;

/** Writes one tree of groups into stores of several kinds, and prints the checksum of every array. */
const TREES = `
import sys, json, hashlib, zipfile, numpy as np, zarr, numcodecs
folder = sys.argv[1]
stores = {
  'plain.zarr': zarr.DirectoryStore(folder + '/plain.zarr'),
  'nested.zarr': zarr.NestedDirectoryStore(folder + '/nested.zarr'),
  'stored.zarr.zip': zarr.ZipStore(folder + '/stored.zarr.zip', mode='w'),
  'packed.zip': zarr.ZipStore(folder + '/packed.zip', compression=zipfile.ZIP_DEFLATED, mode='w'),
}
sums = {}
for store in stores.values():
  root = zarr.group(store, overwrite=True)
  root.attrs['name'] = 'Zellen 細胞'
  rng = np.random.default_rng(3)
  for path, dtype, shape, chunks in [('a', '<u2', (7, 9), (4, 4)), ('g/b', '>f4', (3, 5, 6), (2, 3, 6)), ('g/h/ç d', '|b1', (11,), (4,))]:
    a = rng.integers(0, 2 if dtype == '|b1' else 200, shape).astype(dtype)
    z = root.create_dataset(path, shape=shape, chunks=chunks, dtype=dtype, order='F' if path == 'g/b' else 'C')
    z[...] = a
    sums[path] = hashlib.sha256(np.ascontiguousarray(a.astype(np.dtype(dtype).newbyteorder('<'))).tobytes()).hexdigest()
  t = root.create_dataset('texts', shape=(5,), chunks=(2,), dtype=object, object_codec=numcodecs.VLenUTF8())
  t[...] = np.array(['', 'α', 'b c', 'x' * 300, 'end'], dtype=object)
  zarr.consolidate_metadata(store)
  store.close() if hasattr(store, 'close') else None
json.dump(sums, sys.stdout)
`;

await zarr.prepare!();

describe.skipIf(!hasZarr)('stores that zarr-python wrote (needs python3-zarr)', () => {
  it('are catalogued and read exactly, in folders and zip files, also by consolidated metadata alone', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'platefs-zarr-trees-'));
    try {
      const run = spawnSync(PYTHON, ['-c', TREES, folder]);
      if (run.status !== 0) throw new Error(run.stderr.toString());
      const sums = JSON.parse(run.stdout.toString()) as Record<string, string>;
      cpSync(join(folder, 'nested.zarr'), join(folder, 'consolidated.zarr'), { recursive: true });
      for (const name of ['a/.zarray', 'g/.zgroup', 'g/b/.zarray', 'g/h/.zgroup', 'texts/.zarray'])
        rmSync(join(folder, 'consolidated.zarr', name));
      for (const name of [
        'plain.zarr',
        'nested.zarr',
        'consolidated.zarr',
        'stored.zarr.zip',
        'packed.zip',
      ]) {
        const path = join(folder, name);
        const catalog = (await zarr.catalog!(path, { root: folder }, new AbortController().signal))!;
        expect(catalog.warnings, name).toEqual([]);
        using source = zarr.openSync!(path, catalog);
        const found: Record<string, string> = {};
        for (const item of catalog.items) {
          if (item.kind === 'text') expect(JSON.parse(item.text), name).toEqual({ name: 'Zellen 細胞' });
          if (item.kind === 'table')
            expect(source.readRows(item.path, 0, 5).columns).toEqual([
              ['', 'α', 'b c', 'x'.repeat(300), 'end'],
            ]);
          if (item.kind !== 'array') continue;
          const bytes = new Uint8Array(elementCount(item.shape) * itemSizeBytes(item.dtype));
          source.readRegion(item.path, wholeRegion(item.shape), bytes);
          found[item.path] = createHash('sha256').update(bytes).digest('hex');
        }
        expect(found, name).toEqual(sums);
        expect(catalog.items.map(({ kind }) => kind).sort(), name).toEqual([
          'array',
          'array',
          'array',
          'table',
          'text',
        ]);
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

const blosc = fc.record({
  id: fc.constant('blosc'),
  cname: fc.constantFrom('lz4', 'lz4hc', 'blosclz', 'zlib', 'zstd'),
  clevel: fc.constantFrom(1, 5, 9),
  shuffle: fc.constantFrom(0, 1, 2),
  blocksize: fc.constantFrom(0, 0, 256, 4096, 1_000_000),
});
const compressor = fc.oneof(
  { weight: 5, arbitrary: blosc },
  fc.constantFrom<object | null>(
    null,
    { id: 'zlib', level: 1 },
    { id: 'gzip', level: 5 },
    { id: 'zstd', level: 3 },
    { id: 'lz4', acceleration: 1 },
  ),
);

const anyCase = fc
  .record({
    seed: fc.nat(),
    dtype: fc.constantFrom(
      '|u1',
      '|i1',
      '|b1',
      '<u2',
      '>u2',
      '<i4',
      '>i4',
      '<u8',
      '<f2',
      '<f4',
      '>f4',
      '<f8',
      '<c8',
    ),
    shape: fc.oneof(
      fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 5 }),
      fc.tuple(
        fc.integer({ min: 1, max: 3 }),
        fc.integer({ min: 90, max: 300 }),
        fc.integer({ min: 90, max: 300 }),
      ),
    ),
    ratios: fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 5, maxLength: 5 }),
    order: fc.constantFrom('C', 'F'),
    separator: fc.constantFrom('.', '/'),
    content: fc.constantFrom('noise', 'smooth', 'zeros'),
    filter: fc.constantFrom('', '', '', 'delta', 'shuffle', 'adler32', 'crc32', 'fixedscaleoffset', 'astype'),
    fill: fc.constantFrom(0, 1, null),
    empty: fc.boolean(),
    compressor,
  })
  .map(({ ratios, filter, ...rest }) => {
    const { dtype, shape } = rest;
    const isInteger = /[ui]/.test(dtype);
    const filters: object[] = [];
    if (filter === 'delta' && isInteger) filters.push({ id: 'delta', dtype });
    if (filter === 'shuffle') filters.push({ id: 'shuffle', elementsize: Number(dtype.slice(2)) });
    if (filter === 'adler32' || filter === 'crc32') filters.push({ id: filter });
    if (filter === 'fixedscaleoffset' && dtype.endsWith('f4'))
      filters.push({ id: 'fixedscaleoffset', offset: 100, scale: 10, dtype, astype: '<i2' });
    if (filter === 'astype' && dtype === '<i4')
      filters.push({ id: 'astype', encode_dtype: '<i8', decode_dtype: '<i4' });
    // Chunks that divide the array, don't, or are larger than it.
    const chunks = shape.map((extent, axis) => Math.max(1, Math.ceil((extent * ratios[axis]!) / 6)));
    return { ...rest, chunks, filters };
  });

describe.skipIf(!hasZarr)('arrays that zarr-python wrote (needs python3-zarr)', () => {
  let folder = '';
  const cases = fc.sample(anyCase, { numRuns: 250, seed: 20 });
  let planes: string[][] = [];
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'platefs-zarr-python-'));
    const run = spawnSync(PYTHON, ['-c', WRITER, folder], {
      input: JSON.stringify(cases),
      maxBuffer: 2 ** 27,
    });
    if (run.status !== 0) throw new Error(run.stderr.toString());
    planes = JSON.parse(run.stdout.toString()) as string[][];
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('have the same planes here', () => {
    cases.forEach((one, index) => {
      const path = join(folder, `${index}.zarr`, '.zarray');
      planes[index]!.forEach((sum, page) => {
        const { bytes } = zarr.readPlaneSync!(path, page);
        expect(createHash('sha256').update(bytes).digest('hex'), JSON.stringify({ ...one, page })).toBe(sum);
      });
    });
  });
});
