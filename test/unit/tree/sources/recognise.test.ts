import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { makePlate } from '../../../../scripts/plate-maker/plate-maker.ts';
import { NotAPlateError } from '../../../../src/core/errors.ts';
import { openPlate } from '../../../../src/tree/open-plate.ts';
import { recognise } from '../../../../src/tree/sources/recognise.ts';
import { writeTiff } from '../../../fixtures/tiff.ts';
import { put } from '../../../fixtures/zarr.ts';

const scratch = mkdtempSync(join(tmpdir(), 'platefs-recognise-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
const { signal } = new AbortController();

/** A folder of TIFFs of `pages` pages, by their names. */
function folderOf(name: string, files: readonly string[], pages: number): string {
  const folder = join(scratch, name);
  mkdirSync(folder);
  const page = { width: 4, height: 3, bits: 8, pixels: new Uint8Array(12) };
  const bytes = writeTiff({ pages: Array.from({ length: pages }, () => page) });
  for (const file of files) writeFileSync(join(folder, file), bytes);
  return folder;
}

const TEN = Array.from({ length: 10 }, (_, i) => `A01_stack_${String(i + 1).padStart(2, '0')}.tif`);

async function refusal(folder: string, as?: 'plate' | 'sources'): Promise<NotAPlateError> {
  const error = await recognise(folder, signal, as).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof NotAPlateError)) throw new Error('it was not refused', { cause: error });
  return error;
}

describe('a folder of nothing but TIFFs that no format recognises', () => {
  it('is a folder of sources where they are stacks, and each is one', async () => {
    const folder = folderOf('stacks', TEN, 3);
    expect(await recognise(folder, signal)).toMatchObject({ scope: { kind: 'folder', plates: [] } });
    const { index } = await openPlate(folder, { signal, cacheDir: null });
    expect(index.sources?.map(({ name }) => name)).toEqual(TEN);
    expect(index.sources?.[0]?.files.map(({ path }) => path)).toContain('stacks/A01_stack_01.ome.tif');
  });

  it('is a folder of sources where its names say nothing', async () => {
    const folder = folderOf('heap', ['overview.tif', 'dog and cat.tif', 'x.tif'], 1);
    expect(await recognise(folder, signal)).toMatchObject({ scope: { kind: 'folder' } });
  });

  it('is refused where its names may be those of a plate, with both ways out', async () => {
    const folder = folderOf('planes', TEN, 1);
    const { advice } = await refusal(folder);
    expect(advice).toContain("--layout '");
    expect(advice).toContain('--as sources');
    expect(await recognise(folder, signal, 'sources')).toMatchObject({ scope: { kind: 'folder' } });
  });

  it('is no plate where it is to be one', async () => {
    expect((await refusal(folderOf('no plate', TEN, 3), 'plate')).advice).toContain('--layout');
    expect((await refusal(join(scratch, 'no plate', TEN[0]!), 'plate')).message).toContain('it is a file');
  });
});

describe('a folder with one plate below it', () => {
  it('is that plate, unless stacks lie beside it', async () => {
    const folder = folderOf('beside', ['overview.tif', 'thumbnail.tif'], 1);
    const { root } = await makePlate(join(folder, 'p'), { width: 8, height: 8, wells: ['A01'], sites: 1 });
    expect(await recognise(folder, signal)).toMatchObject({ format: 'imagexpress', root });
    const page = { width: 4, height: 3, bits: 8, pixels: new Uint8Array(12) };
    for (const name of ['a.tif', 'b.tif', 'c.tif', 'd.tif'])
      writeFileSync(join(folder, name), writeTiff({ pages: [page, page] }));
    expect(await recognise(folder, signal)).toMatchObject({ scope: { kind: 'folder', plates: ['p'] } });
  });
});

describe('a folder with an OME-Zarr in it', () => {
  it('is that plate, unless other stores lie beside it', async () => {
    const folder = join(scratch, 'image');
    put(join(folder, 'image/.zgroup'), { zarr_format: 2 });
    const axes = [
      { name: 'y', type: 'space' },
      { name: 'x', type: 'space' },
    ];
    put(join(folder, 'image/.zattrs'), {
      multiscales: [{ version: '0.4', axes, datasets: [{ path: '0' }] }],
    });
    for (const level of ['0', '1']) put(join(folder, 'image', level, '.zarray'), {});
    writeFileSync(join(folder, 'notes.txt'), 'mine');
    expect(await recognise(folder, signal)).toMatchObject({ format: 'ome-zarr', root: folder });
    writeFileSync(join(folder, 'cells.h5ad'), 'as if');
    expect(await recognise(folder, signal)).toMatchObject({ scope: { kind: 'folder', plates: ['image'] } });
    expect(await recognise(folder, signal, 'plate')).toMatchObject({ format: 'ome-zarr', root: folder });
    const image = join(folder, 'image');
    expect(await recognise(image, signal)).toMatchObject({ format: 'ome-zarr', root: image });
  });
});

describe('what a folder is to be shown as', () => {
  it('decides where it could be both, each with an index of its own', async () => {
    const folder = join(scratch, 'both');
    const { root } = await makePlate(folder, { width: 8, height: 8, wells: ['A01'], sites: 1 });
    const cacheDir = join(scratch, 'cache');
    const scopes = [];
    for (const as of ['sources', undefined, 'plate', 'sources', undefined] as const) {
      const { index } = await openPlate(root, { signal, cacheDir, ...(as ? { as } : {}) });
      scopes.push(index.scope?.kind ?? `${index.planes.count > 0}`);
    }
    expect(scopes).toEqual(['folder', 'true', 'true', 'folder', 'true']);
  });

  it('takes the plate below of a folder that holds stores as well', async () => {
    const folder = join(scratch, 'mixed');
    const { root } = await makePlate(join(folder, 'p'), { width: 8, height: 8, wells: ['A01'], sites: 1 });
    mkdirSync(join(folder, 's.zarr'));
    writeFileSync(join(folder, 's.zarr/.zgroup'), '{"zarr_format": 2}');
    expect(await recognise(folder, signal)).toMatchObject({ scope: { kind: 'folder', plates: ['p'] } });
    expect(await recognise(folder, signal, 'plate')).toMatchObject({ format: 'imagexpress', root });
  });
});
