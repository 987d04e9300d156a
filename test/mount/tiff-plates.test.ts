import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { writeNdTiff } from '../fixtures/micro-manager.ts';
import { eventually, mountProblem } from './harness.ts';
import { agePlate, PlateMount, PYTHON, SHARED_DATA } from './plate-mount.ts';

const problem = mountProblem();
const why = problem === undefined ? '' : ` (skipped: ${problem})`;

/** Name → SHA-256 of the pixels that tifffile reads in images/; `kinds` are the dtypes. */
const IMAGES = `
import hashlib, tifffile
d = os.path.join(mnt, 'images')
read = {n: tifffile.imread(os.path.join(d, n)) for n in os.listdir(d)}
images = {n: hashlib.sha256(np.ascontiguousarray(a).tobytes()).hexdigest() for n, a in read.items()}
`;

/** Planes in which a stack, by the axes that it says it has, differs from images/. */
const STACKS = `
differ, seen = [], 0
d = os.path.join(mnt, 'stacks')
for n in sorted(os.listdir(d)):
    with tifffile.TiffFile(os.path.join(d, n)) as f:
        axes, a = f.series[0].axes, f.series[0].asarray()
    for m, want in read.items():
        if not m.startswith(n.split('.')[0] + '_'): continue
        c, z, t = [int(x[1:]) - 1 for x in m.split('.')[0].split('_')[2:]]
        seen += 1
        got = a[tuple({'C': c, 'Z': z, 'T': t}.get(x, slice(None)) for x in axes)]
        if not np.array_equal(got, want): differ.append(n + ' ' + m)
print(json.dumps({'images': images, 'differ': differ, 'seen': seen}))
`;

interface Answer {
  images: Record<string, string>;
  differ: string[];
  seen: number;
}

/** Writes an OME-TIFF plate: two wells of two fields, 2 channels, 2 z, 3 times, of noise; prints the planes' sums. */
const MAKE_PLATE = `
import hashlib, json, sys
import numpy as np, tifffile
rng = np.random.default_rng(7)
sums = {}
with tifffile.TiffWriter(sys.argv[1], ome=False, bigtiff=True) as out:
    images, wells, ifd, pages = '', '', 0, []
    for i, (well, row, column, site) in enumerate([('B03', 1, 2, 1), ('B03', 1, 2, 2), ('H12', 7, 11, 1), ('H12', 7, 11, 2)]):
        images += '<Image ID="Image:%d"><Pixels ID="P:%d" DimensionOrder="XYZCT" Type="uint16" SizeX="50" SizeY="40" SizeZ="2" SizeC="2" SizeT="3"><TiffData IFD="%d" PlaneCount="12"/></Pixels></Image>' % (i, i, ifd)
        if site == 1: wells += '<Well ID="W%d" Row="%d" Column="%d">' % (i, row, column)
        wells += '<WellSample ID="S%d" Index="%d"><ImageRef ID="Image:%d"/></WellSample>' % (i, i, i)
        if site == 2: wells += '</Well>'
        for t in range(3):
            for c in range(2):
                for z in range(2):
                    a = rng.integers(0, 65535, (40, 50), dtype=np.uint16)
                    pages.append(a)
                    sums['%s_s%03d_w%d_z%03d_t%03d.tif' % (well, site, c + 1, z + 1, t + 1)] = hashlib.sha256(a.tobytes()).hexdigest()
                    ifd += 1
    xml = '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Plate ID="P0" Name="p">%s</Plate>%s</OME>' % (wells, images)
    for k, a in enumerate(pages):
        out.write(a, description=xml if k == 0 else None, metadata=None, contiguous=False, compression=None if k % 2 else 'zlib')
print(json.dumps(sums))
`;

describe.skipIf(problem)(`planes that lie in TIFFs of many pages, through a mount${why}`, () => {
  it('an OME-TIFF plate: images/ and stacks/ have the pixels that were written', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'platefs-ome-'));
    try {
      const made = execFileSync(PYTHON, ['-c', MAKE_PLATE, join(folder, 'plate.ome.tif')], {
        encoding: 'utf8',
      });
      agePlate(folder);
      const { images, differ, seen } = await readMounted(folder);
      expect(images).toEqual(JSON.parse(made));
      expect(differ).toEqual([]);
      // Each plane is in a stack and in an OME-TIFF stack.
      expect(seen).toBe(96);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it.skipIf(!existsSync(join(SHARED_DATA, 'ndtiff')))(
    'an NDTiff data set: images/ and stacks/ have the pixels of the truth (needs the shared data)',
    async () => {
      const truth = JSON.parse(readFileSync(join(SHARED_DATA, 'ndtiff.truth.json'), 'utf8')) as {
        files: { file: string; pages?: { page: number; sha256_pixels: string }[] }[];
      };
      const set = 'v3/12_bit_pycromanager_mda';
      const pages = truth.files.find(({ file }) => file.startsWith(set) && file.endsWith('.tif'))?.pages;
      const { images, differ, seen } = await readMounted(join(SHARED_DATA, 'ndtiff', set));
      // Channels took turns at each time.
      expect(images).toEqual(
        Object.fromEntries(
          (pages ?? []).map(({ page, sha256_pixels }) => [
            `A01_s001_w${1 + (page % 2)}_z001_t00${1 + Math.floor(page / 2)}.tif`,
            sha256_pixels,
          ]),
        ),
      );
      expect(differ).toEqual([]);
      expect(seen).toBe(16);
    },
  );
});

/** File name in images/ → its first pixel. */
const firstPixels = async (mount: PlateMount): Promise<Record<string, number>> =>
  JSON.parse(
    await mount.python(`import tifffile
d = os.path.join(mnt, 'images')
print(json.dumps({n: int(tifffile.imread(os.path.join(d, n))[0, 0]) for n in os.listdir(d)}))`),
  ) as Record<string, number>;

describe.skipIf(problem)(`an NDTiff data set that is still acquired${why}`, () => {
  it.each(['auto', 'poll'])('grows in the mount by what is written, watched by %s', async (mode) => {
    const folder = mkdtempSync(join(tmpdir(), 'platefs-ndtiff-'));
    const path = join(folder, 'a_NDTiffStack.tif');
    const images = [0, 1, 2, 3].map((t) => ({ value: 500 + t, axes: { time: t } }));
    const save = (count: number): void => {
      const index = writeNdTiff(path, images.slice(0, count), { isOpen: true });
      writeFileSync(join(folder, 'NDTiff.index'), index);
    };
    try {
      save(2);
      await using mount = await PlateMount.start({ plate: folder, args: ['-o', `watch=${mode}`] });
      const expected = (count: number) =>
        Object.fromEntries(
          images.slice(0, count).map(({ value }, t) => [`A01_s001_w1_z001_t00${t + 1}.tif`, value]),
        );
      expect(await firstPixels(mount)).toEqual(expected(2));
      for (const count of [3, 4]) {
        save(count);
        await eventually(
          `${count} images are shown`,
          async () => (await mount.shell('ls images | wc -l')).trim() === String(count),
        );
        expect(await firstPixels(mount)).toEqual(expected(count));
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

async function readMounted(plate: string): Promise<Answer> {
  await using mount = await PlateMount.start({ plate });
  return JSON.parse(await mount.python(IMAGES + STACKS)) as Answer;
}
