import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { elementCount, itemSizeBytes } from '../../../src/core/nd-array.ts';
import anndata from '../../../src/sources/anndata.ts';
import zarr from '../../../src/sources/zarr.ts';
import type { OpenSource, SourceCatalog, SourceItem } from '../../../src/sources.ts';

const DATA = resolve(import.meta.dirname, '../../../../shared/data/anndata-zarr');
const GROUP = 'tables/regions';
const signal = new AbortController().signal;

let scratch = '';
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'platefs-tables-'));
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

async function opened(driver: typeof zarr, path: string): Promise<[SourceCatalog, OpenSource]> {
  const catalog = await driver.catalog?.(path, { root: scratch }, signal);
  if (!catalog) throw new Error(`${path} is no store`);
  await driver.prepare?.(path);
  const source = driver.openSync?.(path, catalog);
  if (!source) throw new Error(`${path} is not opened`);
  return [catalog, source];
}

/** All that an item holds. */
function all(source: OpenSource, path: string, item: SourceItem): unknown {
  switch (item.kind) {
    case 'table':
      return source.readRows(path, 0, item.rowCount);
    case 'sparse':
      return source.readEntries(path, 0, item.entryCount);
    case 'family':
      return [source.memberNames(path, 0, item.memberCount), source.readRows(path, 0, item.rowCount, 0)];
    case 'array': {
      const bytes = new Uint8Array(elementCount(item.shape) * itemSizeBytes(item.dtype));
      source.readRegion(path, { start: item.shape.map(() => 0), shape: item.shape }, bytes);
      return Buffer.from(bytes).toString('hex');
    }
    default:
      return item;
  }
}

describe.skipIf(!existsSync(DATA))('AnnData in tables/ of a store', () => {
  const stores = existsSync(DATA) ? readdirSync(DATA).filter((name) => name.endsWith('.zarr')) : [];

  it.each(stores)('%s is what it is as a store of its own', async (name) => {
    const alone = join(DATA, name);
    const image = join(scratch, `image-${name}`);
    await mkdir(join(image, 'tables'), { recursive: true });
    cpSync(alone, join(image, GROUP), { recursive: true });
    const isV3 = existsSync(join(alone, 'zarr.json'));
    for (const group of ['', 'tables/'])
      if (isV3) writeFileSync(join(image, group, 'zarr.json'), '{"zarr_format":3,"node_type":"group"}');
      else writeFileSync(join(image, group, '.zgroup'), '{"zarr_format":2}');
    const [wanted, own] = await opened(anndata, alone);
    const [found, inside] = await opened(zarr, image);
    try {
      const below = found.items.filter(({ path }) => path !== `${GROUP}/attributes.json`);
      expect(below).toEqual(wanted.items.map((item) => ({ ...item, path: `${GROUP}/${item.path}` })));
      for (const item of wanted.items)
        expect(all(inside, `${GROUP}/${item.path}`, item), item.path).toEqual(all(own, item.path, item));
      expect(found.warnings.length).toBe(wanted.warnings.length);
    } finally {
      own[Symbol.dispose]();
      inside[Symbol.dispose]();
    }
  });
});
