import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { mountProblem, succeed } from './harness.ts';
import { PlateMount, PYTHON } from './plate-mount.ts';

const why = mountProblem() ?? (existsSync(PYTHON) ? undefined : `${PYTHON} is absent`);

const ROWS = 200_000;

/** Writes an AnnData file at `argv[1]`, of `argv[2]` observations by 20 columns. */
const MAKE = `
import sys, numpy as np, h5py
def frame(file, name, rows, columns):
  group = file.create_group(name)
  group.attrs.update({'encoding-type': 'dataframe', 'encoding-version': '0.2.0', '_index': '_index'})
  group.attrs['column-order'] = np.array(list(columns), dtype=h5py.string_dtype())
  names = np.array([f'{name}-{i}' for i in range(rows)], dtype=object)
  group.create_dataset('_index', data=names, dtype=h5py.string_dtype(), chunks=(min(rows, 16384),), compression='gzip', compression_opts=1)
  for column, values in columns.items():
    group.create_dataset(column, data=values, compression='gzip', compression_opts=1)
rows = int(sys.argv[2])
at = np.arange(rows)
with h5py.File(sys.argv[1], 'w') as file:
  file.attrs.update({'encoding-type': 'anndata', 'encoding-version': '0.1.0'})
  frame(file, 'obs', rows, {f'c{c}': (at % (c + 7)) if c % 2 else (at % (10 ** (c // 2))) / 4 for c in range(20)})
  frame(file, 'var', 3, {})
  file.create_dataset('X', shape=(rows, 3), dtype='f4', chunks=(min(rows, 16384), 3))
`;

async function tookMs<T>(work: () => Promise<T>): Promise<{ ms: number; result: T }> {
  const beganMs = performance.now();
  const result = await work();
  return { ms: performance.now() - beganMs, result };
}

describe.skipIf(why)(`tables of very many rows, mounted${why === undefined ? '' : ` (${why})`}`, () => {
  it('a mount does not wait for them; whoever lists them gets exact sizes, and again after the daemon was killed', async () => {
    await using mount = await PlateMount.make({ plate: 'unset' });
    const path = join(mount.folder, 'big.h5ad');
    await succeed(PYTHON, ['-c', MAKE, path, String(ROWS)]);
    const words = mount.mountWords().map((word) => (word === 'unset' ? path : word));
    const mounting = await tookMs(() => mount.json(words));
    const sizes = `
sizes = {}
for name in ('obs.csv', 'obs.tsv', 'genes/var-1.csv', 'cells/obs-199999.csv'):
  path = mnt + '/tables/' + name
  sizes[name] = os.stat(path).st_size
  if argv: assert len(open(path, 'rb').read()) == sizes[name], name
assert len(os.listdir(mnt + '/tables/cells')) == ${ROWS}
print(json.dumps(sizes))
`;
    const listing = await tookMs(() => mount.python(sizes));
    // Several times as long: a mount that waited for sizes would leave nothing to wait for here.
    expect(mounting.ms).toBeLessThan(listing.ms);
    const first = JSON.parse(listing.result) as Record<string, number>;
    process.kill((await mount.status()).pid, 'SIGKILL');
    expect(JSON.parse(await mount.python(sizes, 'read'))).toEqual(first);
    const last = await mount.shell('tail -1 tables/obs.csv; tail -c 100 tables/genes/var-1.csv | tail -1');
    expect(last).toMatch(/^obs-199999,.*\nobs-199999, +0\.0\n$/);
  });
});
