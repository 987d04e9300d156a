import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { writeBzip2 } from '../fixtures/damaged-hdf5.ts';
import { folderEntries, zipFile } from '../fixtures/zip.ts';
import { mountProblem } from './harness.ts';
import { PlateMount, SHARED_DATA } from './plate-mount.ts';
import { untilTold } from './told.ts';

const problem = mountProblem();
const why = problem ?? (existsSync(SHARED_DATA) ? undefined : '../shared/data is absent');
const data = (path: string): string => join(SHARED_DATA, path);

/** More than any of these folders' good files need. */
const MOST_MEMORY_MIB = 600;

/** What a client gets who reads all of a file: `ok`, or the name of the errno. */
const READ_ALL = `
import errno
out = {}
for top, folders, files in os.walk(mnt):
  if '.platefs' in folders: folders.remove('.platefs')
  for name in files:
    path = os.path.join(top, name)
    size = os.stat(path).st_size
    try:
      with open(path, 'rb') as file:
        if size <= 1 << 26: assert len(file.read()) == size, path
        else:
          for at in (0, size // 2, size - 100):
            file.seek(at); assert len(file.read(100)) == 100, path
      out[os.path.relpath(path, mnt)] = 'ok'
    except OSError as error: out[os.path.relpath(path, mnt)] = errno.errorcode[error.errno]
print(json.dumps(out))
`;

/** Sources that say they are far larger than they are, below `argv[0]`. */
const MAKE_BOMBS = `
import struct, h5py
folder = argv[0]
def tiff(name, width, height, next_at, strip):
  tags = [(256, 4, width), (257, 4, height), (258, 3, 8), (259, 3, 1), (262, 3, 1), (273, 4, 200), (277, 3, 1), (278, 4, height), (279, 4, strip)]
  entries = b''.join(struct.pack('<HHII', tag, kind, 1, value) for tag, kind, value in tags)
  head = b'II*\\0' + struct.pack('<IH', 8, len(tags)) + entries + struct.pack('<I', next_at)
  open(folder + '/' + name, 'wb').write(head.ljust(200, b'\\0') + bytes(100))
tiff('bomb.tif', 2 ** 30, 2 ** 30, 0, 100)
tiff('circle.tif', 10, 10, 8, 100)
def node(path, document, name='zarr.json'):
  os.makedirs(folder + '/' + path, exist_ok=True)
  json.dump(document, open(folder + '/' + path + '/' + name, 'w'))
node('shards.zarr', {'zarr_format': 3, 'node_type': 'group'})
grid = lambda size: {'name': 'regular', 'configuration': {'chunk_shape': [size, size]}}
inner = {'chunk_shape': [16, 16], 'codecs': [{'name': 'bytes', 'configuration': {'endian': 'little'}}], 'index_codecs': [{'name': 'bytes', 'configuration': {'endian': 'little'}}, {'name': 'crc32c'}]}
for name, size in (('cut', 64), ('bomb', 2 ** 30)):
  node('shards.zarr/' + name, {'zarr_format': 3, 'node_type': 'array', 'shape': [size, size], 'data_type': 'uint16', 'chunk_grid': grid(min(size, 2 ** 20)), 'chunk_key_encoding': {'name': 'default'}, 'fill_value': 0, 'codecs': [{'name': 'sharding_indexed', 'configuration': inner}]})
os.makedirs(folder + '/shards.zarr/cut/c/0')
open(folder + '/shards.zarr/cut/c/0/0', 'wb').write(bytes(100))
axes = [{'name': n, 'type': t} for n, t in (('t', 'time'), ('c', 'channel'), ('z', 'space'), ('y', 'space'), ('x', 'space'))]
scale = {'type': 'scale', 'scale': [1] * 5}
node('image.zarr', {'zarr_format': 2}, '.zgroup')
node('image.zarr', {'multiscales': [{'version': '0.4', 'axes': axes, 'datasets': [{'path': '0', 'coordinateTransformations': [scale]}]}]}, '.zattrs')
node('image.zarr/0', {'zarr_format': 2, 'shape': [4096] * 5, 'chunks': [1, 1, 1, 4096, 4096], 'dtype': '<u2', 'compressor': None, 'fill_value': 5, 'order': 'C', 'filters': None, 'dimension_separator': '/'}, '.zarray')
with h5py.File(folder + '/lies.h5ad', 'w') as f:
  f.attrs['encoding-type'] = 'anndata'; f.attrs['encoding-version'] = '0.1.0'
  for name in ('obs', 'var'):
    g = f.create_group(name)
    g.attrs.update({'encoding-type': 'dataframe', 'encoding-version': '0.2.0', '_index': '_index', 'column-order': np.array([], 'S')})
    g.create_dataset('_index', data=['a', 'b'], dtype=h5py.string_dtype())
  x = f.create_group('X')
  x.attrs.update({'encoding-type': 'csr_matrix', 'encoding-version': '0.1.0', 'shape': [2 ** 30, 2 ** 30]})
  x['indptr'] = np.array([0, 2 ** 60, 2 ** 61]); x['indices'] = np.arange(3); x['data'] = np.ones(3)
  f.create_dataset('layers/large', (2 ** 30, 2 ** 30), 'f8', chunks=(1024, 1024))
`;

/** Resident memory of the mount's processes at its highest. */
function peakMiB(mount: PlateMount): number {
  const peaks = mount.processes().map((pid) => {
    const [, kib = '0'] = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    return Number(kib) / 1024;
  });
  return Math.max(...peaks);
}

interface Outcome {
  /** By path in the mount. */
  readonly read: Readonly<Record<string, string>>;
  /** Warnings of the index and of reads, or the log, say something. */
  readonly tells: (what: string | RegExp) => Promise<void>;
  readonly pid: number;
}

/** Mounts a folder, reads all of it twice, and sees that one daemon did it within its memory. */
async function readAll(mount: PlateMount, folder: string): Promise<Outcome> {
  await mount.json(mount.mountWords().map((word) => (word === 'unset' ? folder : word)));
  const { pid } = await mount.status();
  const read = JSON.parse(await mount.python(READ_ALL)) as Record<string, string>;
  expect(JSON.parse(await mount.python(READ_ALL))).toEqual(read);
  expect((await mount.status()).pid).toBe(pid);
  expect(peakMiB(mount)).toBeLessThan(MOST_MEMORY_MIB);
  return { read, tells: (what) => untilTold(mount, what), pid };
}

/** Paths below a part of the mount that gave an error. */
const failed = ({ read }: Outcome, part: string): string[] =>
  Object.entries(read)
    .filter(([path, outcome]) => path.startsWith(`${part}/`) && outcome !== 'ok')
    .map(([path, outcome]) => `${path.slice(part.length + 1)} ${outcome}`);

async function withFolder(
  test: (mount: PlateMount, folder: string) => Promise<void>,
  args: readonly string[] = [],
): Promise<void> {
  await using mount = await PlateMount.make({ plate: 'unset', args });
  const folder = join(mount.folder, 'several');
  mkdirSync(folder);
  cpSync(data('ilastik-h5/probabilities.h5'), join(folder, 'good.h5'));
  await test(mount, folder);
}

describe.skipIf(why)(
  `sources that are damaged, mounted${why === undefined ? '' : ` (skipped: ${why})`}`,
  () => {
    it('truncated files and stores: each says so, and the others are read', async () => {
      await withFolder(async (mount, folder) => {
        const cut = (from: string, name: string, keep: number): void => {
          const path = join(folder, name);
          cpSync(data(from), path);
          truncateSync(path, Math.floor(statSync(path).size * keep));
        };
        cut('bdv-h5/mri-stack.h5', 'half.h5', 0.5);
        cut('h5ad/anndata-0.7.0.h5ad', 'half.h5ad', 0.5);
        cut('tiff-zoo/imagejs-color16.tif', 'half.tif', 0.5);
        cut('tiff-zoo/imagejs-grey8.tif', 'head.tif', 0.001);
        const store = data('zarr-arrays/v2.zarr');
        const zip = zipFile(folderEntries(store));
        writeFileSync(join(folder, 'half.zarr.zip'), zip.subarray(0, zip.length / 2));
        cpSync(store, join(folder, 'chunk.zarr'), { recursive: true });
        const array = join(folder, 'chunk.zarr/1d.contiguous.zlib.i2');
        const chunk = readdirSync(array).find((name) => /^\d/.test(name)) ?? '';
        truncateSync(join(array, chunk), 5);
        await writeBzip2(join(folder, 'broken.h5'), true);
        const outcome = await readAll(mount, folder);
        expect(failed(outcome, 'good.h5')).toEqual([]);
        expect(failed(outcome, 'chunk.zarr')).toEqual(['arrays/1d.contiguous.zlib.i2.npy EIO']);
        expect(failed(outcome, 'broken.h5')).toContain('arrays/a.npy EIO');
        for (const name of ['half.h5', 'half.h5ad', 'half.tif', 'head.tif', 'half.zarr.zip', 'broken.h5'])
          await outcome.tells(name);
        await outcome.tells('1d.contiguous.zlib.i2');
      });
    });

    it('missing chunks are the fill value, and wrong metadata is told of', async () => {
      await withFolder(async (mount, folder) => {
        const store = join(folder, 'wrong.zarr');
        const array = (name: string, metadata: object): void => {
          mkdirSync(join(store, name), { recursive: true });
          const full = {
            zarr_format: 2,
            shape: [4],
            chunks: [4],
            dtype: '<i2',
            compressor: null,
            fill_value: 7,
            order: 'C',
            filters: null,
            ...metadata,
          };
          writeFileSync(join(store, name, '.zarray'), JSON.stringify(full));
        };
        mkdirSync(store);
        writeFileSync(join(store, '.zgroup'), '{"zarr_format":2}');
        array('missing', {});
        array('codec', { compressor: { id: 'nobody-knows' } });
        array('negative', { shape: [-4] });
        array('rank', { chunks: [2, 2] });
        array('dtype', { dtype: '<x9' });
        array('bomb', { shape: [2 ** 30, 2 ** 30], chunks: [2 ** 10, 2 ** 10] });
        array('huge', { shape: [2 ** 20, 2 ** 20], chunks: [2 ** 20, 2 ** 20] });
        mkdirSync(join(store, 'text'));
        writeFileSync(join(store, 'text/.zarray'), '{"zarr_format":2, "sha');
        const outcome = await readAll(mount, folder);
        expect(failed(outcome, 'good.h5')).toEqual([]);
        expect(await mount.python("print(np.load(mnt + '/wrong.zarr/arrays/missing.npy').tolist())")).toBe(
          '[7, 7, 7, 7]\n',
        );
        for (const name of ['codec', 'negative', 'rank', 'dtype', 'text'])
          await outcome.tells(new RegExp(`wrong\\.zarr[^"]*${name}|${name}[^"]*wrong\\.zarr`));
      });
    });

    it('dimension bombs and circles in HDF5 files cost neither memory nor the mount', async () => {
      await withFolder(async (mount, folder) => {
        await mount.python(
          `
import h5py
with h5py.File(argv[0] + '/bomb.h5', 'w') as f:
  f.create_dataset('elements', (1 << 30, 1 << 30), 'u1', chunks=(1 << 10, 1 << 10))
  f.create_dataset('chunk', (1 << 31, 8), 'u1', chunks=(1 << 28, 8), compression='gzip')
  f['loop'] = h5py.SoftLink('/loop'); f['a/up'] = h5py.SoftLink('/'); f['a/other'] = h5py.ExternalLink('bomb.h5', '/a')
  f['fine'] = np.arange(4)
`,
          folder,
        );
        mkdirSync(join(folder, 'circle'));
        symlinkSync('..', join(folder, 'circle/up'));
        symlinkSync('self.zarr', join(folder, 'self.zarr'));
        const outcome = await readAll(mount, folder);
        expect(failed(outcome, 'good.h5')).toEqual([]);
        expect(await mount.python("print(np.load(mnt + '/bomb.h5/arrays/fine.npy').tolist())")).toBe(
          '[0, 1, 2, 3]\n',
        );
        await outcome.tells(/bomb\.h5\/loop[^"]*circle/);
        rmSync(join(folder, 'self.zarr'));
      });
    });

    it('dimension bombs and circles in TIFFs, shards that end early, and AnnData that lies about its size', async () => {
      await withFolder(
        async (mount, folder) => {
          await mount.python(MAKE_BOMBS, folder);
          const outcome = await readAll(mount, folder);
          expect(failed(outcome, 'good.h5')).toEqual([]);
          expect(failed(outcome, 'shards.zarr')).toEqual(['arrays/cut.npy EIO']);
          for (const name of ['bomb.tif', 'circle.tif', 'shards.zarr', 'image.zarr', 'lies.h5ad'])
            await outcome.tells(name);
        },
        ['--as', 'sources'],
      );
    });
  },
);
