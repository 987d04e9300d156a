import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BadHdf5Error, PlateFsError, UnsupportedHdf5Error } from '../../../src/core/errors.ts';
import { elementCount, itemSizeBytes } from '../../../src/core/nd-array.ts';
import { wholeRegion } from '../../../src/core/region.ts';
import { whenReady } from '../../../src/core/when-ready.ts';
import hdf5 from '../../../src/sources/hdf5.ts';
import { Hdf5Hierarchy } from '../../../src/sources/shared/hdf5-hierarchy.ts';
import type { SourceCatalog, SourceItem } from '../../../src/sources.ts';
import { damageBzip2, writeBzip2 } from '../../fixtures/damaged-hdf5.ts';
import { hasH5py, runH5py } from '../../fixtures/hdf5.ts';

const DATA = resolve(import.meta.dirname, '../../../../shared/data');
const never = new AbortController().signal;
const root = mkdtempSync(join(tmpdir(), 'platefs-hdf5-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
beforeAll(() => hdf5.prepare!());

const inside = join(root, 'inside');
mkdirSync(inside);

async function catalogOf(path: string): Promise<SourceCatalog> {
  const catalog = await hdf5.catalog!(path, { root: inside }, never);
  if (catalog === undefined) throw new Error(`${path} is no HDF5 file`);
  return catalog;
}

const pathsOf = ({ items }: SourceCatalog, kind: SourceItem['kind']): string[] =>
  items.filter((item) => item.kind === kind).map(({ path }) => path);
const warningOf = ({ warnings }: SourceCatalog, path: string): string | undefined =>
  warnings.find((one) => one.path === path)?.message;

/** Reads everything there is. */
function readAll(path: string, catalog: SourceCatalog): void {
  using source = hdf5.openSync!(path, catalog);
  for (const item of catalog.items) {
    if (item.kind === 'table') source.readRows(item.path, 0, Math.min(item.rowCount, 1000));
    if (item.kind !== 'array') continue;
    const sizeBytes = elementCount(item.shape) * itemSizeBytes(item.dtype);
    if (sizeBytes > 1 << 27) continue;
    source.readRegion(item.path, wholeRegion(item.shape), new Uint8Array(sizeBytes));
    source.window(item.path, wholeRegion(item.shape));
  }
}

/** What an attempt comes to, as readers try it. */
async function outcome(attempt: () => Promise<void>): Promise<unknown> {
  try {
    await whenReady(attempt);
    return undefined;
  } catch (error) {
    return error;
  }
}

describe.skipIf(!existsSync(DATA))('damaged files (skipped where ../shared/data is absent)', () => {
  const files = ['hdf5-features', 'bdv-h5', 'ilastik-h5', 'imaris-derived', 'h5ad'].flatMap((set) =>
    readdirSync(join(DATA, set))
      .filter((name) => /\.(?:h5|hdf5|ims)$/.test(name))
      .map((name) => join(DATA, set, name)),
  );

  it('give right-sized values or a typed error that names them, never a crash', async () => {
    const path = join(inside, 'flipped.h5');
    const flip = fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.integer({ min: 0, max: 255 }));
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...files),
        fc.boolean(),
        fc.array(flip, { minLength: 1, maxLength: 4 }),
        async (file, anywhere, flips) => {
          const bytes = readFileSync(file);
          const reach = anywhere ? bytes.length : Math.min(bytes.length, 4096);
          for (const [at, value] of flips) bytes[Math.min(reach - 1, Math.floor(at * reach))] = value;
          writeFileSync(path, bytes);
          const error = await outcome(async () => {
            const catalog = await hdf5.catalog!(path, { root: inside }, never);
            if (catalog !== undefined) readAll(path, catalog);
          });
          if (error === undefined) return;
          expect(error, file).toBeInstanceOf(PlateFsError);
          expect(String(error)).toContain(path);
        },
      ),
      { numRuns: 250 },
    );
    const good = join(DATA, 'ilastik-h5/probabilities.h5');
    const error = await outcome(async () =>
      readAll(good, (await hdf5.catalog!(good, { root: DATA }, never))!),
    );
    expect(error).toBeUndefined();
  });

  it('that are cut short are told from whole ones', async () => {
    const whole = readFileSync(join(DATA, 'bdv-h5/mri-stack.h5'));
    const path = join(inside, 'cut.h5');
    writeFileSync(path, whole.subarray(0, whole.length - 1));
    await expect(catalogOf(path)).rejects.toThrow(/cut.h5.*truncated/);
  });

  it('leave no file open and no file behind', async () => {
    const path = join(inside, 'closed.h5');
    const bytes = readFileSync(join(DATA, 'hdf5-features/jsfive-test.h5'));
    bytes.fill(0xff, 2000, 6000);
    writeFileSync(path, bytes);
    const opened = (): number => readdirSync('/proc/self/fd').length;
    const texts = (): string[] => readdirSync(tmpdir()).filter((name) => name.startsWith('tmpfile_'));
    // What a process that was killed has left.
    const others = new Set(texts());
    await outcome(async () => readAll(path, await catalogOf(path)));
    await expect.poll(opened).toBeLessThan(60);
    const before = opened();
    for (let round = 0; round < 20; round++) await outcome(async () => readAll(path, await catalogOf(path)));
    await expect.poll(opened).toBeLessThanOrEqual(before + 2);
    // Other processes may have theirs there for a moment.
    await expect.poll(() => texts().filter((name) => !others.has(name))).toEqual([]);
  });
});

describe('a plugin that breaks on damaged data', () => {
  it('costs an error, and the thread goes on reading', async () => {
    const path = join(inside, 'bzip2.h5');
    const data = await writeBzip2(path, false);
    const read = async (): Promise<Uint8Array> => {
      using source = hdf5.openSync!(path, await catalogOf(path));
      const bytes = new Uint8Array(data.byteLength);
      source.readRegion('a', wholeRegion([64, 64]), bytes);
      return bytes;
    };
    expect(Buffer.compare(await read(), new Uint8Array(data.buffer))).toBe(0);
    const whole = readFileSync(path);
    for (const damage of [20, 100, 400]) {
      writeFileSync(path, whole);
      damageBzip2(path, damage);
      expect(await outcome(async () => void (await read()))).toBeInstanceOf(BadHdf5Error);
    }
    writeFileSync(path, whole);
    expect(
      await outcome(async () => expect(Buffer.compare(await read(), new Uint8Array(data.buffer))).toBe(0)),
    ).toBeUndefined();
  });

  it('is not tried again on the same bytes', async () => {
    const path = join(inside, 'broken.h5');
    await writeBzip2(path, true);
    const catalog = await catalogOf(path);
    using source = hdf5.openSync!(path, catalog);
    const read = async (): Promise<void> =>
      source.readRegion('a', wholeRegion([64, 64]), new Uint8Array(8192));
    const first = await outcome(read);
    expect(first).toBeInstanceOf(BadHdf5Error);
    expect(String(first)).toContain('broken.h5');
    await hdf5.prepare!();
    // Had it broken the library again, the file could not be looked at right now.
    await expect(read()).rejects.toThrow(String((first as Error).message));
    using again = hdf5.openSync!(path, catalog);
    expect(again.window('a', wholeRegion([64, 64]))).toBeUndefined();
  });
});

describe.skipIf(!hasH5py())('with h5py', () => {
  it('follows no link and no part out of the folder', async () => {
    const path = join(inside, 'links.h5');
    runH5py(
      `
secret, path = args
with h5py.File(secret, 'w') as f: f['x'] = np.arange(6)
open(path + '.raw', 'wb').write(b'1234')
with h5py.File(path, 'w') as f:
    f['ok'] = np.arange(3)
    f['out'] = h5py.ExternalLink('../secret.h5', '/x')
    f['absolute'] = h5py.ExternalLink(secret, '/x')
    f['through'] = h5py.SoftLink('/out')
    f['gone'] = h5py.ExternalLink('nothing.h5', '/x')
    f['dangling'] = h5py.SoftLink('/nowhere')
    f['loop'] = h5py.SoftLink('/loop')
    f.create_dataset('raw', (4,), 'u1', external=[(path + '.raw', 0, 4)])
    for name, source in (('virtual', '../secret.h5'), ('missing', 'nothing.h5')):
        layout = h5py.VirtualLayout((6,), 'i8'); layout[:] = h5py.VirtualSource(source, 'x', (6,))
        f.create_virtual_dataset(name, layout)
    g = f.create_group('g'); g['up'] = f['/']; g['ok'] = h5py.SoftLink('../ok'); g['self'] = h5py.SoftLink('.')
    deep = f
    for at in range(100): deep = deep.create_group('d')
    deep['x'] = 1
`,
      join(root, 'secret.h5'),
      path,
    );
    const catalog = await catalogOf(path);
    expect(pathsOf(catalog, 'array')).toEqual(['ok']);
    for (const name of ['out', 'absolute', 'through', 'virtual'])
      expect(warningOf(catalog, name), name).toMatch(/outside/);
    for (const name of ['gone', 'missing'])
      expect(warningOf(catalog, name), name).toMatch(/no file nothing.h5/);
    for (const name of ['dangling', 'g/ok']) expect(warningOf(catalog, name), name).toMatch(/not there/);
    expect(warningOf(catalog, 'loop')).toMatch(/circle/);
    expect(warningOf(catalog, 'raw')).toMatch(/other files/);
    for (const name of ['g/up', 'g/self']) expect(warningOf(catalog, name), name).toMatch(/lies in/);
    expect(catalog.warnings.some(({ message }) => /64 groups deep/.test(message))).toBe(true);
    using hierarchy = Hdf5Hierarchy.open(path, inside);
    for (const name of ['out', 'through', 'loop', 'g/up/out'])
      expect(hierarchy.kindOf(name), name).toBeUndefined();
    expect(hierarchy.kindOf('g/up/ok')).toBe('array');
    expect(() => hierarchy.readRegion('raw', wholeRegion([4]), new Uint8Array(4))).toThrow(
      UnsupportedHdf5Error,
    );
  });

  it('says what cannot be shown, by name, and never shows it as something else', async () => {
    const path = join(inside, 'odd.h5');
    runH5py(
      `
with h5py.File(args[0], 'w') as f:
    f['opaque'] = np.array([b'abc'], 'V3')
    f['longdouble'] = np.zeros(3, np.longdouble)
    bfloat = h5py.h5t.IEEE_F32LE.copy(); bfloat.set_fields(15, 7, 8, 0, 7); bfloat.set_size(2); bfloat.set_ebias(127)
    h5py.h5d.create(f.id, b'bfloat16', bfloat, h5py.h5s.create_simple((3,)))
    dcpl = h5py.h5p.create(h5py.h5p.DATASET_CREATE); dcpl.set_chunk((3,)); dcpl.set_filter(40000, h5py.h5z.FLAG_OPTIONAL, (1,))
    h5py.h5d.create(f.id, b'filtered', h5py.h5t.STD_I16LE, h5py.h5s.create_simple((3,)), dcpl)
`,
      path,
    );
    const catalog = await catalogOf(path);
    expect(catalog.items).toEqual([]);
    expect(warningOf(catalog, 'opaque')).toMatch(/opaque of 3 bytes/);
    expect(warningOf(catalog, 'longdouble')).toMatch(/floating-point numbers of 16 bytes/);
    expect(warningOf(catalog, 'bfloat16')).toMatch(/not IEEE 754/);
    expect(warningOf(catalog, 'filtered')).toMatch(/filter 40000.*can't be undone/);
  });

  it('reads numbers of fewer bits, of either byte order, and elements never written', async () => {
    const path = join(inside, 'bits.h5');
    runH5py(
      `
with h5py.File(args[0], 'w') as f:
    for name, base in ((b'little', h5py.h5t.STD_I16LE), (b'big', h5py.h5t.STD_I16BE)):
        kind = base.copy(); kind.set_precision(12); kind.set_offset(2)
        d = h5py.h5d.create(f.id, name, kind, h5py.h5s.create_simple((4,)))
        d.write(h5py.h5s.ALL, h5py.h5s.ALL, np.array([1, -1, 5, -2000], 'i2'))
    f.create_dataset('filled', (1 << 38, 2048), '>i4', chunks=(64, 64), fillvalue=-7, compression='gzip')
`,
      path,
    );
    const catalog = await catalogOf(path);
    using source = hdf5.openSync!(path, catalog);
    for (const name of ['little', 'big']) {
      const values = new Int16Array(4);
      source.readRegion(name, wholeRegion([4]), new Uint8Array(values.buffer));
      expect([...values], name).toEqual([1, -1, 5, -2000]);
      expect(source.window(name, wholeRegion([4]))).toBeUndefined();
    }
    const corner = new Int32Array(100 * 100);
    source.readRegion('filled', { start: [2 ** 37, 1000], shape: [100, 100] }, new Uint8Array(corner.buffer));
    expect(corner.every((value) => value === -7)).toBe(true);
  });

  it('tells of every value what h5py reads', async () => {
    const path = join(inside, 'values.h5');
    runH5py(
      `
with h5py.File(args[0], 'w') as f:
    t = np.zeros(3, dtype=[('id', '>i8'), ('x', '<f2', (2,)), ('on', '?'), ('n', [('p', '>u2')]), ('s', 'S4'), ('v', h5py.string_dtype()), ('e', h5py.enum_dtype({'A': 0, 'B': 7}, 'u1')), ('r', h5py.ref_dtype), ('l', h5py.vlen_dtype('>i2'))])
    f['target'] = 1
    for at in range(3):
        t[at] = (2**62 + at, (at, .5), at == 1, (at + 300,), b'a\\0b'[:at + 1], 'ü' * at, 7 if at else 0, f['target'].ref if at else h5py.Reference(), np.arange(at))
    f['t'] = t
    f['grid'] = np.array([['a', 'b'], ['c', '']], object)
    f.attrs['list'] = [1, 2]; f.attrs['big'] = np.int64(2**62 + 1); f.attrs['nan'] = np.nan; f.attrs['on'] = np.bool_(True); f.attrs['to'] = f['t'].ref; f.attrs['none'] = h5py.Empty('f4')
`,
      path,
    );
    const catalog = await catalogOf(path);
    using source = hdf5.openSync!(path, catalog);
    const table = catalog.items.find((item) => item.kind === 'table' && item.path === 't');
    const names = table?.kind === 'table' ? table.columns.map(({ name }) => name) : [];
    const { columns } = source.readRows('t', 0, 3);
    expect(Object.fromEntries(names.map((name, at) => [name, columns[at]]))).toEqual({
      id: [2n ** 62n, 2n ** 62n + 1n, 2n ** 62n + 2n],
      'x[0]': [0, 1, 2],
      'x[1]': [0.5, 0.5, 0.5],
      on: [false, true, false],
      'n.p': [300, 301, 302],
      s: ['a', 'a', 'a\0b'],
      v: ['', 'ü', 'üü'],
      e: ['A', 'B', 'B'],
      r: ['', '/target', '/target'],
      l: ['[]', '[0]', '[0,1]'],
    });
    expect(source.readRows('grid', 1, 3).columns).toEqual([
      [0n, 1n, 1n],
      [1n, 0n, 1n],
      ['b', 'c', ''],
    ]);
    const text = catalog.items.find((item) => item.path === 'attributes.json');
    expect(text?.kind === 'text' && text.text).toMatch(/"big": 4611686018427387905,/);
    expect(text?.kind === 'text' && JSON.parse(text.text)).toMatchObject({
      '/': { list: [1, 2], nan: 'NaN', on: true, to: '/t', none: null },
    });
  });
});

describe('a chunk', () => {
  it('that only a filter nobody can undo here would give is refused before it is read', async () => {
    const path = join(inside, 'lzf-over-scaleoffset.h5');
    runH5py(
      `
with h5py.File(args[0], 'w') as f:
    f.create_dataset('both', data=np.random.default_rng(1).integers(0, 2**63, (5, 7)), chunks=(5, 6), scaleoffset=0, compression='lzf')
    f.create_dataset('one', data=np.arange(35, dtype='i8').reshape(5, 7), chunks=(5, 6), scaleoffset=0)
`,
      path,
    );
    const catalog = await catalogOf(path);
    expect(warningOf(catalog, 'both')).toBe("scaleoffset and lzf together can't be undone here");
    expect(pathsOf(catalog, 'array')).toEqual(['one']);
    using source = hdf5.openSync!(path, catalog);
    const bytes = new Uint8Array(280);
    source.readRegion('one', wholeRegion([5, 7]), bytes);
    expect(new BigInt64Array(bytes.buffer)).toEqual(BigInt64Array.from({ length: 35 }, (_, i) => BigInt(i)));
  });

  it('of texts of varying length under lzf gives them, and breaks nothing', async () => {
    const path = join(inside, 'lzf-texts.h5');
    const count = 3000;
    runH5py(
      `
texts = [('é%d' % i) * (i % 40) for i in range(3000)]
with h5py.File(args[0], 'w') as f:
    f.create_dataset('list', data=texts, dtype=h5py.string_dtype(), chunks=(700,), maxshape=(None,), compression='lzf')
    f.create_dataset('checked', data=texts, dtype=h5py.string_dtype(), chunks=(64,), compression='lzf', shuffle=True)
    f.create_dataset('partly', shape=(10,), dtype=h5py.string_dtype(), chunks=(4,), compression='lzf')[5:7] = ['x', 'y']
    f.create_dataset('pairs', shape=(4,), dtype=[('id', 'i4'), ('name', h5py.string_dtype())], chunks=(4,), compression='lzf')
    f['plain'] = np.arange(4)
`,
      path,
    );
    const catalog = await catalogOf(path);
    const texts = Array.from({ length: count }, (_, i) => `é${i}`.repeat(i % 40));
    using source = hdf5.openSync!(path, catalog);
    const columnOf = (table: string, first: number, rows: number) =>
      source.readRows(table, first, rows).columns.at(-1);
    expect(columnOf('list', 0, count)).toEqual(texts);
    expect(columnOf('list', 1390, 30)).toEqual(texts.slice(1390, 1420));
    expect(columnOf('checked', 0, count)).toEqual(texts);
    expect(columnOf('partly', 3, 6)).toEqual(['', '', 'x', 'y', '', '']);
    expect(warningOf(catalog, 'pairs')).toMatch(/lzf over values of varying length/);
    const plain = new Uint8Array(32);
    source.readRegion('plain', wholeRegion([4]), plain);
    expect([...new BigInt64Array(plain.buffer)]).toEqual([0n, 1n, 2n, 3n]);
  });

  it('that takes far more bytes than it holds is refused before it is in memory', async () => {
    const path = join(inside, 'padded.h5');
    runH5py(
      `
with h5py.File(args[0], 'w') as f:
    f.create_dataset('d', data=np.zeros((8, 8), 'u2'), chunks=(8, 8), compression='gzip')
`,
      path,
    );
    const file = readFileSync(path);
    // The index of chunks is a tree of type 1; the first key behind its head begins with the chunk's size.
    const node = file.indexOf(Buffer.from('TREE\x01', 'latin1'));
    file.writeUInt32LE(3 << 20, node + 24);
    writeFileSync(path, Buffer.concat([file, Buffer.alloc(4 << 20)]));
    const catalog = await catalogOf(path);
    using source = hdf5.openSync!(path, catalog);
    expect(() => source.readRegion('d', wholeRegion([8, 8]), new Uint8Array(128))).toThrow(
      /3145728 bytes for 128/,
    );
  });
});

describe('names', () => {
  it('of files that hold something else are left to others', async () => {
    const path = join(inside, 'no.h5');
    writeFileSync(path, 'no HDF5 file');
    expect(await hdf5.catalog!(path, { root: inside }, never)).toBeUndefined();
    mkdirSync(join(inside, 'folder.h5'));
    expect(await hdf5.catalog!(join(inside, 'folder.h5'), { root: inside }, never)).toBeUndefined();
    copyFileSync(path, join(inside, 'other.ims'));
    expect(hdf5.canOpen('x/other.ims')).toBe(true);
    expect(hdf5.canOpen('x/other.h5ad')).toBe(false);
  });
});
