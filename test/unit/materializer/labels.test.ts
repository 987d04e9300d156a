import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LandedReader } from '../../../src/materializer/landed-reader.ts';
import type { Landing } from '../../../src/materializer/landing.ts';
import { Materializer } from '../../../src/materializer/materializer.ts';
import type { SealedFile } from '../../../src/materializer/sealed-file.ts';
import { ByteCache } from '../../../src/memory/byte-cache.ts';
import type { LandingFormat } from '../../../src/model/landing-format.ts';
import { ngffProblems } from '../../interop/landing/ngff-problems.ts';
import { sealedBytes, smallTiff } from '../../interop/landing/small-tiff.ts';

const never = new AbortController().signal;
const PYTHON = '/usr/bin/python3';
let folder = '';
let output = '';
let materializer: Materializer;
let inode = 0;
const bytesOf = new Map<number, Buffer>();

const open = async (format: LandingFormat = {}): Promise<void> => {
  materializer = await Materializer.open({ outputDir: output, workers: 1, format }, never);
};

function written(mountPath: string, seed: number, width = 24, owner = ++inode): SealedFile {
  const bytes = smallTiff(width, 20, seed);
  bytesOf.set(owner, bytes);
  return sealedBytes(join(folder, 'in', String(owner)), bytes, mountPath, owner);
}

async function land(...files: SealedFile[]): Promise<Landing[]> {
  const results = await materializer.land(files, never);
  return files.map((file) => {
    const result = results.find((one) => one.inode === file.inode);
    if (!result || 'error' in result) throw result?.error ?? new Error('no result');
    return result.landing;
  });
}

function expectBack(...landings: readonly (Landing | undefined)[]): void {
  for (const landing of landings) {
    const back = Buffer.alloc(landing?.sizeBytes ?? 0);
    if (landing) new LandedReader(output, new ByteCache(0)).readSync(landing, 0, back.length, back);
    expect(back.equals(bytesOf.get(landing?.inode ?? 0)!)).toBe(true);
  }
}

const store = (...path: string[]): string => join(output, 'results.ome.zarr', ...path);
// biome-ignore lint/suspicious/noExplicitAny: the metadata under test has any shape
const json = (...path: string[]): any => JSON.parse(readFileSync(store(...path), 'utf8'));
const pathOf = (landing: Landing | undefined): string =>
  landing?.kind === 'image' ? landing.path.slice('results.ome.zarr/'.length) : '';

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'platefs-labels-'));
  output = join(folder, 'out');
  await open();
});

afterEach(async () => {
  await materializer.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('labels of an image of the store', () => {
  it('lie below it, whatever comes first in a batch, and go on there after a restart', async () => {
    const [label, image] = await land(
      written('out/A01_s001_w1_z001_t001_cell_labels.tif', 1),
      written('out/A01_s001_w1_z001_t001.tif', 2),
    );
    expect(pathOf(image)).toBe('A/01/0');
    expect(label).toMatchObject({ placement: 'label', path: 'results.ome.zarr/A/01/0/labels/cell_labels' });
    expect(json('A/01/0/labels/.zattrs')).toEqual({ labels: ['cell_labels'] });
    expect(json('A/01/0/labels/cell_labels/.zattrs')).toMatchObject({
      'image-label': { version: '0.4', source: { image: '../../' } },
      multiscales: [{ name: 'A/01 site 1 out _cell_labels' }],
    });
    await materializer.close();
    await open({ levels: 2 });
    const [later, other] = await land(
      written('out/A01_s001_w1_z001_t002_cell_labels.tif', 3),
      written('masks/A01_s001_w1_z001_t001.tif', 4),
    );
    expect(pathOf(later)).toBe('A/01/0/labels/cell_labels');
    expect(pathOf(other)).toBe('A/01/0/labels/masks');
    expect(json('A/01/0/labels/.zattrs')).toEqual({ labels: ['cell_labels', 'masks'] });
    expect(json('A/01/.zattrs').well.images).toHaveLength(1);
    expect(ngffProblems(store())).toEqual([]);
    expectBack(label, image, later, other);
  });

  it('have its pixel size and its levels', async () => {
    await materializer.close();
    await open({ ngff: '0.5', levels: 3 });
    const image = written('out/A01_s001_w1_z001_t001.tif', 2, 200);
    const label = written('out/A01_s001_w1_z001_t001_labels.tif', 1, 200);
    expect((await land(image, label)).map(pathOf)).toEqual(['A/01/0', 'A/01/0/labels/labels']);
    const { attributes } = json('A/01/0/labels/labels/zarr.json');
    expect(attributes.ome['image-label']).toEqual({ source: { image: '../../' } });
    const [of, own] = ['A/01/0', 'A/01/0/labels/labels'].map(
      (path) => json(path, 'zarr.json').attributes.ome.multiscales[0].datasets,
    );
    expect(own).toEqual(of);
    expect(ngffProblems(store())).toEqual([]);
  });

  it.each([
    ['of another size', ['out/A01_s001_w1_z001_t001.tif'], 30],
    ['of no image', ['out/A01_s002_w1_z001_t001.tif'], 24],
    ['of one of two images', ['a/A01_s001_w1_z001_t001.tif', 'b/A01_s001_w1_z001_t001.tif'], 24],
    ['of a projection', ['out/A01_s001_w1_z000_t001.tif'], 24],
  ])('stay an image of their own when they are %s', async (_, images, width) => {
    await land(...images.map((path, index) => written(path, index)));
    const [label] = await land(written('out/A01_s001_w1_z001_t001_labels.tif', 9, width));
    expect(label).toMatchObject({ placement: 'plate' });
    expect(pathOf(label)).toMatch(/^A\/01\/\d$/);
    expect(ngffProblems(store())).toEqual([]);
    expectBack(label);
  });

  it('keep its group alive, and go with their list', async () => {
    const [image, cells, nuclei] = await land(
      written('out/A01_s001_w1_z001_t001.tif', 1),
      written('out/A01_s001_w1_z001_t001_cell_labels.tif', 2),
      written('out/A01_s001_w1_z001_t001_nuclei_labels.tif', 3),
    );
    await materializer.remove(image!);
    expect(ngffProblems(store())).toEqual([]);
    expectBack(cells, nuclei);
    await materializer.remove(cells!);
    expect(json('A/01/0/labels/.zattrs')).toEqual({ labels: ['nuclei_labels'] });
    expect(existsSync(store('A/01/0/labels/cell_labels'))).toBe(false);
    expectBack(nuclei);
    await materializer.remove(nuclei!);
    expect(existsSync(store('A/01/0'))).toBe(false);
    expect(json('.zattrs').plate).toBeUndefined();
    expect(ngffProblems(store())).toEqual([]);
  });

  it('go together with it', async () => {
    const both = await land(
      written('out/A01_s001_w1_z001_t001.tif', 1),
      written('out/A01_s001_w1_z001_t001_labels.tif', 2),
    );
    await Promise.all(both.map((landing) => materializer.remove(landing)));
    expect(existsSync(store('A/01/0'))).toBe(false);
    expect(ngffProblems(store())).toEqual([]);
  });

  it('are written again and renamed', async () => {
    const [, label] = await land(
      written('out/A01_s001_w1_z001_t001.tif', 1),
      written('out/A01_s001_w1_z001_t001_labels.tif', 2),
    );
    const [again] = await land(written('out/A01_s001_w1_z001_t001_labels.tif', 7, 24, label!.inode));
    await materializer.remove(label!, again);
    expect(pathOf(again)).toBe('A/01/0/labels/labels');
    expectBack(again);
    const moved = await materializer.relocate(again!, 'out/A01_s001_w1_z001_t001_masks.tif', never);
    await materializer.remove(again!, moved);
    expect(json('A/01/0/labels/.zattrs')).toEqual({ labels: ['masks'] });
    const away = await materializer.relocate(moved, 'overview_labels.tif', never);
    await materializer.remove(moved, away);
    expect(existsSync(store('A/01/0/labels'))).toBe(false);
    expect(ngffProblems(store())).toEqual([]);
    expectBack(away);
  });

  it.skipIf(spawnSync(PYTHON, ['-c', 'import zarr']).status !== 0)(
    'are found by their lists in zarr-python (needs python3-zarr)',
    async () => {
      await land(
        written('out/A01_s001_w1_z001_t001.tif', 1),
        written('out/A01_s001_w1_z001_t001_labels.tif', 2),
      );
      const script = [
        'import sys, zarr',
        "image = zarr.open_group(sys.argv[1], mode='r')['A/01/0']",
        "labels = image['labels']",
        "for name in labels.attrs['labels']:",
        '    label = labels[name]',
        "    source = label.attrs['image-label']['source']['image']",
        "    path = label.attrs['multiscales'][0]['datasets'][0]['path']",
        '    pixels = label[path]',
        "    assert pixels.shape == image['0'].shape and pixels.dtype.kind == 'u'",
        '    print(name, source, int(pixels[0, 0, 0, 3, 5]))',
      ].join('\n');
      const run = spawnSync(PYTHON, ['-c', script, store()]);
      expect(run.stderr.toString()).toBe('');
      const pixels = bytesOf.get(inode)!.subarray(-2 * 24 * 20);
      expect(run.stdout.toString()).toBe(`labels ../../ ${pixels.readUInt16LE(2 * (3 * 24 + 5))}\n`);
    },
  );
});
