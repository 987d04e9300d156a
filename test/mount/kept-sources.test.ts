import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import type { KeepResult } from '../../src/control/documents.ts';
import { StoreServer } from '../fixtures/serve-store.ts';
import { put } from '../fixtures/zarr.ts';
import { eventually, mountProblem } from './harness.ts';
import { decodedBytes } from './metrics.ts';
import { PlateMount, PYTHON, SHARED_DATA } from './plate-mount.ts';
import { directSum } from './read-sums.ts';

const problem = mountProblem();
const why = problem === undefined ? '' : ` (skipped: ${problem})`;

const SIDE = 600;
const TILE = 300;

/** A chunk of a level: every pixel of it is `value`. */
function writeChunk(level: string, name: string, value: number): void {
  const pixels = new Uint16Array(TILE * TILE).fill(value);
  writeFileSync(join(level, name), deflateSync(pixels));
}

/**
 * A store with an image `cells` (OME-Zarr 0.4, two channels of 600² pixels in compressed chunks, no lower levels) and
 * an array `plain`.
 */
function writeStore(store: string): void {
  const group = { zarr_format: 2 };
  const axes = [
    { name: 'c', type: 'channel' },
    { name: 'y', type: 'space' },
    { name: 'x', type: 'space' },
  ];
  const array = (shape: readonly number[], chunks: readonly number[]): object => ({
    zarr_format: 2,
    shape,
    chunks,
    dtype: '<u2',
    compressor: { id: 'zlib', level: 1 },
    fill_value: 0,
    order: 'C',
    filters: null,
  });
  const metadata: Record<string, object> = {
    '.zgroup': group,
    'cells/.zgroup': group,
    'cells/.zattrs': { multiscales: [{ version: '0.4', axes, datasets: [{ path: '0' }] }] },
    'cells/0/.zarray': array([2, SIDE, SIDE], [1, TILE, TILE]),
    'plain/.zarray': array([TILE, TILE], [TILE, TILE]),
  };
  for (const [name, document] of Object.entries(metadata)) put(join(store, name), document);
  put(join(store, '.zmetadata'), { zarr_consolidated_format: 1, metadata });
  let value = 1;
  for (const name of ['0.0.0', '0.0.1', '0.1.0', '0.1.1', '1.0.0', '1.0.1', '1.1.0'])
    writeChunk(join(store, 'cells/0'), name, value++);
  writeChunk(join(store, 'plain'), '0.0', value);
}

async function pin(mount: PlateMount, ...paths: string[]): Promise<KeepResult> {
  const words = ['pin', ...paths.map((path) => mount.path(path))];
  const { mounts } = await mount.json<{ mounts: KeepResult[] }>(words);
  const [result] = mounts;
  if (!result || mounts.length !== 1) throw new Error('one mount answers');
  return result;
}

async function filesBelow(mount: PlateMount, ...folders: string[]): Promise<string[]> {
  const found = await mount.shell(
    'find "$@" -type f > /dev/null && find "$@" -type f | LC_ALL=C sort',
    ...folders,
  );
  return found.trim().split('\n');
}

const scratch = mkdtempSync(join(tmpdir(), 'pfs-kept-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

describe.skipIf(problem)(`files of sources that are kept as they are${why}`, () => {
  it('images of a Zarr store: until a chunk of them changes, or one comes to be', async () => {
    const store = join(scratch, 'image.zarr');
    writeStore(store);
    await using mount = await PlateMount.start({ plate: store });
    const all = await filesBelow(mount, 'stacks', 'arrays', 'ome-zarr');
    const pixels = all.filter((path) => !/\.z(?:array|attrs|group)$/.test(path));
    const right = new Map<string, string>();
    for (const path of pixels) right.set(path, await directSum(mount, path));
    expect(await pin(mount, 'stacks', 'arrays', 'ome-zarr')).toMatchObject({
      files: pixels.length,
      failed: [],
      plain: all.length - pixels.length,
    });
    const before = await decodedBytes(mount);
    for (const path of pixels) expect([path, await directSum(mount, path)]).toEqual([path, right.get(path)]);
    expect(await decodedBytes(mount)).toBe(before);
    const [stack = ''] = pixels.filter((path) => path.endsWith('.ome.tif'));
    const level = join(store, 'cells/0');
    writeChunk(level, '0.0.1', 77);
    const changed = await directSum(mount, stack);
    expect(changed).not.toBe(right.get(stack));
    expect(await pin(mount, stack)).toMatchObject({ files: 1, failed: [] });
    expect(await directSum(mount, stack)).toBe(changed);
    writeChunk(level, '1.1.1', 99);
    const filled = await directSum(mount, stack);
    expect([right.get(stack), changed]).not.toContain(filled);
    // A chunk that comes to be is another version of the store: what was open when that was found is stale.
    await eventually('whoever opens it again reads the new pixels', async () => {
      const { code, stdout, stderr } = await mount.run(PYTHON, [
        '-c',
        'import sys, tifffile; a = tifffile.imread(sys.argv[1]); print(a.min(), a.max())',
        mount.path(stack),
      ]);
      if (code !== 0) expect(stderr).toContain('Stale file handle');
      return stdout === '1 99\n';
    });
  });

  it('a TIFF in a folder of files, in the cold cache, for the next mount too', async () => {
    const folder = join(scratch, 'files');
    mkdirSync(folder);
    const write = async (mount: PlateMount, value: number): Promise<string> =>
      await mount.succeed(PYTHON, [
        '-c',
        'import sys, numpy as np, tifffile; tifffile.imwrite(sys.argv[1], np.full((3, 64, 64), int(sys.argv[2]), "u2"), compression="zlib")',
        join(folder, 'cells.tif'),
        String(value),
      ]);
    writeStore(join(folder, 'image.zarr'));
    await using mount = await PlateMount.make({ plate: folder });
    await write(mount, 7);
    await mount.mount();
    const stack = 'cells.tif/stacks/cells.tif';
    const right = await directSum(mount, stack);
    const warmed = await mount.json<{ mounts: KeepResult[] }>([
      'warm',
      mount.path('cells.tif'),
      mount.path('image.zarr'),
    ]);
    expect(warmed.mounts[0]?.failed).toEqual([]);
    expect(warmed.mounts[0]?.files).toBeGreaterThan(5);
    expect((await mount.umount()).code).toBe(0);
    await mount.mount();
    expect(await directSum(mount, stack)).toBe(right);
    expect(await decodedBytes(mount)).toBe(0);
    expect((await mount.umount()).code).toBe(0);
    await write(mount, 9);
    await mount.mount();
    expect(await directSum(mount, stack)).not.toBe(right);
    expect(
      await mount.python('import tifffile; print(tifffile.imread(mnt + "/" + argv[0]).min())', stack),
    ).toBe('9\n');
  });

  it.skipIf(!existsSync(join(SHARED_DATA, 'anndata-zarr')))('tables and matrices of AnnData', async () => {
    const store = join(scratch, 'cells.zarr');
    cpSync(join(SHARED_DATA, 'anndata-zarr/anndata-0.7.0.zarr'), store, { recursive: true });
    await using mount = await PlateMount.start({ plate: store });
    const paths = ['tables/obs.csv', 'tables/var.csv', ...(await filesBelow(mount, 'arrays'))];
    const right = new Map<string, string>();
    for (const path of paths) right.set(path, await directSum(mount, path));
    expect(await pin(mount, ...paths)).toMatchObject({ files: paths.length, failed: [] });
    for (const path of paths) expect([path, await directSum(mount, path)]).toEqual([path, right.get(path)]);
    expect((await mount.status()).pins.files).toBe(paths.length);
  });

  it('what lies on a server: until a chunk changes there, and not where it tells no versions', async () => {
    const served = join(scratch, 'served');
    writeStore(join(served, 'image.zarr'));
    using web = await StoreServer.start('http', served);
    await using mount = await PlateMount.make({ plate: `${web.origin}/flaky/image.zarr` });
    mount.env['PLATEFS_REMOTE_CHECK_MS'] = '200';
    await mount.mount();
    const [path = ''] = await filesBelow(mount, 'stacks');
    const right = await directSum(mount, path);
    expect(await pin(mount, path)).toMatchObject({ files: 1, failed: [] });
    const before = await decodedBytes(mount);
    expect(await directSum(mount, path)).toBe(right);
    expect(await decodedBytes(mount)).toBe(before);
    // Another length is another ETag here.
    writeFileSync(
      join(served, 'image.zarr/cells/0/0.0.1'),
      deflateSync(new Uint16Array(TILE * TILE).map((_, i) => i)),
    );
    // A read that meets the change fails, and the next is of what is there now.
    await eventually('the new chunk is shown', async () => (await directSum(mount, path)) !== right);
    const changed = await directSum(mount, path);
    expect(await pin(mount, path)).toMatchObject({ files: 1, failed: [] });
    expect(await directSum(mount, path)).toBe(changed);
    expect((await mount.umount()).code).toBe(0);
    const other = mount.mountWords().map((word) => word.replace('/flaky/', '/untagged/'));
    await mount.json(other);
    const { mounts } = await mount.json<{ mounts: KeepResult[] }>(['warm', mount.path(path)], 1);
    expect(mounts[0]?.failed).toEqual([{ path, reason: expect.stringContaining('neither ETag nor') }]);
  });
});
