import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CANONICAL, putMetadata, putNamedArray, putTiffs } from '../fixtures/openhcs-plate.ts';
import { put } from '../fixtures/zarr.ts';
import { mountProblem } from './harness.ts';
import { PlateMount, SHARED_DATA } from './plate-mount.ts';

const problem = mountProblem();
const why = problem === undefined ? '' : ` (skipped: ${problem})`;
const sha = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** Checksum of the pixels of every image, as tifffile reads them. */
async function pixelSums(mount: PlateMount): Promise<Record<string, string>> {
  const text = await mount.python(`
import hashlib, tifffile
folder = os.path.join(mnt, 'images')
def digest(name):
  image = tifffile.imread(os.path.join(folder, name))
  return hashlib.sha256(np.ascontiguousarray(image.astype(image.dtype.newbyteorder('<'))).tobytes()).hexdigest()
print(json.dumps({name: digest(name) for name in os.listdir(folder)}))`);
  return JSON.parse(text) as Record<string, string>;
}

describe.skipIf(problem)(`a mounted plate of OpenHCS${why}`, () => {
  const sets = ['openhcs-plate-zarr', 'openhcs-plate-zarr-file', 'openhcs-plate-zarr-2026'];
  it.each(sets)(
    '%s: names and pixels are those of the truth file (skipped without shared data)',
    async (set) => {
      if (!existsSync(join(SHARED_DATA, set))) return;
      const truth = JSON.parse(readFileSync(join(SHARED_DATA, `${set}.truth.json`), 'utf8')) as {
        plate_root: string;
        main: string[];
        planes: { virtual: string; sha256_pixels: string }[];
      };
      const plate = join(SHARED_DATA, set, truth.plate_root);
      await using mount = await PlateMount.start({ plate });
      const inMain = truth.planes.filter(({ virtual }) => truth.main.includes(virtual.split('/')[0] ?? ''));
      expect(await pixelSums(mount)).toEqual(
        Object.fromEntries(
          inMain.map(({ virtual, sha256_pixels }) => [virtual.split('/')[1], sha256_pixels]),
        ),
      );
      await mount.succeed('diff', ['-r', plate, mount.path('source')]);
    },
  );

  it('has results and checkpoints as files, and its planes out of Zarr and out of a mapping alike', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'platefs-openhcs-'));
    try {
      const bytes = putNamedArray(join(folder, 'images/A/01/0/0'), [1, 2, 1], 'polystore_filename_map', {
        'A01_s001_w1_z001_t001.tif': [0, 1, 0],
        'A01_s001_w4_z001_t001.tif': [0, 0, 0],
      });
      putTiffs(join(folder, 'checkpoints_step1'), ['A01_s001_w1_z001_t001.tif']);
      put(join(folder, 'images_results/A01_details.csv'), 'a,b\n');
      putMetadata(folder, {
        checkpoints_step1: {
          image_files: ['checkpoints_step1/A01_s001_w1_z001_t001.tif'],
          available_backends: { disk: true },
        },
        images: { ...CANONICAL, available_backends: { zarr: true }, main: true },
      });
      await using mount = await PlateMount.start({ plate: folder });
      expect(await pixelSums(mount)).toEqual({
        'A01_s001_w1_z001_t001.tif': sha(bytes.subarray(1200)),
        'A01_s001_w4_z001_t001.tif': sha(bytes.subarray(0, 1200)),
      });
      await mount.succeed('diff', ['-r', folder, mount.path('source')]);
      expect(await mount.shell('cat .platefs/warnings.json')).toContain('other-subdirectory');
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('a raw plate keeps its names beside a mapping, and says where that differs', async () => {
    await using mount = await PlateMount.start({
      prepare: (root, { planes }) => {
        const [first, ...rest] = planes;
        const entries = rest.map(({ name, source }) => [name, source]);
        putMetadata(root, {
          '.': {
            ...CANONICAL,
            workspace_mapping: { 'H12_s001_w1_z001_t001.tif': first?.source, ...Object.fromEntries(entries) },
          },
        });
      },
    });
    const { plate } = JSON.parse(await mount.shell('cat .platefs/warnings.json')) as {
      plate: { kind: string; message: string }[];
    };
    expect(plate.map(({ kind }) => kind)).toEqual(['mapping-differs']);
    expect(plate[0]?.message).toContain('there H12_s001_w1_z001_t001');
    const names = (await mount.shell('ls images')).trim().split('\n');
    expect(names.sort()).toEqual(mount.truth.planes.map(({ name }) => name).sort());
  });

  it('a mapping that gives names to a raw plate shows its files byte for byte', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'platefs-openhcs-'));
    try {
      putTiffs(folder, ['raw/a.tif', 'raw/b.tif']);
      putMetadata(folder, {
        '.': {
          ...CANONICAL,
          workspace_mapping: {
            'C03_s001_w1_z001_t001.tif': 'raw/b.tif',
            'C03_s001_w2_z001_t001.tif': 'raw/a.tif',
          },
        },
      });
      await using mount = await PlateMount.start({ plate: folder });
      await mount.succeed('cmp', [join(folder, 'raw/b.tif'), mount.path('images/C03_s001_w1_z001_t001.tif')]);
      await mount.succeed('cmp', [join(folder, 'raw/a.tif'), mount.path('images/C03_s001_w2_z001_t001.tif')]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
