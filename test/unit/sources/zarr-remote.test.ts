import { cpSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { errnoOf } from '../../../src/core/errno.ts';
import { PlateFsError, SourceChangedError, UnreadableSourceError } from '../../../src/core/errors.ts';
import { wholeRegion } from '../../../src/core/region.ts';
import zarr from '../../../src/sources/zarr.ts';
import type { OpenSource, SourceCatalog } from '../../../src/sources.ts';
import { StoreServer } from '../../fixtures/serve-store.ts';
import { put, writeV2, writeV3 } from '../../fixtures/zarr.ts';
import { folderEntries, zipFile } from '../../fixtures/zip.ts';

await zarr.prepare!();

const never = new AbortController().signal;
const scratch = mkdtempSync(join(tmpdir(), 'platefs-zarr-remote-'));
const served = join(scratch, 'served');
const servers: StoreServer[] = [];
const environment = { ...process.env };

const array = (shape: number[], chunkShape: number[]) => ({
  shape,
  chunkShape,
  itemBytes: 2,
  bytes: Uint8Array.from(
    { length: 2 * shape.reduce((a, b) => a * b, 1) },
    (_, i) => (i * i * 31 + (i >> 4)) & 255,
  ),
});
const plain = array([6, 8], [3, 4]);
const shards = array([16, 16], [4, 4]);

/** Arrays that only consolidated metadata, or a list of folders, tells of; one chunk is missing. */
function putTree(folder: string): void {
  writeV3(join(folder, 'plain'), plain, { dtype: 'uint16' });
  writeV3(join(folder, 'sparse'), plain, { dtype: 'uint16', fillValue: 257, absent: ([y]) => y === 1 });
  writeV3(join(folder, 'g/shards'), shards, {
    dtype: 'uint16',
    packing: 'zstd',
    shard: { shape: [16, 16], location: 'end' },
  });
}

const document = (folder: string): unknown =>
  JSON.parse(
    String(
      folderEntries(folder)
        .find(({ name }) => name === 'zarr.json')!
        .content.toString(),
    ),
  );

let http = '';
let s3 = '';
beforeAll(async () => {
  const tree = join(served, 'tree.zarr');
  putTree(tree);
  put(join(tree, 'zarr.json'), {
    zarr_format: 3,
    node_type: 'group',
    attributes: { from: 'afar' },
    consolidated_metadata: {
      kind: 'inline',
      must_understand: false,
      metadata: Object.fromEntries(
        ['plain', 'sparse', 'g/shards'].map((name) => [name, document(join(tree, name))]),
      ),
    },
  });
  // A plate of OME-NGFF 0.4 that nothing lists: its metadata names all of it.
  const plate = join(served, 'plate.zarr');
  put(join(plate, '.zgroup'), { zarr_format: 2 });
  put(join(plate, '.zattrs'), {
    plate: { version: '0.4', wells: [{ path: 'B/02', rowIndex: 0, columnIndex: 0 }] },
  });
  put(join(plate, 'B/02/.zgroup'), { zarr_format: 2 });
  put(join(plate, 'B/02/.zattrs'), { well: { images: [{ path: '0' }] } });
  const image = (at: string): void => {
    put(join(at, '.zgroup'), { zarr_format: 2 });
    put(join(at, '.zattrs'), {
      multiscales: [{ version: '0.4', axes: [{ name: 'y' }, { name: 'x' }], datasets: [{ path: 'full' }] }],
    });
    writeV2(join(at, 'full'), plain, { dtype: '<u2', packing: 'blosc' });
  };
  image(join(plate, 'B/02/0'));
  put(join(plate, 'B/02/0/labels/.zgroup'), { zarr_format: 2 });
  put(join(plate, 'B/02/0/labels/.zattrs'), { labels: ['cells of it'] });
  image(join(plate, 'B/02/0/labels/cells of it'));
  mkdirSync(join(scratch, 's3'));
  writeFileSync(join(served, 'tree.zarr.zip'), zipFile(folderEntries(tree)));
  const [web, bucket] = await Promise.all([
    StoreServer.start('http', served),
    StoreServer.start('s3', join(scratch, 's3'), 'screens'),
  ]);
  servers.push(web, bucket);
  http = web.origin;
  s3 = bucket.origin;
  // No consolidated metadata here: S3 can list.
  const bare = join(scratch, 'bare');
  putTree(bare);
  for (const name of ['zarr.json', 'g/zarr.json'])
    put(join(bare, name), { zarr_format: 3, node_type: 'group', attributes: {} });
  for (const { name, content } of folderEntries(bare)) {
    const done = await fetch(`${s3}/screens/my%20folder/tree.zarr/${name}`, {
      method: 'PUT',
      body: Uint8Array.from(content),
    });
    expect(done.status).toBe(200);
  }
});
afterAll(() => {
  for (const server of servers) server[Symbol.dispose]();
  rmSync(scratch, { recursive: true, force: true });
});
afterEach(() => {
  process.env = { ...environment };
});

async function opened(address: string): Promise<{ catalog: SourceCatalog; source: OpenSource }> {
  const catalog = (await zarr.catalog!(address, { root: '/' }, never))!;
  return { catalog, source: zarr.openSync!(address, catalog) };
}
const names = ({ items }: SourceCatalog, kind: string): string[] =>
  items.filter((item) => item.kind === kind).map(({ path }) => path);
const readPlain = (source: OpenSource, name = 'plain'): Uint8Array => {
  const bytes = new Uint8Array(plain.bytes.length);
  source.readRegion(name, wholeRegion(plain.shape), bytes);
  return bytes;
};
const failure = (act: () => unknown): unknown => {
  try {
    act();
  } catch (error) {
    return error;
  }
  return undefined;
};

function expectTree(catalog: SourceCatalog, source: OpenSource): void {
  expect(names(catalog, 'array')).toEqual(['g/shards', 'plain', 'sparse']);
  expect(readPlain(source)).toEqual(plain.bytes);
  const half = readPlain(source, 'sparse');
  expect(half.subarray(0, 48)).toEqual(plain.bytes.subarray(0, 48));
  expect(half.subarray(48)).toEqual(new Uint8Array(48).fill(1));
  const whole = new Uint8Array(shards.bytes.length);
  source.readRegion('g/shards', wholeRegion(shards.shape), whole);
  expect(whole).toEqual(shards.bytes);
  expect(source.window('plain', wholeRegion(plain.shape))).toBeUndefined();
}

describe('a store on a web server', () => {
  it.each(['fine', 'flaky', 'dropped', 'rangeless'])(
    'is read exactly, through consolidated metadata (%s)',
    async (fault) => {
      const { catalog, source } = await opened(`${http}/${fault}/tree.zarr/`);
      expect(catalog.title).toBe('Zarr (zarr v3)');
      expect(catalog.warnings).toEqual([]);
      expectTree(catalog, source);
    },
  );

  it('is read in a zip file, too', async () => {
    const { catalog, source } = await opened(`${http}/zipped/tree.zarr.zip`);
    expectTree(catalog, source);
  });

  it('of a plate is catalogued by what its metadata names; labels are found', async () => {
    const { catalog, source } = await opened(`${http}/fine/plate.zarr`);
    expect(names(catalog, 'image')).toEqual(['B/02/0', 'B/02/0/labels/cells of it']);
    expect(catalog.warnings.map(({ message }) => message)).toEqual([expect.stringContaining('can’t list')]);
    const bytes = new Uint8Array(plain.bytes.length);
    source.readRegion('B/02/0/labels/cells of it', wholeRegion([1, 1, 1, 6, 8]), bytes);
    expect(bytes).toEqual(plain.bytes);
  });

  it('gets the query of its address with every request, and no message shows it', async () => {
    const { catalog, source } = await opened(`${http}/keyed/tree.zarr?key=secret`);
    expectTree(catalog, source);
    expect(JSON.stringify(catalog)).not.toContain('secret');
    const error = await zarr.catalog!(`${http}/keyed/tree.zarr?key=wrong`, { root: '/' }, never).catch(
      (e: unknown) => e,
    );
    expect(String(error)).toContain(`${http}/keyed/tree.zarr/zarr.json`);
    expect(String(error)).not.toContain('wrong');
  });

  it.each([
    ['forbidden', '403'],
    ['broken', '503'],
    ['packed', 'packed (gzip)'],
    ['cut', ''],
  ])('that fails (%s) is an error that names the chunk, never fill value', async (fault, said) => {
    const { source } = await opened(`${http}/${fault}/tree.zarr`);
    // Long enough for a busy machine to answer.
    process.env['PLATEFS_REMOTE_TIMEOUT_MS'] = '8000';
    const error = failure(() => readPlain(source));
    expect(error).toBeInstanceOf(UnreadableSourceError);
    expect(errnoOf(error)).toBe(5);
    expect(String(error)).toContain(`${http}/${fault}/tree.zarr/plain/c/0/0`);
    expect(String(error)).toContain(said);
    expect((error as PlateFsError).advice).toBeTruthy();
  });

  it('that hangs is an error in time', async () => {
    const { source } = await opened(`${http}/hang/tree.zarr`);
    process.env['PLATEFS_REMOTE_TIMEOUT_MS'] = '700';
    expect(String(failure(() => readPlain(source)))).toMatch(/plain\/c\/0\/0: no answer within 0.7 s/);
  });

  it('that has another version in the middle of a shard is told apart', async () => {
    const { source } = await opened(`${http}/changing/tree.zarr`);
    const target = new Uint8Array(2 * 16 * 16);
    expect(() => source.readRegion('g/shards', wholeRegion(shards.shape), target)).toThrow(
      SourceChangedError,
    );
  });

  it('is asked for no more than the inner chunks of a shard that are wanted, and for none twice', async () => {
    const { source } = await opened(`${http}/counted/tree.zarr`);
    const count = async (): Promise<number> => {
      const counts = (await (await fetch(`${http}/count`)).json()) as Record<string, number>;
      return counts['/counted/tree.zarr/g/shards/c/0/0'] ?? 0;
    };
    const row = new Uint8Array(2 * 4);
    source.readRegion('g/shards', { start: [4, 4], shape: [1, 4] }, row);
    // Its size, its index, one inner chunk.
    expect(await count()).toBe(3);
    for (let y = 5; y < 8; y++) source.readRegion('g/shards', { start: [y, 4], shape: [1, 4] }, row);
    expect(await count()).toBe(3);
  });

  it('that goes, or becomes another, is no store of missing chunks', async () => {
    const folder = join(served, 'moving.zarr');
    cpSync(join(served, 'tree.zarr'), folder, { recursive: true });
    const address = `${http}/fine/moving.zarr`;
    const { catalog, source } = await opened(address);
    // Half of its chunks are not there.
    const half = readPlain(source, 'sparse');
    expect(readPlain(source, 'sparse')).toEqual(half);
    renameSync(folder, `${folder}.away`);
    for (const name of ['sparse', 'plain']) {
      const error = failure(() => readPlain(source, name));
      expect(error).toBeInstanceOf(SourceChangedError);
      expect(String(error)).toContain(address);
    }
    expect(failure(() => zarr.openSync!(address, catalog))).toBeInstanceOf(SourceChangedError);
    renameSync(`${folder}.away`, folder);
    expect(readPlain(source, 'sparse')).toEqual(half);
    const root = join(folder, 'zarr.json');
    writeFileSync(root, `${readFileSync(root, 'utf8')} `);
    expect(failure(() => readPlain(source, 'sparse'))).toBeInstanceOf(SourceChangedError);
  });

  it('that is not there says so', async () => {
    expect(await zarr.catalog!(`${http}/fine/nothing.zarr`, { root: '/' }, never)).toBeUndefined();
    await expect(zarr.catalog!(`${http}/fine/nothing.zip`, { root: '/' }, never)).rejects.toThrow(
      /is not there/,
    );
    process.env['PLATEFS_REMOTE_TIMEOUT_MS'] = '500';
    await expect(zarr.catalog!('http://127.0.0.1:1/x.zarr', { root: '/' }, never)).rejects.toThrow(
      PlateFsError,
    );
  });
});

describe('a store in a bucket of S3', () => {
  const settings = (more: Record<string, string>): void => {
    for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) delete process.env[name];
    Object.assign(process.env, {
      AWS_ENDPOINT_URL: s3,
      AWS_CONFIG_FILE: '/nowhere',
      AWS_SHARED_CREDENTIALS_FILE: '/nowhere',
      ...more,
    });
  };

  it.each([
    ['anonymously', {}],
    ['with keys', { AWS_ACCESS_KEY_ID: 'S3RVER', AWS_SECRET_ACCESS_KEY: 'S3RVER' }],
  ])('is listed and read exactly %s', async (_, more) => {
    settings(more);
    const { catalog, source } = await opened('s3://screens/my folder/tree.zarr');
    expect(catalog.warnings).toEqual([]);
    expectTree(catalog, source);
  });

  it('with keys that the server does not take is an error, never an empty store', async () => {
    settings({ AWS_ACCESS_KEY_ID: 'NOBODY', AWS_SECRET_ACCESS_KEY: 'S3RVER' });
    await expect(opened('s3://screens/my folder/tree.zarr')).rejects.toThrow(/403/);
    settings({});
    await expect(opened('s3://UP/../tree')).rejects.toThrow();
    await expect(opened('s3://')).rejects.toThrow(/bucket/);
  });
});
