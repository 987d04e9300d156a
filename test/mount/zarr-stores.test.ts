import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { StoreServer } from '../fixtures/serve-store.ts';
import { folderEntries, zipFile } from '../fixtures/zip.ts';
import { mountProblem } from './harness.ts';
import { PlateMount, SHARED_DATA } from './plate-mount.ts';

const why = mountProblem() ?? (existsSync(SHARED_DATA) ? undefined : '../shared/data is absent');
const STORE = join(SHARED_DATA, 'ngff-images/v04/test_image_czyx.zarr');
const scratch = mkdtempSync(join(tmpdir(), 'pfs-zarr-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** Every array of the store through the mount has the checksum of the truth file. */
async function expectArrays(mount: PlateMount): Promise<void> {
  const { arrays } = JSON.parse(readFileSync(join(SHARED_DATA, 'ngff-images.truth.json'), 'utf8')) as {
    arrays: { path: string; sha256_array: string }[];
  };
  const sums: Record<string, string> = {};
  for (const { path, sha256_array } of arrays)
    if (path.startsWith('v04/test_image_czyx.zarr/'))
      sums[path.slice('v04/test_image_czyx.zarr/'.length)] = sha256_array;
  const text = await mount.python(
    `
import hashlib
print(json.dumps({name: hashlib.sha256(np.load(f'{mnt}/arrays/{name}.npy').tobytes()).hexdigest() for name in argv}))
`,
    ...Object.keys(sums),
  );
  expect(JSON.parse(text)).toEqual(sums);
}

describe.skipIf(why !== undefined)(
  `Zarr stores elsewhere than in a folder, mounted (${why ?? 'all present'})`,
  () => {
    it('in a zip file', async () => {
      const plate = join(scratch, 'image.ome.zarr.zip');
      writeFileSync(plate, zipFile(folderEntries(STORE, 'deflate')));
      await using mount = await PlateMount.start({ plate });
      await expectArrays(mount);
      const image = await mount.python(
        `
import tifffile
stacks = [f for f in os.listdir(mnt + '/stacks') if f.endswith('.ome.tif')]
print(json.dumps(tifffile.imread(f'{mnt}/stacks/{stacks[0]}').reshape(-1).tobytes() == np.load(mnt + '/arrays/0.npy').tobytes()))
`,
      );
      expect(JSON.parse(image)).toBe(true);
    });

    it('on a web server and in a bucket; a chunk that fails is EIO, and the mount goes on', async () => {
      const served = join(scratch, 'served');
      mkdirSync(served);
      const entries = folderEntries(STORE);
      const metadata: Record<string, unknown> = {};
      for (const { name, content } of entries)
        if (/\.z(?:group|array|attrs)$/.test(name))
          metadata[name] = JSON.parse(Buffer.from(content).toString());
      const consolidated = {
        name: '.zmetadata',
        content: Buffer.from(JSON.stringify({ zarr_consolidated_format: 1, metadata })),
      };
      for (const { name, content } of [...entries, consolidated]) {
        mkdirSync(join(served, 'image.zarr', name, '..'), { recursive: true });
        writeFileSync(join(served, 'image.zarr', name), content);
      }
      using web = await StoreServer.start('http', served);
      using bucket = await StoreServer.start('s3', join(scratch, 's3'), 'images');
      for (const { name, content } of entries)
        await fetch(`${bucket.origin}/images/image.zarr/${name}`, {
          method: 'PUT',
          body: Uint8Array.from(content),
        });
      {
        await using mount = await PlateMount.start({ plate: `${web.origin}/flaky/image.zarr` });
        await expectArrays(mount);
      }
      {
        await using mount = await PlateMount.make({ plate: 's3://images/image.zarr' });
        Object.assign(mount.env, { AWS_ENDPOINT_URL: bucket.origin, AWS_NO_SIGN_REQUEST: 'YES' });
        await mount.mount();
        await expectArrays(mount);
      }
      await using mount = await PlateMount.start({ plate: `${web.origin}/nochunks/image.zarr` });
      const failed = await mount.run('cat', [mount.path('arrays/0.npy')]);
      expect(failed.code).not.toBe(0);
      expect(await mount.shell('ls arrays')).toContain('0.npy');
    });
  },
);
