import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { failingStorage, storage, useStorage } from '../../../src/core/storage.ts';
import { Materializer } from '../../../src/materializer/materializer.ts';
import { NGFF_VERSIONS } from '../../../src/model/ngff.ts';
import { ngffProblems } from '../../interop/landing/ngff-problems.ts';
import { sealedBytes, smallTiff } from '../../interop/landing/small-tiff.ts';

const never = new AbortController().signal;
let folder = '';

afterEach(() => {
  useStorage(undefined);
  rmSync(folder, { recursive: true, force: true });
});

/**
 * Lands a plane, then a mask of it that is an acquisition of its own and a plane of another well, and lets nothing reach
 * the disk from the `cutAt`th document on that is to appear.
 * @returns whether it came so far.
 */
async function landCut(output: string, version: '0.4' | '0.5', cutAt: number): Promise<boolean> {
  const materializer = await Materializer.open(
    { outputDir: output, workers: 1, format: { ngff: version } },
    never,
  );
  let inode = 0;
  const land = async (...names: string[]): Promise<void> => {
    const files = names.map((name) => {
      inode++;
      return sealedBytes(join(output, `in${inode}`), smallTiff(24, 20, inode), name, inode);
    });
    await materializer.land(files, never);
  };
  try {
    await land('A01_s001_w1_z001_t001.tif');
    let documents = 0;
    const disk = storage;
    useStorage(
      failingStorage(disk, (call, path) => {
        if (call === 'rename' && /document\d+$/.test(path())) documents++;
        return documents >= cutAt ? 'EIO' : undefined;
      }),
    );
    await land('A01_s001_w1_z001_t001_smooth.tif', 'B02_s001_w1_z001_t001.tif').catch(() => undefined);
    return documents >= cutAt;
  } finally {
    useStorage(undefined);
    await materializer.close();
  }
}

it.each(NGFF_VERSIONS)('a store of NGFF %s is valid wherever its metadata is cut off', async (version) => {
  folder = mkdtempSync(join(tmpdir(), 'platefs-cut-'));
  let cutAt = 1;
  for (; ; cutAt++) {
    const output = join(folder, String(cutAt));
    const isCut = await landCut(output, version, cutAt);
    expect(ngffProblems(join(output, 'results.ome.zarr')), `cut at document ${cutAt}`).toEqual([]);
    if (!isCut) break;
  }
  expect(cutAt).toBeGreaterThan(2);
});
