import { cpSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PLATE_ROWS } from '../fixtures/every-plate.ts';
import { hasH5py } from '../fixtures/hdf5.ts';
import { put, writeV2 } from '../fixtures/zarr.ts';
import { folderEntries, zipFile } from '../fixtures/zip.ts';
import { eventually, mountProblem } from './harness.ts';
import { agePlate, PlateMount, PYTHON } from './plate-mount.ts';

const why = mountProblem() ?? (hasH5py() ? undefined : 'h5py is missing');

const FILES = 32;
const STORES = 6;
const PLATES = 6;
const MOST_MEMORY_MIB = 700;
/** What a reader may be told of a file that is damaged. */
const HONEST = new Set(['ok', 'EIO', 'ESTALE', 'EBUSY']);

/** Good files to be damaged, and a Zarr store. */
const WRITE_GOOD = `
import sys, os, numpy as np, tifffile, h5py, zarr
top = sys.argv[1]
a = (np.arange(3 * 64 * 64) % 509).astype('u2').reshape(3, 64, 64)
tifffile.imwrite(top + '/plain.tif', a, imagej=True)
tifffile.imwrite(top + '/zip.tif', a, compression='zlib', rowsperstrip=8)
tifffile.imwrite(top + '/tiles.ome.tif', a, tile=(32, 32), compression='zlib', predictor=True, ome=True)
tifffile.imwrite(top + '/big.tif', a, bigtiff=True, byteorder='>')
with h5py.File(top + '/data.h5', 'w') as f:
  f.create_dataset('g/a', data=a, chunks=(2, 16, 16), compression='gzip', shuffle=True)
  f.create_dataset('b', data=a[0])
  f.create_dataset('t', data=np.array([b'one', b'two'] * 20))
  f['g'].attrs['text'] = 'words'
with h5py.File(top + '/late.h5', 'w', libver='latest') as f:
  f.create_dataset('a', data=a, chunks=(1, 32, 32), maxshape=(None, 64, 64), fletcher32=True)
g = zarr.open_group(top + '/store.zarr', mode='w')
g.create_dataset('a', data=a, chunks=(1, 32, 32))
g.create_dataset('b', data=a[0], chunks=(64, 16), compressor=None)
g.attrs['multiscales'] = [{'version': '0.4', 'axes': [{'name': n, 'type': 'space'} for n in 'zyx'],
  'datasets': [{'path': 'a', 'coordinateTransformations': [{'type': 'scale', 'scale': [1, 1, 1]}]}]}]
zarr.consolidate_metadata(top + '/store.zarr')
`;

/** Places are shares of the file. */
const damage = fc.oneof(
  fc.record({ kind: fc.constant('cut' as const), at: fc.double({ min: 0, max: 1, noNaN: true }) }),
  fc.record({
    kind: fc.constant('flip' as const),
    // Heads and directories are what everything rests on.
    at: fc.oneof(fc.double({ min: 0, max: 1, noNaN: true }), fc.double({ min: 0, max: 0.02, noNaN: true })),
    by: fc.uint8Array({ minLength: 1, maxLength: 8 }),
  }),
  fc.record({
    kind: fc.constant('move' as const),
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    to: fc.double({ min: 0, max: 1, noNaN: true }),
    sizeBytes: fc.integer({ min: 1, max: 600 }),
  }),
  fc.record({
    kind: fc.constant('number' as const),
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    as: fc.constantFrom('-1', '0', '99999999999', '1e300', 'null', '"x"', '[]', '<', ''),
  }),
);
type Damage = typeof damage extends fc.Arbitrary<infer T> ? T : never;
type Bytes = Buffer<ArrayBufferLike>;
const damages = fc.array(damage, { minLength: 1, maxLength: 3 });

function damaged(bytes: Bytes, what: Damage): Bytes {
  const at = Math.floor(what.at * bytes.length);
  switch (what.kind) {
    case 'cut':
      return bytes.subarray(0, at);
    case 'flip':
      what.by.forEach((by, i) => {
        if (at + i < bytes.length) bytes[at + i] = (bytes[at + i] ?? 0) ^ by;
      });
      return bytes;
    case 'move':
      bytes.copyWithin(Math.floor(what.to * bytes.length), at, at + what.sizeBytes);
      return bytes;
    case 'number': {
      // The next number of a text becomes another.
      const text = bytes.toString('latin1');
      const rest = text.slice(at).replace(/\d+/, what.as);
      return Buffer.from(text.slice(0, at) + rest, 'latin1');
    }
  }
}

function damageFile(path: string, all: readonly Damage[]): void {
  writeFileSync(
    path,
    all.reduce<Bytes>((bytes, one) => damaged(bytes, one), readFileSync(path)),
  );
}

const filesBelow = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .sort()
    .filter((name) => statSync(join(folder, name)).isFile());

/** The same for the same seed. */
const drawn = <T>(arbitrary: fc.Arbitrary<T>, count: number): T[] =>
  fc.sample(arbitrary, { numRuns: count, seed: fc.readConfigureGlobal().seed ?? 0 });

const READ_ALL = `
import errno
out = {}
for top, folders, files in os.walk(mnt):
  if '.platefs' in folders: folders.remove('.platefs')
  for name in files:
    path = os.path.join(top, name)
    try:
      size = os.stat(path).st_size
      with open(path, 'rb') as file:
        if size <= 1 << 24: got = len(file.read()) == size
        else:
          file.seek(size - 100); got = len(file.read()) == 100
      out[path] = 'ok' if got else 'short'
    except OSError as error: out[path] = errno.errorcode[error.errno]
print(json.dumps(out))
`;

/** Mounts a folder and reads all of it: every file is there as long as it says, or refused, by one daemon within its memory. */
async function expectHonest(mount: PlateMount, folder: string, ...words: string[]): Promise<void> {
  agePlate(folder);
  const mounting = mount.mountWords().map((word) => (word === 'unset' ? folder : word));
  const { pid } = await mount.json<{ pid: number }>([...mounting, ...words]);
  const read = JSON.parse(
    await mount.succeed(PYTHON, [
      '-c',
      `import os, sys, json\nmnt = sys.argv[1]\n${READ_ALL}`,
      mount.mountpoint,
    ]),
  ) as Record<string, string>;
  expect(Object.entries(read).filter(([, outcome]) => !HONEST.has(outcome))).toEqual([]);
  expect(Object.values(read)).toContain('ok');
  expect((await mount.status()).pid).toBe(pid);
  expect(mount.log).not.toMatch(/TypeError|ReferenceError|Invalid array length|heap out of memory/);
  const peaks = mount.processes().map((one) => {
    const [, kib = '0'] = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${one}/status`, 'utf8')) ?? [];
    return Number(kib) / 1024;
  });
  expect(Math.max(...peaks)).toBeLessThan(MOST_MEMORY_MIB);
}

describe.skipIf(why !== undefined)(`files damaged at random, mounted (${why ?? 'all present'})`, () => {
  it('TIFFs, HDF5 files, zip files and stores are read or refused, and the daemon lives', async () => {
    await using mount = await PlateMount.make({ plate: 'unset' });
    const good = join(mount.folder, 'good');
    const folder = join(mount.folder, 'damaged');
    for (const one of [good, folder]) mkdirSync(one);
    await mount.succeed(PYTHON, ['-c', WRITE_GOOD, good]);
    const store = join(good, 'store.zarr');
    writeFileSync(join(good, 'packed.zarr.zip'), zipFile(folderEntries(store, 'deflate')));
    const originals = readdirSync(good, { withFileTypes: true }).filter((entry) => entry.isFile());
    for (const [i, { all, which }] of drawn(fc.record({ all: damages, which: fc.nat() }), FILES).entries()) {
      const { name } = originals[which % originals.length]!;
      cpSync(join(good, name), join(folder, `${i}-${name}`));
      damageFile(join(folder, `${i}-${name}`), all);
    }
    const inStore = fc.array(fc.record({ all: damages, which: fc.nat() }), { minLength: 1, maxLength: 3 });
    for (const [i, changes] of drawn(inStore, STORES).entries()) {
      const copy = join(folder, `${i}.zarr`);
      cpSync(store, copy, { recursive: true });
      const files = filesBelow(copy);
      for (const { all, which } of changes) damageFile(join(copy, files[which % files.length]!), all);
    }
    cpSync(join(good, 'data.h5'), join(folder, 'whole.h5'));
    await expectHonest(mount, folder, '--as', 'sources');
  });

  it('one plate of several that can not be shown is an ordinary folder, and that is told', async () => {
    await using mount = await PlateMount.make({ plate: 'unset' });
    const folder = join(mount.folder, 'plates');
    mkdirSync(folder);
    await PLATE_ROWS[0]!.make(join(folder, 'whole'));
    // An image of OME-NGFF whose only level is not there.
    put(join(folder, 'broken.zarr/.zgroup'), { zarr_format: 2 });
    put(join(folder, 'broken.zarr/.zattrs'), {
      multiscales: [{ version: '0.4', axes: [{ name: 'y' }, { name: 'x' }], datasets: [{ path: '0' }] }],
    });
    await expectHonest(mount, folder);
    expect(await mount.shell('ls . whole; cat .platefs/warnings.json')).toMatch(
      /images.*broken\.zarr is shown as it is: .*no image was found/s,
    );
    const { stdout, code } = await mount.platefs('inspect', folder);
    expect([code, stdout]).toEqual([0, expect.stringContaining('broken.zarr is shown as it is')]);
    // It stays told of as long as it holds, whatever else changes.
    const warnings = async (): Promise<string> => await mount.shell('cat .platefs/warnings.json');
    const seen = async (name: string): Promise<boolean> => (await mount.shell('ls -A')).includes(name);
    writeFileSync(join(folder, 'notes.txt'), 'new');
    await eventually('the file is there', () => seen('notes.txt'));
    expect(await warnings()).toContain('broken.zarr is shown as it is');
    mkdirSync(join(folder, 'broken.zarr/1'));
    writeFileSync(join(folder, 'more.txt'), 'new');
    await eventually('the next is there', () => seen('more.txt'));
    expect(await warnings()).toContain('broken.zarr is shown as it is');
    const image = { shape: [8, 8], chunkShape: [8, 8], itemBytes: 2, bytes: new Uint8Array(128) };
    writeV2(join(folder, 'broken.zarr/0'), image, { dtype: '<u2' });
    await eventually('that it is whole is told', async () =>
      (await warnings()).includes('broken.zarr has become a plate'),
    );
    expect(await warnings()).not.toContain('broken.zarr is shown as it is');
  });

  it('documents and images of plates are read or refused, and the daemon lives', async () => {
    await using mount = await PlateMount.make({ plate: 'unset' });
    const folder = join(mount.folder, 'plates');
    mkdirSync(folder);
    await PLATE_ROWS[0]!.make(join(folder, 'whole'));
    const plates = fc.record({
      row: fc.nat(),
      changes: fc.array(fc.record({ all: damages, which: fc.nat() }), { minLength: 1, maxLength: 4 }),
    });
    for (const [i, { row, changes }] of drawn(plates, PLATES).entries()) {
      const plate = join(folder, `plate${i}`);
      await PLATE_ROWS[row % PLATE_ROWS.length]!.make(plate);
      const all = filesBelow(plate);
      // There are far more images than documents.
      const documents = all.filter((name) => !/^\.(?:tif|tiff|flex|c01)$/i.test(extname(name)));
      for (const [place, change] of changes.entries()) {
        const files = place % 2 === 0 && documents.length > 0 ? documents : all;
        damageFile(join(plate, files[change.which % files.length]!), change.all);
      }
    }
    await expectHonest(mount, folder);
  });
});
