import { existsSync, readFileSync, statSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Compression } from '../../scripts/plate-maker/tiff-file.ts';
import { mountProblem } from './harness.ts';
import { hasProgram, PlateMount, PYTHON, SHARED_DATA, SMALL_PLATE } from './plate-mount.ts';
import { untilLogged } from './told.ts';

const problem = mountProblem() ?? (existsSync(PYTHON) ? undefined : 'Debian python3 is missing');
const why = problem === undefined ? '' : ` (skipped: ${problem})`;

/**
 * Reads every stack with tifffile and compares each plane with the plane's own file in images/. Prints per stack:
 * axes, shape, calibration, channel names, planes that differ, planes that are zeros though images/ lacks them.
 */
const READ_STACKS = `
import tifffile, subprocess
out = {}
def plane(p):
    try: return tifffile.imread(p)
    except ValueError: pass
    # Debian's tifffile comes without LZW.
    subprocess.run(['tiffcp', '-c', 'none', p, '/dev/shm/pfs-plain-%d.tif' % os.getpid()], check=True)
    try: return tifffile.imread('/dev/shm/pfs-plain-%d.tif' % os.getpid())
    finally: os.unlink('/dev/shm/pfs-plain-%d.tif' % os.getpid())
d = os.path.join(mnt, 'stacks')
for n in sorted(os.listdir(d)):
    with tifffile.TiffFile(os.path.join(d, n)) as t:
        s = t.series[0]
        a = s.asarray()
        axes = s.axes
        full = a
        for i, x in enumerate('TZCYX'):
            if x not in axes:
                full = np.expand_dims(full, i)
                axes = axes[:i] + x + axes[i:]
        full = np.transpose(full, [axes.index(x) for x in 'TZCYX'])
        stem = n.split('.')[0]
        differ, zeros = [], []
        for k in range(full.shape[0]):
            for z in range(full.shape[1]):
                for c in range(full.shape[2]):
                    name = '%s_w%d_z%03d_t%03d' % (stem, c + 1, z + 1, k + 1)
                    p = os.path.join(mnt, 'images', name + argv[0])
                    if os.path.exists(p):
                        if not np.array_equal(plane(p), full[k, z, c]):
                            differ.append(name)
                    elif not full[k, z, c].any():
                        zeros.append(name)
                    else:
                        differ.append(name)
        page = t.pages[0]
        unit = page.tags.get('ResolutionUnit')
        x = page.tags.get('XResolution')
        ij = t.imagej_metadata or {}
        out[n] = dict(axes=s.axes, shape=list(a.shape), dtype=str(a.dtype), differ=differ, zeros=zeros,
            spacing=ij.get('spacing'), unit=ij.get('unit'), labels=ij.get('Labels'), info=str(ij.get('Info', ''))[:200],
            pixel=None if x is None else x.value[1] / x.value[0], ome=t.ome_metadata)
print(json.dumps(out))`;

interface StackFacts {
  axes: string;
  shape: number[];
  dtype: string;
  differ: string[];
  zeros: string[];
  spacing: number | null;
  unit: string | null;
  pixel: number | null;
  ome: string | null;
}

describe.skipIf(problem)(`stacks/ through a mount${why}`, () => {
  const storages: (Compression | 'deflate-predictor')[] = hasProgram('tiffcp')
    ? ['none', 'lzw', 'deflate', 'deflate-predictor']
    : ['none', 'deflate'];
  it.each(storages)(
    'planes stored with %s: tifffile reads shape, axes, pixels and calibration; a missing plane is zeros',
    async (storage) => {
      const missing = ['A01_s001_w2_z002_t001'];
      const compression = storage === 'deflate-predictor' ? 'none' : storage;
      await using mount = await PlateMount.make({ plate: { ...SMALL_PLATE, compression, missing } });
      if (storage === 'deflate-predictor')
        await mount.python(
          `import tifffile, zlib
for d, _, ns in os.walk(argv[0]):
    for n in ns:
        if n.endswith('.tif'):
            p = os.path.join(d, n)
            with tifffile.TiffFile(p) as t:
                a, text = t.asarray(), t.pages[0].description
            delta = a.copy(); delta[:, 1:] -= a[:, :-1]
            tifffile.imwrite(p, a, description=text, metadata=None)
            os.spawnlp(os.P_WAIT, 'tiffcp', 'tiffcp', '-c', 'zip:2', p, p + 'x')
            os.replace(p + 'x', p)`,
          mount.plate,
        );
      await mount.mount();
      const stacks = JSON.parse(await mount.python(READ_STACKS, '.tif')) as Record<string, StackFacts>;
      expect(Object.keys(stacks)).toHaveLength(8);
      for (const [name, facts] of Object.entries(stacks)) {
        const absent = name.startsWith('A01_s001') ? missing : [];
        expect(facts, name).toMatchObject({
          shape: [2, 2, 2, 40, 48],
          dtype: 'uint16',
          differ: [],
          zeros: absent,
        });
        expect([...facts.axes].toSorted().join('')).toBe('CTXYZ');
        if (name.endsWith('.ome.tif')) {
          expect(facts.ome).toContain('PhysicalSizeX="0.6842"');
          expect(facts.ome).toContain('DAPI');
          expect(facts.ome).toContain('FITC');
          expect(facts.ome).toMatch(/PhysicalSizeZ="[\d.]+"/);
        } else {
          expect(facts.axes).toBe('TZCYX');
          expect(facts.pixel).toBeCloseTo(0.6842, 4);
          expect(facts.unit).toMatch(/^(um|micron|µm|\\u00B5m)$/);
          expect(facts.spacing).toBeGreaterThan(0);
        }
      }
      expect(await mount.shell('cat .platefs/warnings.json')).toContain(missing[0]);
      if (hasProgram('tiffinfo')) {
        const info = await mount.shell('for f in stacks/*; do tiffinfo "$f" 2>&1; done');
        expect(info).not.toMatch(/error/i);
        expect(info.match(/Image Width: 48 Image Length: 40/g)).toHaveLength(8 * 8);
      }
    },
  );

  it('with --missing error, a plane that the plate lacks fails its part of the stack and no other', async () => {
    await using mount = await PlateMount.start({
      plate: { ...SMALL_PLATE, wells: ['A01'], sites: 1, width: 256, height: 256 },
      prepare: (root, { planes }) => {
        const { source = '' } = planes.find(({ name }) => name.startsWith('A01_s001_w2_z001_t001')) ?? {};
        unlinkSync(join(root, source));
      },
      args: ['--missing', 'error'],
    });
    const answer = await mount.python(`
import errno, tifffile
p = mnt + '/stacks/A01_s001.ome.tif'
with tifffile.TiffFile(p) as t:
    starts = [page.dataoffsets[0] for page in t.pages]
fd = os.open(p, os.O_RDONLY)
os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_RANDOM)
failed = 0
for start in starts:
    try: assert any(os.pread(fd, 256 * 256 * 2, start))
    except OSError as e: failed += e.errno == errno.EIO
print(len(starts), failed)`);
    expect(answer.trim()).toBe('8 1');
  });

  it('a truncated and a zero-byte plane are EIO on exactly their part, and told of by name', async () => {
    await using mount = await PlateMount.start({
      plate: { ...SMALL_PLATE, wells: ['A01'], sites: 1, width: 256, height: 256 },
      prepare: (root, { planes }) => {
        const cut = join(
          root,
          planes.find(({ name }) => name.startsWith('A01_s001_w2_z001_t001'))?.source ?? '',
        );
        truncateSync(cut, statSync(cut).size - 40_000);
        writeFileSync(
          join(root, planes.find(({ name }) => name.startsWith('A01_s001_w1_z002_t002'))?.source ?? ''),
          '',
        );
      },
    });
    const answer = JSON.parse(
      await mount.python(`
import errno, tifffile
out = {}
for n in ['A01_s001.tif', 'A01_s001.ome.tif']:
    p = os.path.join(mnt, 'stacks', n)
    good, bad, wrong = [], [], []
    with tifffile.TiffFile(p) as t:
        # Pages of an ImageJ stack lie contiguous: their places come from the series, never from a page's own read.
        s = t.series[0]
        shape, axes = s.shape, s.axes
        plane = 256 * 256 * 2
        start = t.pages[0].dataoffsets[0]
    fd = os.open(p, os.O_RDONLY)
    sizes = [shape[axes.index(x)] for x in axes if x not in 'YX']
    letters = [x for x in axes if x not in 'YX']
    for i in range(int(np.prod(sizes))):
        at = dict(zip(letters, np.unravel_index(i, sizes)))
        name = 'A01_s001_w%d_z%03d_t%03d' % (at['C'] + 1, at['Z'] + 1, at['T'] + 1)
        try:
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_RANDOM)
            b = os.pread(fd, plane, start + i * plane)
            ref = tifffile.imread(os.path.join(mnt, 'images', name + '.tif')).tobytes()
            (good if b == ref else wrong).append(name)
        except OSError as e:
            bad.append(name + ' ' + errno.errorcode[e.errno])
    out[n] = dict(good=len(good), bad=sorted(bad), wrong=wrong)
print(json.dumps(out))`),
    ) as Record<string, { good: number; bad: string[]; wrong: string[] }>;
    for (const facts of Object.values(answer))
      expect(facts).toEqual({
        good: 6,
        bad: ['A01_s001_w1_z002_t002 EIO', 'A01_s001_w2_z001_t001 EIO'],
        wrong: [],
      });
    for (const stem of ['A01_s001_w1_z002_t002', 'A01_s001_w2_z001_t001']) {
      const source = mount.truth.planes.find(({ name }) => name.startsWith(stem))?.source ?? '?';
      await untilLogged(mount, source);
    }
  });

  it('the stacks of a real plate show its pixels, pixel size and channel names (skipped without shared data)', async () => {
    const set = join(SHARED_DATA, 'ix-nested-synth');
    if (!existsSync(set)) return;
    const truth = JSON.parse(readFileSync(`${set}.truth.json`, 'utf8')) as { plate_root: string };
    await using mount = await PlateMount.start({ plate: join(set, truth.plate_root) });
    const [extension] = (await mount.shell("ls images | head -1 | sed 's/.*\\././'")).trim().split('\n');
    const stacks = JSON.parse(await mount.python(READ_STACKS, extension ?? '')) as Record<string, StackFacts>;
    expect(Object.keys(stacks).length).toBeGreaterThan(0);
    for (const [name, facts] of Object.entries(stacks)) expect(facts.differ, name).toEqual([]);
    expect(Object.values(stacks).flatMap(({ zeros }) => zeros).length).toBeGreaterThan(0);
  });

  it.skipIf(!hasProgram('imagej') || !hasProgram('xvfb-run'))(
    'ImageJ opens both stacks as the same hyperstack (needs imagej and xvfb)',
    async () => {
      await using mount = await PlateMount.start();
      const script = join(mount.folder, 'open.ijm');
      writeFileSync(
        script,
        `path = getArgument();
open(path);
getDimensions(w, h, c, z, t);
getVoxelSize(vw, vh, vd, unit);
Stack.setPosition(2, 2, 1);
print("hyperstack", w, h, c, z, t, vw, unit, vd, getPixel(7, 11));
`,
      );
      const stack = mount.path('stacks', 'B12_s002.tif');
      const { stdout, stderr } = await mount.run('xvfb-run', ['-a', 'imagej', '-b', script, stack], {
        timeoutMs: 180_000,
      });
      const pixel = (
        await mount.python(
          "import tifffile; print(tifffile.imread(os.path.join(mnt, 'images', 'B12_s002_w2_z002_t001.tif'))[11, 7])",
        )
      ).trim();
      expect(stdout + stderr).toMatch(
        new RegExp(`hyperstack 48 40 2 2 2 0\\.684\\d* (microns?|um|.m) \\d\\S* ${pixel}`),
      );
    },
  );
});
