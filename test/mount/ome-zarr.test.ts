import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type ImageToWrite, writePlate } from '../fixtures/ome-zarr.ts';
import { put } from '../fixtures/zarr.ts';
import { eventually } from './harness.ts';
import { PlateMount, readTree, SHARED_DATA } from './plate-mount.ts';
import { untilLogged } from './told.ts';

const DATA = SHARED_DATA;

interface TruthPlane {
  readonly virtual: string;
  readonly sha256_pixels: string;
}

const sha = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** Checksum of the pixels of every image, as tifffile reads them. */
async function pixelSums(plate: PlateMount): Promise<Record<string, string>> {
  const text = await plate.python(`
import hashlib, tifffile
folder = os.path.join(mnt, 'images')
def digest(name):
  image = tifffile.imread(os.path.join(folder, name))
  return hashlib.sha256(np.ascontiguousarray(image.astype(image.dtype.newbyteorder('<'))).tobytes()).hexdigest()
print(json.dumps({name: digest(name) for name in os.listdir(folder)}))
`);
  return JSON.parse(text) as Record<string, string>;
}

/** Checksum of every file below source/, by path. */
async function sourceSums(plate: PlateMount): Promise<Record<string, string>> {
  const text = await plate.python(`
import hashlib
root = os.path.join(mnt, 'source')
out = {}
for folder, _, names in os.walk(root):
  for name in names:
    path = os.path.join(folder, name)
    with open(path, 'rb') as file: data = file.read()
    assert len(data) == os.stat(path).st_size, path
    out[os.path.relpath(path, root)] = hashlib.sha256(data).hexdigest()
print(json.dumps(out))
`);
  return JSON.parse(text) as Record<string, string>;
}

const diskSums = (folder: string): Record<string, string> =>
  Object.fromEntries([...readTree(folder)].map(([path, bytes]) => [path, sha(bytes)]));

describe.skipIf(!existsSync(DATA))(
  'a mounted OME-Zarr plate (skipped where ../shared/data is absent)',
  () => {
    it.each(['ngff04-hcs-3d', 'ngff05-hcs'])(
      '%s: images and source are what its truth file says',
      async (set) => {
        const { planes } = JSON.parse(readFileSync(join(DATA, `${set}.truth.json`), 'utf8')) as {
          planes: TruthPlane[];
        };
        await using plate = await PlateMount.start({ plate: join(DATA, set) });
        const expected = Object.fromEntries(
          planes.map(({ virtual, sha256_pixels }) => [virtual, sha256_pixels]),
        );
        expect(await pixelSums(plate)).toEqual(expected);
        expect(await sourceSums(plate)).toEqual(diskSums(join(DATA, set)));
      },
    );
  },
);

describe('a mounted OME-Zarr plate', () => {
  const image = (path: string, separator: '.' | '/'): ImageToWrite => ({
    path,
    shape: [2, 2, 3, 30, 50],
    separator,
  });

  it.each(['0.4', '0.5'] as const)('of version %s has its planes in images and stacks', async (version) => {
    const folder = mkdtempSync(join(tmpdir(), 'platefs-ngff-'));
    try {
      const written = writePlate(join(folder, 'p.zarr'), {
        version,
        wells: { 'A/1': [image('0', '/'), image('1', '.')], 'H/12': [image('x', '/')] },
      });
      const expected: Record<string, string> = {};
      const fields = { 'A/1/0': 'A01_s001', 'A/1/1': 'A01_s002', 'H/12/x': 'H12_s001' };
      for (const [path, field] of Object.entries(fields)) {
        const { bytes } = written.get(path)!;
        for (let page = 0; page < 12; page++) {
          const [t, c, z] = [Math.floor(page / 6) + 1, (Math.floor(page / 3) % 2) + 1, (page % 3) + 1];
          expected[`${field}_w${c}_z00${z}_t00${t}.tif`] = sha(
            bytes.subarray(page * 3000, (page + 1) * 3000),
          );
        }
      }
      writeFileSync(join(folder, 'p.zarr/A/1/0/0/notes of a user.txt'), 'kept');
      await using plate = await PlateMount.start({ plate: folder });
      expect(await pixelSums(plate)).toEqual(expected);
      expect(await sourceSums(plate)).toEqual(diskSums(folder));
      const stack = await plate.python(`
import hashlib, tifffile
stack = tifffile.imread(os.path.join(mnt, 'stacks', 'A01_s002.ome.tif'))
print(json.dumps([list(stack.shape), hashlib.sha256(stack.transpose(0, 2, 1, 3, 4).tobytes()).hexdigest()]))
`);
      // Planes of a stack run over channels first.
      expect(JSON.parse(stack)).toEqual([[2, 3, 2, 30, 50], sha(written.get('A/1/1')!.bytes)]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('shows chunks as they come and go', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'platefs-ngff-'));
    try {
      writePlate(folder, { version: '0.4', wells: { 'A/1': [{ path: '0', shape: [2, 3, 20, 20] }] } });
      const array = join(folder, 'A/1/0/0');
      const bytes = readFileSync(join(array, '0/1/0/0'));
      rmSync(join(array, '0/1'), { recursive: true });
      await using plate = await PlateMount.start({ plate: folder });
      const list = async (): Promise<string> =>
        (await plate.shell('cd source/A/1/0/0 && find . -type f | sort')).trim();
      const before = await list();
      expect(before.split('\n')).toEqual([
        './.zarray',
        ...['0/0', '0/2', '1/0', '1/1', '1/2'].map((z) => `./${z}/0/0`),
      ]);
      expect((await plate.run('cat', [plate.path('source/A/1/0/0/0/1/0/0')])).stderr).toContain(
        'No such file',
      );
      put(join(array, '0/1/0/0'), bytes);
      await eventually('the new chunk is listed', async () => (await list()).includes('./0/1/0/0'));
      expect(
        await plate.python(
          "sys.stdout.write(str(len(open(os.path.join(mnt, argv[0]), 'rb').read())))",
          'source/A/1/0/0/0/1/0/0',
        ),
      ).toBe(String(bytes.length));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('keeps open chunks and their folders readable when the daemon is killed', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'platefs-ngff-'));
    try {
      writePlate(folder, { version: '0.5', wells: { 'A/1': [{ path: '0', shape: [2, 3, 20, 20] }] } });
      await using plate = await PlateMount.start({ plate: folder, args: ['-o', 'nopassthrough'] });
      const ready = join(plate.folder, 'ready');
      const running = plate.python(
        `
import time
array = os.path.join(mnt, 'source/A/1/0/0')
fd = os.open(os.path.join(array, 'c/1/2/0/0'), os.O_RDONLY)
inode = os.fstat(fd).st_ino
open(argv[0] + '/ready', 'w').close()
deadline = time.monotonic() + 80
while not os.path.exists(argv[0] + '/killed'):
  assert time.monotonic() < deadline
  time.sleep(0.01)
assert os.listdir(os.path.join(array, 'c')) == ['0', '1']
assert os.stat(os.path.join(array, 'c/1/2/0/0')).st_ino == inode
sys.stdout.write(os.pread(fd, 1 << 20, 0).hex())
`,
        plate.folder,
      );
      await eventually('the chunk is open', () => existsSync(ready));
      process.kill((await plate.status()).pid, 'SIGKILL');
      writeFileSync(join(plate.folder, 'killed'), '');
      expect(await running).toBe(readFileSync(join(folder, 'A/1/0/0/c/1/2/0/0')).toString('hex'));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('gives an I/O error for a damaged chunk, zeros for one that is not there, and the rest', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'platefs-ngff-'));
    try {
      writePlate(folder, { version: '0.4', wells: { 'A/1': [{ path: '0', shape: [3, 20, 20] }] } });
      const chunk = join(folder, 'A/1/0/0/0/0/0');
      writeFileSync(chunk, readFileSync(chunk).subarray(0, -3));
      rmSync(join(folder, 'A/1/0/0/1'), { recursive: true });
      await using plate = await PlateMount.start({ plate: folder });
      const result = await plate.python(`
import tifffile, errno
def read(z): return tifffile.imread(os.path.join(mnt, 'images', f'A01_s001_w1_z00{z}_t001.tif'))
try:
  read(1)
  print('read')
except OSError as error: print(errno.errorcode[error.errno])
print(int(read(2).max()), int(read(3).max()) > 0)
`);
      expect(result).toBe('EIO\n0 True\n');
      await untilLogged(plate, chunk);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
