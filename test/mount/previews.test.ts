import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { client, mountProblem } from './harness.ts';
import { agePlate, hasProgram, PlateMount, PYTHON } from './plate-mount.ts';
import { untilLogged } from './told.ts';

const problem = mountProblem() ?? (existsSync(PYTHON) ? undefined : 'Debian python3 is missing');
const why = problem === undefined ? '' : ` (skipped: ${problem})`;

/**
 * What a preview has to show, by the rule that encoders/README.md states; `check(path, plane)` asserts it of a file, with
 * its size, and that any range of it is the slice of the whole.
 */
const RULE = `
import random, io
from PIL import Image
def shades(plane):
    f = -(-max(plane.shape) // 1024)
    h, w = (-(-n // f) for n in plane.shape)
    means = np.array([[plane[y*f:y*f+f, x*f:x*f+f].astype('f8').sum() / plane[y*f:y*f+f, x*f:x*f+f].size
                       for x in range(w)] for y in range(h)]) if f > 1 else plane.astype('f8')
    s = np.sort(means.ravel()); last = s.size - 1
    black, white = s[int(np.floor(0.002 * last))], s[int(np.ceil((1 - 0.002) * last))]
    if not white > black: black, white = s[0], s[-1]
    if white == black: return np.zeros(means.shape, 'u1')
    part = np.clip((means / 2 - black / 2) / (white / 2 - black / 2), 0, 1)
    return np.floor(255 * part + 0.5).astype('u1')
def check(path, plane):
    whole = open(path, 'rb').read()
    assert os.stat(path).st_size == len(whole), path
    with Image.open(io.BytesIO(whole)) as image:
        assert image.format == 'PNG' and image.mode == 'L', (image.format, image.mode)
        assert 'Preview, not data' in image.text['Description'], image.text
        seen = np.array(image)
    assert seen.max() > seen.min(), path
    assert np.array_equal(seen, shades(plane)), path
    with open(path, 'rb', buffering=0) as f:
        for _ in range(20):
            at = random.randrange(len(whole)); size = random.randrange(1, 70000)
            assert os.pread(f.fileno(), size, at) == whole[at:at + size], (path, at, size)
    return seen
`;

describe.skipIf(problem)(`previews/ through a mount${why}`, () => {
  it('shows every plane of images/ by the stated rule, to Pillow, ImageMagick and vips', async () => {
    await using mount = await PlateMount.start({
      plate: {
        wells: ['A01', 'B12'],
        sites: 1,
        channels: ['DAPI', 'FITC'],
        timePoints: 1,
        zSteps: 1,
        width: 1100,
        height: 90,
      },
      args: ['--names', '{well}/f{site:02}_w{channel}_z{z:02}{ext}'],
    });
    const text = await mount.python(
      `${RULE}
import tifffile
found = []
for folder, _, names in os.walk(os.path.join(mnt, 'previews')):
    below = os.path.relpath(folder, os.path.join(mnt, 'previews'))
    for name in names:
        [image] = [n for n in os.listdir(os.path.join(mnt, 'images', below)) if os.path.splitext(n)[0] == name[:-4]]
        source = os.path.join(mnt, 'images', below, image)
        path = os.path.join(folder, name)
        check(path, tifffile.imread(source))
        assert abs(os.stat(path).st_mtime - os.stat(source).st_mtime) < 1e-3
        found.append(os.path.join(below, name))
print(json.dumps(sorted(found)))`,
    );
    expect(JSON.parse(text)).toEqual(
      ['A01', 'B12'].flatMap((well) => [`${well}/f01_w1_z01.png`, `${well}/f01_w2_z01.png`]),
    );
    const grey = async (program: string, script: string): Promise<void> => {
      if (!hasProgram(program)) return;
      await mount.shell(script);
      await mount.python(
        `from PIL import Image
seen = np.frombuffer(open(argv[0], 'rb').read(), 'u1').reshape(45, 550)
assert np.array_equal(seen, np.array(Image.open(mnt + '/previews/A01/f01_w1_z01.png')))`,
        join(mount.folder, program),
      );
    };
    await grey(
      'convert-im6.q16',
      `convert-im6.q16 previews/A01/f01_w1_z01.png -depth 8 gray:../convert-im6.q16`,
    );
    await grey('vips', `vips rawsave previews/A01/f01_w1_z01.png ../vips`);
    // Nothing of it is anybody's to change.
    for (const script of ['rm previews/A01/f01_w1_z01.png', 'touch previews/x', 'mkdir previews/A01/x'])
      expect((await mount.run('sh', ['-c', `cd "$0" && ${script}`, mount.mountpoint])).code).not.toBe(0);
    expect(await mount.shell('grep -c previews tables/LoadData.csv || true')).toBe('0\n');
    expect(
      await mount.shell('getfattr --only-values -n user.platefs.channel previews/B12/f01_w2_z01.png'),
    ).toBe('2');
  });

  it('shows planes over 64 MiB, verbatim and compressed ones, and those of any type', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'platefs-previews-'));
    try {
      const plate = join(folder, 'plate');
      mkdirSync(plate);
      const made = await client(PYTHON, [
        '-c',
        `
import sys, numpy as np, tifffile
at = np.arange(6000, dtype='u2')
plane = at[None] // 7 + at[:, None] * 3
tifffile.imwrite(sys.argv[1] + '/A01_s1_w1.tif', plane)
tifffile.imwrite(sys.argv[1] + '/A01_s2_w1.tif', plane, compression='zlib', compressionargs={'level': 1}, rowsperstrip=37)
tifffile.imwrite(sys.argv[1] + '/A01_s3_w1.tif', (plane[:50, :60] - 2000.5).astype('f4'))
tifffile.imwrite(sys.argv[1] + '/A01_s4_w1.tif', (plane[:50, :60] / 3).astype('f8'))
tifffile.imwrite(sys.argv[1] + '/A01_s5_w1.tif', np.zeros((40, 30, 3), 'u1'), photometric='rgb')
`,
        plate,
      ]);
      expect([made.code, made.stderr]).toEqual([0, '']);
      agePlate(plate);
      await using mount = await PlateMount.start({
        plate,
        args: ['--layout', '{well}_s{site}_w{channel}.tif'],
      });
      await mount.python(
        `${RULE}
import tifffile, errno
for site in (1, 2):
    # The means of a large plane one by one take Python too long: those of its upper left corner say as much.
    name = '/A01_s00%d_w1_z001_t001' % site
    plane = tifffile.imread(mnt + '/images' + name + '.tif')
    means = plane.reshape(1000, 6, 1000, 6).astype('f8').sum(axis=(1, 3)) / 36
    seen = check(mnt + '/previews' + name + '.png', means)
    assert seen.shape == (1000, 1000)
for site in (3, 4):
    name = '/A01_s00%d_w1_z001_t001' % site
    check(mnt + '/previews' + name + '.png', tifffile.imread(mnt + '/images' + name + '.tif'))
name = 'A01_s005_w1_z001_t001.png'
assert name in os.listdir(mnt + '/previews')
try: os.stat(mnt + '/previews/' + name); raise SystemExit('colours have a preview')
except OSError as error: assert error.errno == errno.ENOTSUP, error`,
      );
      await untilLogged(mount, 'has colours');
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
