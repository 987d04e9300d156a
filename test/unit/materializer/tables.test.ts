import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LandedReader } from '../../../src/materializer/landed-reader.ts';
import type { Landing } from '../../../src/materializer/landing.ts';
import { Materializer } from '../../../src/materializer/materializer.ts';
import { ByteCache } from '../../../src/memory/byte-cache.ts';
import { CODEC_NAMES, type LandingFormat, parseChunkCodec } from '../../../src/model/landing-format.ts';
import { NGFF_VERSIONS } from '../../../src/model/ngff.ts';
import anndata from '../../../src/sources/anndata.ts';
import { ngffProblems } from '../../interop/landing/ngff-problems.ts';
import { sealedBytes, smallTiff } from '../../interop/landing/small-tiff.ts';

const never = new AbortController().signal;
const PYTHON = '/usr/bin/python3';
const hasPython = spawnSync(PYTHON, ['-c', 'import anndata, zarr']).status === 0;
let folder = '';
let output = '';
let materializer: Materializer;
let inode = 0;

const open = async (format: LandingFormat = {}): Promise<void> => {
  materializer = await Materializer.open({ outputDir: output, workers: 1, format }, never);
};

async function land(mountPath: string, content: string | Buffer, owner = ++inode): Promise<Landing> {
  const file = sealedBytes(
    join(folder, 'in', `${owner}-${content.length}`),
    Buffer.from(content),
    mountPath,
    owner,
  );
  const [result] = await materializer.land([file], never);
  if (!result || 'error' in result) throw result?.error ?? new Error('no result');
  const back = Buffer.alloc(result.landing.sizeBytes);
  new LandedReader(output, new ByteCache(0)).readSync(result.landing, 0, back.length, back);
  expect(back.equals(Buffer.from(content))).toBe(true);
  return result.landing;
}

const store = (...path: string[]): string => join(output, 'results.ome.zarr', ...path);
// biome-ignore lint/suspicious/noExplicitAny: the metadata under test has any shape
const json = (...path: string[]): any => JSON.parse(readFileSync(store(...path), 'utf8'));

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'platefs-tables-'));
  output = join(folder, 'out');
  await open();
});

afterEach(async () => {
  await materializer.close();
  rmSync(folder, { recursive: true, force: true });
});

const TABLE = 'well,count,area/um2,id\nA01,7,1.25,9007199254740993\n"B,2",,inf,1\n';

/** Texts, names and numbers of a table, as our own reader of AnnData finds them. */
async function content(table: string): Promise<unknown> {
  const copy = join(folder, 'copy.zarr');
  cpSync(store(table), copy, { recursive: true });
  await anndata.prepare?.();
  const catalog = await anndata.catalog?.(copy, { root: folder }, never);
  if (!catalog || !anndata.openSync) throw new Error(`${table} is not taken for AnnData`);
  expect(catalog.warnings).toEqual([]);
  using source = anndata.openSync(copy, catalog);
  const names = source.readRows('var', 0, 2).columns[0];
  const bytes = new Uint8Array(32);
  source.readRegion('X', { start: [0, 0], shape: [2, 2] }, bytes);
  return [source.readRows('obs', 0, 2).columns, names, [...new Float64Array(bytes.buffer)]];
}

describe('tables of the store', () => {
  it.each(NGFF_VERSIONS.flatMap((ngff) => CODEC_NAMES.map((name) => [ngff, name] as const)))(
    'are AnnData with numbers in X and texts in obs (%s, %s)',
    async (ngff, name) => {
      await materializer.close();
      await open({ ngff, codec: parseChunkCodec(name, 'codec') });
      const landing = await land('results/counts.csv', TABLE);
      expect(landing).toMatchObject({ kind: 'plain', path: 'results/counts.csv' });
      expect(landing.note).toBeUndefined();
      expect(await content('tables/results_counts')).toEqual([
        [
          ['0', '1'],
          ['A01', 'B,2'],
          ['9007199254740993', '1'],
        ],
        ['count', 'area/um2'],
        [7, 1.25, Number.NaN, Number.POSITIVE_INFINITY],
      ]);
      expect(ngffProblems(store())).toEqual([]);
    },
  );

  it('are listed, replaced when their file is written again, renamed and deleted with it', async () => {
    const listed = (): unknown => json('tables/.zattrs').tables;
    const first = await land('a/t.csv', TABLE);
    const other = await land('a_t.csv', TABLE);
    expect(listed()).toEqual(['a_t', 'a_t_2']);
    const again = await land('a/t.csv', 'k\n5\n', first.inode);
    await materializer.remove(first, again);
    expect(json('tables/a_t/X/.zarray').shape).toEqual([1, 1]);
    expect(json('tables/a_t/.zattrs').platefs.written.all.file).toBe('a/t.csv');
    const prose = await land('a/t.csv', 'dear,reader\nhello\n', first.inode);
    await materializer.remove(again, prose);
    expect(prose.note).toMatch(/no table .* row 1 has 1 cells where its header has 2/);
    expect(listed()).toEqual(['a_t_2']);
    expect(existsSync(store('tables/a_t'))).toBe(false);
    const moved = await materializer.relocate(other, 'b.csv', never);
    await materializer.remove(other, moved);
    expect(listed()).toEqual(['b']);
    await materializer.close();
    await open();
    await materializer.remove(moved);
    expect(listed()).toEqual([]);
    expect(existsSync(store('tables/b'))).toBe(false);
    expect(existsSync(join(output, 'b.csv'))).toBe(false);
  });

  it('stand beside a plate and images, also of a folder of their name', async () => {
    await land('tables/A01_s001_w1_z001_t001.tif', smallTiff(8, 8, 1));
    await land('tables/overview.tif', smallTiff(8, 8, 2));
    await land('tables/t.tsv', 'a\tb\n1\tx\n');
    expect(json('tables/.zattrs')).toEqual({ tables: ['tables_t'] });
    expect(existsSync(store('tables_/overview.tif/0/.zarray'))).toBe(true);
    expect(ngffProblems(store())).toEqual([]);
  });

  it.each([
    ['no UTF-8 text', Buffer.from([0x61, 0x0a, 0xe9, 0x0a])],
    ['larger than 32 MiB', Buffer.alloc((32 << 20) + 1, 'a\n')],
  ])('are none of a file that is %s', async (why, bytes) => {
    expect((await land('t.csv', bytes)).note).toContain(why);
    expect(existsSync(store('tables'))).toBe(false);
  });

  it.skipIf(!hasPython)('are read by anndata (needs python3-anndata)', async () => {
    await land('mixed.csv', TABLE);
    await land(
      'numbers.csv',
      `x,y\n${Array.from({ length: 3000 }, (_, row) => `${row},${row / 8}\n`).join('')}`,
    );
    await land('texts.csv', 'name,word\né,\n"a\nb",c\n');
    const script = `
import sys, warnings
warnings.simplefilter('ignore')
import anndata as ad, numpy as np
mixed, numbers, texts = [ad.read_zarr(sys.argv[1] + '/tables/' + name) for name in ('mixed', 'numbers', 'texts')]
assert mixed.obs_names.tolist() == ['0', '1'] and mixed.var_names.tolist() == ['count', 'area/um2']
assert mixed.obs['well'].tolist() == ['A01', 'B,2'] and mixed.obs['id'].tolist() == ['9007199254740993', '1']
assert np.array_equal(mixed.X, [[7, 1.25], [np.nan, np.inf]], equal_nan=True) and mixed.X.dtype == 'float64'
assert numbers.shape == (3000, 2) and np.array_equal(numbers.X[:, 1], np.arange(3000) / 8)
assert texts.X is None and texts.shape == (2, 0) and texts.obs['name'].tolist() == ['é', 'a\\nb'], texts
assert texts.obs['word'].tolist() == ['', 'c']`;
    const run = spawnSync(PYTHON, ['-c', script, store()]);
    expect(run.stderr.toString()).toBe('');
  });
});
