import { mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { StoreServer } from '../fixtures/serve-store.ts';
import { put, writeV2 } from '../fixtures/zarr.ts';
import { eventually, mountProblem } from './harness.ts';
import { PlateMount } from './plate-mount.ts';

const why = mountProblem();
const scratch = mkdtempSync(join(tmpdir(), 'pfs-remote-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** A store with one array of so many rows; every second chunk is not there. */
function writeStore(folder: string, rows: number): void {
  const bytes = Uint8Array.from({ length: rows * 8 }, (_, i) => (i * i + rows) & 255);
  const metadata = { '.zgroup': { zarr_format: 2 } };
  put(join(folder, '.zgroup'), metadata['.zgroup']);
  const array = { shape: [rows, 4], chunkShape: [2, 4], itemBytes: 2, bytes };
  writeV2(join(folder, 'a'), array, { dtype: '<u2', packing: 'zlib', absent: ([y = 0]) => y % 2 === 1 });
  const zarray = {
    zarr_format: 2,
    shape: [rows, 4],
    chunks: [2, 4],
    dtype: '<u2',
    compressor: { id: 'zlib', level: 1 },
    fill_value: 0,
    order: 'C',
    filters: null,
    dimension_separator: '/',
  };
  put(join(folder, '.zmetadata'), {
    zarr_consolidated_format: 1,
    metadata: { ...metadata, 'a/.zarray': zarray },
  });
}

describe.skipIf(why !== undefined)(`a store on a server that changes (${why ?? 'mounts work'})`, () => {
  it('is seen as it is now, and one that went is an error that names it, never fill value', async () => {
    const folder = join(scratch, 'one.zarr');
    writeStore(folder, 8);
    using web = await StoreServer.start('http', scratch);
    const address = `${web.origin}/fine/one.zarr`;
    await using mount = await PlateMount.make({ plate: address });
    mount.env['PLATEFS_REMOTE_CHECK_MS'] = '300';
    await mount.mount();
    // A header of 128 bytes, and 8 bytes in each row.
    const rows = async (): Promise<number> =>
      (Number(await mount.shell('stat -c %s arrays/a.npy')) - 128) / 8;
    expect(await rows()).toBe(8);
    writeStore(folder, 12_000);
    await eventually('the larger one is shown', async () => (await rows().catch(() => 0)) === 12_000);
    renameSync(folder, `${folder}.away`);
    const read = `dd if=arrays/a.npy iflag=direct bs=64k status=none of=/dev/null 2>&1 || true`;
    expect(await mount.shell(read)).toMatch(/Stale file handle/);
    await eventually('the log names it', () => mount.log.includes(address));
    renameSync(`${folder}.away`, folder);
    const isBack = async (): Promise<boolean> => !/Stale/.test(await mount.shell(read));
    await eventually('it is back', isBack);
  });
});
