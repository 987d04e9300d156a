import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { checkOutput } from '../../../src/changes/check-output.ts';
import { lockExclusively } from '../../../src/fuse/syscalls.ts';
import { Materializer } from '../../../src/materializer/materializer.ts';
import { NGFF_VERSIONS } from '../../../src/model/ngff.ts';
import type { Namespace } from '../../../src/overlay/namespace.ts';
import { sealedBytes, smallTiff } from '../../interop/landing/small-tiff.ts';

const { signal } = new AbortController();

it.each(NGFF_VERSIONS)('a check looks at images and labels of a store, not at chunks: %s', async (ngff) => {
  const folder = mkdtempSync(join(tmpdir(), 'platefs-check-'));
  const materializer = await Materializer.open({ outputDir: folder, workers: 1, format: { ngff } }, signal);
  try {
    const names = ['A01_s001_w1_z001_t001.tif', 'A01_s001_w1_z001_t001_labels.tif'];
    const files = names.map((name, at) =>
      sealedBytes(join(folder, 'in', name), smallTiff(8, 8, at), name, at + 1),
    );
    const results = await materializer.land(files, signal);
    const landed = results.flatMap((result) => ('landing' in result ? [result.landing] : []));
    const inodes = landed.map((landing, number) => [
      number,
      {
        number,
        landed: { record: landing, sizeBytes: landing.sizeBytes },
        place: { name: landing.mountPath },
      },
    ]);
    const namespace = { inodes: new Map(inodes as []), pathOf: () => undefined } as unknown as Namespace;
    const check = async (): Promise<string[]> => {
      const options = { isServed: false, takeLock: lockExclusively, signal, onProgress: () => {} };
      const findings = await checkOutput({ state: folder, output: folder }, namespace, options);
      return findings.map(({ kind, path }) => `${kind} ${path.replace(`${folder}/`, '')}`);
    };
    expect(await check()).toEqual([]);
    const image = join(folder, 'results.ome.zarr/A/01/0');
    writeFileSync(join(image, ngff === '0.4' ? '0/0/zarr.json' : '0/c/zarr.json'), 'no document');
    expect(await check()).toEqual([]);
    mkdirSync(join(image, 'labels/left'));
    expect(await check()).toEqual(['image-unnamed results.ome.zarr/A/01/0/labels/left']);
    rmSync(join(image, 'labels/left'), { recursive: true });
    rmSync(join(image, 'labels/labels'), { recursive: true });
    expect(await check()).toEqual([
      'landing-unreadable A01_s001_w1_z001_t001_labels.tif',
      'store-damaged results.ome.zarr/A/01/0/labels/labels',
    ]);
  } finally {
    await materializer.close();
    rmSync(folder, { recursive: true, force: true });
  }
});
