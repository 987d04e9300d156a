import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { elementCount } from '../../../src/core/nd-array.ts';
import { wholeRegion } from '../../../src/core/region.ts';
import { Hdf5Hierarchy } from '../../../src/sources/shared/hdf5-hierarchy.ts';
import { NumberReader } from '../../../src/sources/shared/hdf5-read.ts';
import { hasH5py, runH5py } from '../../fixtures/hdf5.ts';

const root = mkdtempSync(join(tmpdir(), 'platefs-hdf5-index-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
beforeAll(() => Hdf5Hierarchy.prepare());

/** Datasets of every chunk index, some with pages and blocks that were never written; sums of what h5py reads. */
const WRITE = `
import json, hashlib
rng = np.random.default_rng(3)
packed = dict(compression='gzip', shuffle=True)
cases = [
    ('grows', (5000,), (1,), (None,), {}), ('grows packed', (300, 40), (1, 8), (None, 40), packed),
    ('grows inside', (9, 50, 70), (2, 7, 9), (9, None, 70), {}), ('grows last', (20, 30, 40), (3, 4, 5), (25, 33, None), packed),
    ('grows sparse', (30000,), (2,), (None,), {}), ('grows empty', (10,), (2,), (None,), {}),
    ('fixed', (3000,), (1,), (4000,), {}), ('fixed packed', (30, 41), (4, 6), (50, 60), packed),
    ('fixed sparse', (3000,), (1,), (4000,), {}), ('single', (20, 30), (20, 30), None, {}), ('single packed', (20, 30), (20, 30), None, packed),
    ('both grow', (40, 50), (4, 4), (None, None), packed), ('checked', (33, 21), (5, 5), None, dict(fletcher32=True, compression='lzf')),
]
sums = {}
for version in ('earliest', 'latest'):
    with h5py.File(args[0] + '/' + version + '.h5', 'w', libver=version) as f:
        for name, shape, chunks, most, how in cases:
            d = f.create_dataset(name, shape, '>i4', chunks=chunks, maxshape=most, fillvalue=9, **how)
            x = rng.integers(0, 1000, shape)
            if name == 'grows sparse': d[:300] = x[:300]; d[20000:20010] = 5; d[29990:] = 7
            elif name == 'fixed sparse': d[100:200] = 1; d[2900:] = 3
            elif name != 'grows empty': d[...] = x
            sums[version + '/' + name] = hashlib.sha256(d[()].astype('<i4').tobytes()).hexdigest()
print(json.dumps(sums))
`;

describe.skipIf(!hasH5py())('chunks', () => {
  it('are found in every index as h5py finds them, mostly without the library', () => {
    const sums = JSON.parse(runH5py(WRITE, root)) as Record<string, string>;
    const throughLibrary: string[] = [];
    for (const version of ['earliest', 'latest']) {
      using hierarchy = Hdf5Hierarchy.open(join(root, `${version}.h5`), root);
      for (const { name } of hierarchy.children('', 100).children) {
        const dataset = hierarchy.dataset(name);
        const reader = new NumberReader(dataset);
        const bytes = new Uint8Array(elementCount(dataset.shape) * reader.itemBytes);
        reader.read(wholeRegion(dataset.shape), bytes);
        expect(createHash('sha256').update(bytes).digest('hex'), `${version}/${name}`).toBe(
          sums[`${version}/${name}`],
        );
        if (reader.needsLibrary) throughLibrary.push(`${version}/${name}`);
      }
    }
    expect(throughLibrary).toEqual(['latest/both grow']);
  });
});
