import { describe, expect, it } from 'vitest';
import { loadAll } from '../../../src/core/plugin.ts';
import { imageEncoders } from '../../../src/encoders.ts';
import type { PlateIndex } from '../../../src/model/plate-index.ts';
import { PlateIndexBuilder } from '../../../src/model/plate-index-builder.ts';
import type { Profile } from '../../../src/model/profile.ts';
import { ENCODERS } from '../../../src/registry.generated.ts';
import type { PlaneProbe } from '../../../src/sources.ts';
import { PlateTree } from '../../../src/tree/plate-tree.ts';
import { type SharedTree, shareTree, succeedTree } from '../../../src/tree/shared-tree.ts';

const encoders = imageEncoders(await loadAll(ENCODERS));
const FACTS = { name: 'p', format: 'x', formatDetail: '', channels: [] };
const GIB = 2 ** 30;
const STACKS = 2 ** 33;

/** A plate of two fields with one channel, and projections. */
function plate(times: number, slices: number): PlateIndex {
  const builder = new PlateIndexBuilder('/nowhere');
  for (const site of [1, 2])
    for (let t = 1; t <= times; t += 1)
      for (let z = 0; z <= slices; z += 1)
        builder.addPlane(builder.addFile(0, `s${site}_t${t}_z${z}.tif`), 0, 0, site, 1, z, t, '.tif');
  return builder.finish(FACTS);
}

/** A tree whose planes are all of so many columns of 4096 16-bit pixels. */
function treeOf(shared: SharedTree, width: number): { tree: PlateTree; looks: () => number } {
  let looks = 0;
  const probe = (): PlaneProbe => {
    looks += 1;
    return {
      info: { shape: [4096, width], dtype: 'uint16', axes: 'yx' },
      width,
      height: 4096,
      samples: 1,
      compression: 'lzw',
      byteOrder: 'little',
      fileSizeBytes: 1,
    };
  };
  return { tree: new PlateTree(shared, encoders, probe), looks: () => looks };
}

const share = (index: PlateIndex, profile?: Profile): SharedTree =>
  shareTree(index, 0, { mountpoint: '/m', missing: 'zeros', ...(profile ? { profile } : {}) });

function listed(tree: PlateTree): Map<string, number> {
  const found = new Map<string, number>();
  const { stacks } = tree;
  for (
    let entry = stacks.entryAfter(stacks.root, 0);
    entry;
    entry = stacks.entryAfter(stacks.root, entry.cookie)
  ) {
    found.set(entry.name, entry.node);
    expect(stacks.owns(entry.node)).toBe(true);
    for (const other of [tree.images, tree.source, tree.tables, tree.omeZarr])
      expect(other.owns(entry.node)).toBe(false);
    expect(entry.node).toBeLessThan(2 ** 45);
    expect(entry.cookie).toBeLessThan(2 ** 40);
    expect(stacks.lookup(stacks.root, entry.name)).toBe(entry.node);
    expect(stacks.pathOf(entry.node)).toBe(entry.name);
  }
  return found;
}

const ofField = (names: Iterable<string>, field: string): string[] =>
  [...names].filter((name) => name.startsWith(field));

describe('stacks over 4 GiB', () => {
  it('leave a usual plate as it was, without looking at a plane of a small one', () => {
    const { tree, looks } = treeOf(share(plate(1, 3)), 4096);
    expect(Object.fromEntries(listed(tree))).toEqual({
      'A01_s001.tif': STACKS,
      'A01_s001.ome.tif': STACKS + 1,
      'A01_s001_z000.tif': STACKS + 2,
      'A01_s001_z000.ome.tif': STACKS + 3,
      'A01_s002.tif': STACKS + 4,
      'A01_s002.ome.tif': STACKS + 5,
      'A01_s002_z000.tif': STACKS + 6,
      'A01_s002_z000.ome.tif': STACKS + 7,
    });
    expect(looks()).toBe(0);
    const more = treeOf(share(plate(4, 3)), 4096);
    expect([...listed(more.tree).keys()]).toEqual([...listed(tree).keys()]);
    expect(more.looks()).toBe(1);
  });

  it('are parts of whole time points, and one OME-TIFF', () => {
    // 60 time points of 4 slices of 32 MiB: 7.5 GiB.
    const { tree, looks } = treeOf(share(plate(60, 4)), 4096);
    const files = listed(tree);
    expect(looks()).toBe(1);
    expect(ofField(files.keys(), 'A01_s002')).toEqual([
      'A01_s002_t001-t031.tif',
      'A01_s002_t032-t060.tif',
      'A01_s002.ome.tif',
      'A01_s002_z000.tif',
      'A01_s002_z000.ome.tif',
    ]);
    expect(new Set(files.values()).size).toBe(files.size);
    for (const [name, node] of files) {
      const size = tree.attributes(node)?.sizeBytes ?? 0;
      expect(size < 4 * GIB, name).toBe(name !== 'A01_s001.ome.tif' && name !== 'A01_s002.ome.tif');
    }
    const second = tree.renderedImage(files.get('A01_s002_t032-t060.tif') ?? 0);
    const whole = tree.renderedImage(files.get('A01_s002.ome.tif') ?? 0);
    const at = (t: number, z: number) => ({ start: [t, 0, z, 0, 0], shape: [1, 1, 1, 4096, 4096] });
    expect(second?.planeAt(at(0, 2))).toBe(whole?.planeAt(at(31, 2)));
    expect(second?.planeAt(at(28, 3))).toBe(whole?.planeAt(at(59, 3)));
    expect(second?.planeAt(at(29, 0))).toBeUndefined();
    expect(tree.stacks.lookup(tree.stacks.root, 'A01_s002.tif')).toBeUndefined();
    expect(tree.stacks.lookup(tree.stacks.root, 'A01_s002_t001-t060.tif')).toBeUndefined();
  });

  it('keep their numbers when the plate grows within its axes, and have new ones under others', () => {
    const before = share(plate(60, 4));
    const { tree } = treeOf(before, 4096);
    const first = listed(tree);
    const { after } = succeedTree(before, plate(60, 4), 1);
    tree.adopt(after);
    expect(listed(tree)).toEqual(first);
    tree.adopt(succeedTree(after, plate(70, 4), 2).after);
    const grown = listed(tree);
    expect(ofField(grown.keys(), 'A01_s001_t')).toEqual([
      'A01_s001_t001-t031.tif',
      'A01_s001_t032-t062.tif',
      'A01_s001_t063-t070.tif',
    ]);
    expect([...grown.values()].filter((node) => [...first.values()].includes(node))).toEqual([]);
    // Who has the old last part open goes on reading it.
    const old = tree.renderedImage(first.get('A01_s001_t032-t060.tif') ?? 0);
    expect(old?.layout.sizeBytes).toBeLessThan(4 * GIB);
  });

  it.each([
    ['fiji', ['A01_s001.ij.tif', 'A01_s001.ome.tif', 'A01_s001_z000.tif', 'A01_s001_z000.ome.tif']],
    ['napari', ['A01_s001.ome.tif', 'A01_s001_z000.ome.tif']],
    ['cellprofiler', []],
    ['legacy', ['A01_s001_t001-t031.tif', 'A01_s001_t032-t060.tif', 'A01_s001_z000.tif']],
  ] as [Profile, string[]][])('are for %s as that opens them', (profile, names) => {
    const { tree } = treeOf(share(plate(60, 4), profile), 4096);
    const files = listed(tree);
    expect(ofField(files.keys(), 'A01_s001')).toEqual(names);
    for (const [name, node] of files)
      expect(tree.attributes(node)?.sizeBytes, name).toBeGreaterThan(60 * 4096 * 4096 * 2);
  });

  it('are whole as long as no plane can be read', () => {
    const tree = new PlateTree(share(plate(60, 4)), encoders, () => {
      throw new Error('gone');
    });
    expect([...listed(tree).keys()]).toContain('A01_s001.tif');
  });
});
