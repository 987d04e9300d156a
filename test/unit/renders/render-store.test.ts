import {
  chmodSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BadParameterError, NoSpaceError } from '../../../src/core/errors.ts';
import { lockExclusively } from '../../../src/fuse/syscalls.ts';
import { coldCache } from '../../../src/renders/render-folder.ts';
import { RenderStore } from '../../../src/renders/render-store.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'platefs-renders-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const storeOf = (limitBytes?: number): RenderStore =>
  new RenderStore({
    folder: join(folder, 'renders'),
    lock: lockExclusively,
    ...(limitBytes === undefined ? {} : { limitBytes }),
  });

const keyOf = (number: number): string => number.toString(16).padStart(40, '0');

async function bringOnly(store: RenderStore, number: number, sizeBytes: number): Promise<void> {
  const bytes = Buffer.alloc(sizeBytes, number);
  const path = store.temporaryPath();
  writeFileSync(path, bytes);
  const description = { sizeBytes, checksum: crc32(bytes), source: '/plate', mountPath: `stacks/${number}` };
  await store.bringIn(keyOf(number), path, description);
}

async function bring(store: RenderStore, number: number, sizeBytes: number): Promise<void> {
  await bringOnly(store, number, sizeBytes);
  // Used in the order of their numbers.
  utimesSync(join(store.folder, `${keyOf(number)}.json`), number, number);
}

const keys = (store: RenderStore): number[] => store.list().map(({ key }) => Number.parseInt(key, 16));

describe('a folder of finished renders', () => {
  it('gives back what was brought in, to others too, and is for its owner only', async () => {
    const store = storeOf();
    await bring(store, 1, 1000);
    const found = storeOf().use(keyOf(1));
    if (typeof found !== 'object') throw new Error('it is not there');
    expect(readFileSync(found.path)).toEqual(Buffer.alloc(1000, 1));
    expect(found).toMatchObject({ sizeBytes: 1000, source: '/plate', mountPath: 'stacks/1' });
    expect(statSync(store.folder).mode & 0o777).toBe(0o700);
    expect(store.use(keyOf(2))).toBeUndefined();
    expect(readdirSync(store.folder).filter((name) => name.includes('.part'))).toEqual([]);
  });

  it('throws out what was not used for longest when it gets too large, and spares what is open', async () => {
    const store = storeOf(3000);
    for (const number of [1, 2, 3]) await bring(store, number, 1000);
    const fd = openSync(join(store.folder, keyOf(2)), 'r');
    expect(store.use(keyOf(1))).toBeTypeOf('object');
    await bring(store, 4, 1500);
    expect(keys(store).toSorted()).toEqual([1, 4]);
    expect(readSync(fd, Buffer.alloc(1000))).toBe(1000);
    await expect(bring(store, 5, 3001)).rejects.toThrow(NoSpaceError);
    expect(keys(store).toSorted()).toEqual([1, 4]);
  });

  it('does not serve damaged, cut or half written renders', async () => {
    const damages: ((path: string) => void)[] = [
      (path) => writeFileSync(path, Buffer.alloc(1000, 9)),
      (path) => truncateSync(path, 999),
      (path) => rmSync(path),
      (path) => writeFileSync(`${path}.json`, '{"version":1'),
      (path) => writeFileSync(`${path}.json`, '{"version":99,"sizeBytes":1000}'),
      (path) => rmSync(`${path}.json`),
    ];
    for (const [number, damage] of damages.entries()) {
      const store = storeOf();
      await bring(store, number, 1000);
      expect(storeOf().use(keyOf(number))).toBeTypeOf('object');
      damage(join(store.folder, keyOf(number)));
      expect(typeof storeOf().use(keyOf(number)), String(number)).not.toBe('object');
      expect(storeOf().use(keyOf(number)), String(number)).toBeUndefined();
    }
  });

  it('notices damage done after it was verified once', async () => {
    const store = storeOf();
    await bring(store, 1, 1000);
    expect(store.use(keyOf(1))).toBeTypeOf('object');
    chmodSync(join(store.folder, keyOf(1)), 0o600);
    writeFileSync(join(store.folder, keyOf(1)), Buffer.alloc(1000, 8));
    expect(store.use(keyOf(1))).toBe('corrupt');
    expect(existsSync(join(store.folder, keyOf(1)))).toBe(false);
  });

  it('reads bytes again that another start of the machine has left, and no others', async () => {
    const store = storeOf();
    await bring(store, 1, 1000);
    const path = join(store.folder, keyOf(1));
    const described = JSON.parse(readFileSync(`${path}.json`, 'utf8')) as Record<string, unknown>;
    // A wrong checksum tells whether the bytes are looked at.
    const describe = (changes: Record<string, unknown>): void =>
      writeFileSync(`${path}.json`, JSON.stringify({ ...described, ...changes }));
    describe({ checksum: 0 });
    expect(storeOf().use(keyOf(1))).toBeTypeOf('object');
    const asMade = String(described['asMade']).replace(/^\S+/, 'e1a1c0de-0000-4000-8000-000000000000');
    describe({ asMade });
    expect(storeOf().use(keyOf(1))).toBeTypeOf('object');
    describe({ asMade, checksum: 0 });
    expect(storeOf().use(keyOf(1))).toBe('corrupt');
  });

  it('is shared by many that bring things in at once, and stays within its limit', async () => {
    const stores = [storeOf(4000), storeOf(4000), storeOf(4000)];
    await Promise.all(
      stores.flatMap((store, i) => [0, 1, 2, 3].map((j) => bringOnly(store, 1 + i * 4 + j, 900))),
    );
    const left = storeOf().list();
    expect(left.length).toBeGreaterThan(0);
    expect(left.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)).toBeLessThanOrEqual(4000);
    for (const { key } of left) expect(storeOf().use(key)).toBeTypeOf('object');
  });
});

describe('the cold cache', () => {
  it('lies and grows as option, definition and environment say', () => {
    expect(coldCache({}, '/c', undefined)).toEqual({ folder: '/c/renders', limitBytes: 20 * 2 ** 30 });
    expect(coldCache({ PLATEFS_COLD_CACHE: '1MiB' }, '/c', undefined)?.limitBytes).toBe(2 ** 20);
    expect(coldCache({ PLATEFS_COLD_CACHE: '1MiB' }, '/c', 5)?.limitBytes).toBe(5);
    expect(coldCache({ PLATEFS_COLD_CACHE: 'off' }, '/c', undefined)).toBeUndefined();
    expect(coldCache({}, '/c', 0)).toBeUndefined();
    expect(coldCache({ PLATEFS_COLD_CACHE_DIR: '/fast' }, '/c', 5)?.folder).toBe('/fast');
    expect(coldCache({ PLATEFS_COLD_CACHE_DIR: 'relative' }, '/c', 5)?.folder).toBe('/c/renders');
    expect(() => coldCache({ PLATEFS_COLD_CACHE: 'much' }, '/c', undefined)).toThrow(BadParameterError);
  });
});
