import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { mountProblem } from './harness.ts';
import { agePlate, PlateMount, PYTHON } from './plate-mount.ts';

const problem = mountProblem() ?? (existsSync(PYTHON) ? undefined : 'Debian python3 is missing');

/** Planes of 64-bit floats and of 16-bit ones that no 32-bit integer is near. */
const WRITE = `
import numpy, sys, tifffile
for t in (1, 2):
    for site, dtype in ((1, 'float64'), (2, 'float16')):
        a = (numpy.arange(12).reshape(3, 4) * 0.3 + t).astype(dtype)
        tifffile.imwrite('%s/A01_s%d_w1_t%d.tif' % (sys.argv[1], site, t), a, photometric='minisblack')`;

/** An OME-Zarr of two slices. */
const WRITE_STORE = `
import numpy, sys, zarr
group = zarr.open_group(sys.argv[1] + '/i.zarr', 'w')
a = numpy.arange(24).reshape(1, 1, 2, 3, 4).astype(sys.argv[2])
group.create_dataset('0', data=a, chunks=(1, 1, 1, 3, 4), dimension_separator='/')
axes = [{'name': n} for n in 'tczyx']
datasets = [{'path': '0', 'coordinateTransformations': [{'type': 'scale', 'scale': [1] * 5}]}]
group.attrs['multiscales'] = [{'version': '0.4', 'axes': axes, 'datasets': datasets}]`;

const LOOK = `
import numpy, tifffile
out = {}
want = numpy.stack([numpy.arange(12).reshape(3, 4) * 0.3 + t for t in (1, 2)])
for n in sorted(os.listdir(os.path.join(mnt, 'stacks'))):
    p = os.path.join(mnt, 'stacks', n)
    try:
        a = tifffile.imread(p)
    except OSError as e:
        out[n] = os.strerror(e.errno)
        continue
    stored = want.astype('float64' if 's001' in n else 'float16')
    facts = [x for x in os.listxattr(p) if x == 'user.platefs.pixels']
    out[n] = [str(a.dtype), bool(numpy.array_equal(a, stored.astype(a.dtype)))] + [os.getxattr(p, x).decode() for x in facts]
print(json.dumps(out))`;

/** How many planes the tables and OpenHCS's document name; each must be there. */
const NAMED = `
import csv
rows = {n: list(csv.DictReader(open(os.path.join(mnt, 'tables', n)))) for n in ('plate.csv', 'LoadData.csv', 'LoadData_incomplete.csv')}
paths = {n: [os.path.join(mnt, 'images', r['name']) for r in rows[n] if r['name'] != ''] for n in ('plate.csv',)}
for n in ('LoadData.csv', 'LoadData_incomplete.csv'):
    paths[n] = [os.path.join(r['PathName_w1'], r['FileName_w1']) for r in rows[n]]
one = json.load(open(os.path.join(mnt, 'openhcs_metadata.json')))['subdirectories']['images']
paths['openhcs_metadata.json'] = [os.path.join(mnt, p) for p in one.get('image_files', [])]
for n in paths: assert all(os.path.isfile(p) for p in paths[n]), paths
print(json.dumps({'planes': len(rows['plate.csv']), **{n: len(paths[n]) for n in paths}}))`;

describe.skipIf(problem !== undefined)('planes of types that few programs open, through a mount', () => {
  it.each([
    ['as they are', [], 'Operation not supported', ['float64', true]],
    [
      'rounded where told',
      ['-o', 'float64=float32'],
      ['float32', true, 'float64 shown as float32'],
      ['float32', true, 'float64 shown as float32'],
    ],
  ])('are shown %s', async (_, args, imagej, ome) => {
    const folder = mkdtempSync(join(tmpdir(), 'platefs-float64-'));
    try {
      const plate = join(folder, 'plate');
      mkdirSync(plate);
      execFileSync(PYTHON, ['-c', WRITE, plate]);
      agePlate(plate);
      await using mount = await PlateMount.start({
        plate,
        args: ['--layout', '{well}_s{site}_w{channel}_t{t}.tif', ...args],
      });
      const widened = ['float32', true, 'float16 shown as float32'];
      expect(JSON.parse(await mount.python(LOOK))).toEqual({
        'A01_s001.tif': imagej,
        'A01_s001.ome.tif': ome,
        'A01_s002.tif': widened,
        'A01_s002.ome.tif': widened,
      });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('are zeros where a plane is missing', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'platefs-float64-'));
    try {
      const plate = join(folder, 'plate');
      mkdirSync(plate);
      execFileSync(PYTHON, ['-c', WRITE, plate]);
      rmSync(join(plate, 'A01_s2_w1_t1.tif'));
      agePlate(plate);
      await using mount = await PlateMount.start({
        plate,
        args: ['--layout', '{well}_s{site}_w{channel}_t{t}.tif'],
      });
      const seen = await mount.python(`
import tifffile
want = (np.arange(12).reshape(3, 4) * 0.3 + 2).astype('float16')
for name in ('A01_s002.tif', 'A01_s002.ome.tif'):
    a = tifffile.imread(os.path.join(mnt, 'stacks', name))
    assert not a[0].any() and np.array_equal(a[1], want.astype('float32')), name
print('seen')`);
      expect(seen).toBe('seen\n');
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it.each([
    ['float64', [], 0, ['A01_s001.ome.tif'], /^pixels are float64.*float64=float32/],
    ['float64', ['-o', 'float64=float32'], 2, ['A01_s001.ome.tif', 'A01_s001.tif'], undefined],
    ['int64', [], 0, [], /^pixels are int64.*open plate\.ome\.zarr/],
  ] as const)(
    'of a store of %s are listed where they can be made (%j)',
    async (dtype, args, images, stacks, warning) => {
      const folder = mkdtempSync(join(tmpdir(), 'platefs-types-'));
      try {
        execFileSync(PYTHON, ['-c', WRITE_STORE, folder, dtype]);
        agePlate(folder);
        await using mount = await PlateMount.start({ plate: join(folder, 'i.zarr'), args });
        const names = await mount.shell('ls images | wc -l; ls previews | wc -l; ls stacks');
        expect(names.trim().split(/\s+/)).toEqual([String(images), '2', ...stacks]);
        const { plate } = JSON.parse(await mount.shell('cat .platefs/warnings.json')) as {
          plate: { kind: string; message: string }[];
        };
        expect(plate.filter(({ kind }) => kind === 'not-shown')).toEqual(
          warning ? [expect.objectContaining({ message: expect.stringMatching(warning) })] : [],
        );
        expect(JSON.parse(await mount.python(NAMED))).toEqual({
          planes: 2,
          'plate.csv': images,
          'LoadData.csv': images,
          'LoadData_incomplete.csv': 0,
          'openhcs_metadata.json': images,
        });
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
  );
});
