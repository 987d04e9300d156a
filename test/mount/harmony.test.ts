import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { mountProblem } from './harness.ts';
import { PlateMount, SHARED_DATA } from './plate-mount.ts';

const SET = 'harmony-synth-v5';

describe.skipIf(mountProblem() !== undefined || !existsSync(join(SHARED_DATA, SET)))(
  'a Harmony plate through a mount',
  () => {
    it('has in its stacks the pixels of the planes as they lie, and zeros for what is absent', async () => {
      const truth = JSON.parse(readFileSync(join(SHARED_DATA, `${SET}.truth.json`), 'utf8')) as {
        planes: { virtual: string; sha256_pixels: string }[];
        listed_but_absent: { virtual: string }[];
      };
      await using mount = await PlateMount.start({ plate: join(SHARED_DATA, SET) });
      const sums = JSON.parse(
        await mount.python(`
import hashlib, tifffile
out = {}
d = os.path.join(mnt, 'stacks')
for n in sorted(os.listdir(d)):
    if n.endswith('.ome.tif'): continue
    a = tifffile.imread(os.path.join(d, n))
    for t in range(a.shape[0]):
        for z in range(a.shape[1]):
            for c in range(a.shape[2]):
                name = '%s_w%d_z%03d_t%03d' % (n[:-4], c + 1, z + 1, t + 1)
                p = a[t, z, c]
                out[name] = hashlib.sha256(p.tobytes()).hexdigest() if p.any() else ''
print(json.dumps(out))`),
      ) as Record<string, string>;
      const expected = new Map(truth.planes.map((p) => [p.virtual.replace('.tiff', ''), p.sha256_pixels]));
      for (const { virtual } of truth.listed_but_absent) expected.set(virtual.replace('.tiff', ''), '');
      expect(sums).toEqual(Object.fromEntries(expected));
    });
  },
);
