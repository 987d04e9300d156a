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
  /** Warnings of the index and of reads, and the log. */
  readonly told: string;
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
  return { read, told: `${await mount.shell('cat .platefs/warnings.json')}${mount.log}`, pid };
}

/** Paths below a part of the mount that gave an error. */
const failed = ({ read }: Outcome, part: string): string[] =>
  Object.entries(read)
    .filter(([path, outcome]) => path.startsWith(`${part}/`) && outcome !== 'ok')
    .map(([path, outcome]) => `${path.slice(part.length + 1)} ${outcome}`);

async function withFolder(test: (mount: PlateMount, folder: string) => Promise<void>): Promise<void> {
  await using mount = await PlateMount.make({ plate: 'unset' });
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
          expect(outcome.told).toContain(name);
        expect(outcome.told).toContain('1d.contiguous.zlib.i2');
      });
    }, 60_000);

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
          expect(outcome.told, name).toMatch(new RegExp(`wrong\\.zarr[^"]*${name}|${name}[^"]*wrong\\.zarr`));
      });
    }, 60_000);

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
        expect(outcome.told).toMatch(/bomb\.h5\/loop[^"]*circle/);
        rmSync(join(folder, 'self.zarr'));
      });
    }, 60_000);
  },
);
