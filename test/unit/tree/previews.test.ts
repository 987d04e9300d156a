import { describe, expect, it } from 'vitest';
import { loadAll } from '../../../src/core/plugin.ts';
import png from '../../../src/encoders/png.ts';
import { imageEncoders } from '../../../src/encoders.ts';
import type { PlateIndex } from '../../../src/model/plate-index.ts';
import { PlateIndexBuilder } from '../../../src/model/plate-index-builder.ts';
import type { Profile } from '../../../src/model/profile.ts';
import { ENCODERS } from '../../../src/registry.generated.ts';
import type { PlaneProbe } from '../../../src/sources.ts';
import { PlateTree } from '../../../src/tree/plate-tree.ts';
import { type SharedTree, shareTree, succeedTree, type TreeOptions } from '../../../src/tree/shared-tree.ts';
import { ROOT_NODE, type Tree } from '../../../src/tree/tree.ts';

const encoders = imageEncoders(await loadAll(ENCODERS));
const FACTS = { name: 'p', format: 'x', formatDetail: '', channels: [] };

/** A plate of some sites with two channels each; projections at site 2. */
function plate(sites: readonly number[]): PlateIndex {
  const builder = new PlateIndexBuilder('/nowhere');
  for (const site of sites)
    for (const w of [1, 2])
      for (const z of site === 2 ? [0, 1] : [1]) {
        const file = builder.addFile(0, `s${site}_w${w}_z${z}.TIF`);
        builder.addEvidence(file, 9, 1000 * site);
        builder.addPlane(file, 0, 0, site, w, z, 1, '.TIF');
      }
  return builder.finish(FACTS);
}

const share = (index: PlateIndex, options: Partial<TreeOptions> = {}): SharedTree =>
  shareTree(index, 0, { mountpoint: '/m', missing: 'zeros', ...options });

/** A tree whose planes all look alike. */
function treeOf(shared: SharedTree, samples = 1): { tree: PlateTree; looks: string[] } {
  const looks: string[] = [];
  const probe = ({ path }: { path: string }): PlaneProbe => {
    looks.push(path);
    return {
      info: { shape: [30, 2100], dtype: 'uint16', axes: 'yx' },
      width: 2100,
      height: 30,
      samples,
      compression: 'none',
      byteOrder: 'little',
      fileSizeBytes: 1,
    };
  };
  return { tree: new PlateTree(shared, encoders, probe), looks };
}

/** Every path of files below a folder, with its node. */
function files(tree: Tree, folder: string): Map<string, number> {
  const found = new Map<string, number>();
  const walk = (node: number, path: string): void => {
    for (let entry = tree.entryAfter(node, 0); entry; entry = tree.entryAfter(node, entry.cookie)) {
      const below = path === '' ? entry.name : `${path}/${entry.name}`;
      expect(tree.lookup(node, entry.name)).toBe(entry.node);
      expect(tree.pathOf(entry.node)).toBe(`${folder}/${below}`);
      expect(entry.node).toBeLessThan(2 ** 45);
      if (tree.isDirectory(entry.node)) walk(entry.node, below);
      else found.set(below, entry.node);
    }
  };
  walk(tree.lookup(ROOT_NODE, folder) ?? 0, '');
  return found;
}

describe('previews/', () => {
  it.each([
    ['canonical', 'A01_s001_w2_z001_t001.png'],
    ['harmony', 'r01c01f001p001-ch2sk1fk1fl1.png'],
    ['{well}_s{site}_w{channel}_z{z}.ome.tif', 'A01_s1_w2_z1.ome.png'],
    ['{well}/field.{site:02}/w{channel}_z{z}{ext}', 'A01/field.01/w2_z1.png'],
  ])('has the names and folders of images/ where those are %s', (names, example) => {
    const { tree } = treeOf(share(plate([1, 2, 3]), { names }));
    const previews = files(tree, 'previews');
    expect([...previews.keys()]).toContain(example);
    expect([...previews.keys()]).toEqual(
      [...files(tree, 'images').keys()].map((path) => path.replace(/\.tiff?$/i, '.png')),
    );
    const { previews: view } = tree;
    for (const [path, node] of previews) {
      expect(view?.owns(node)).toBe(true);
      for (const other of [tree.images, tree.stacks, tree.source, tree.tables, tree.omeZarr])
        expect(other.owns(node)).toBe(false);
      expect(tree.resolve(`previews/${path}`)).toBe(node);
      expect(tree.resolve(`previews/${path.replace('.png', '.TIF')}`)).toBeUndefined();
      expect(tree.isReadOnly(node)).toBe(true);
    }
  });

  it('tells sizes and times, after a look at one plane per field', () => {
    const { tree, looks } = treeOf(share(plate([1, 2, 3])));
    const sizeBytes = png.layout({
      name: '',
      shape: [1, 1, 1, 30, 2100],
      dtype: 'uint16',
      channels: [],
    }).sizeBytes;
    const found = files(tree, 'previews');
    expect(looks).toEqual([]);
    for (const [path, node] of found) {
      const site = Number(path.slice(6, 8));
      expect(tree.attributes(node)).toMatchObject({ directory: false, sizeBytes, mtimeMs: 1000 * site });
      expect(tree.isKnown(node)).toBe(true);
      expect(tree.renderedImage(node)?.layout.sizeBytes).toBe(sizeBytes);
      expect(tree.facts(node).get('well')).toBe('A01');
    }
    // The projections of site 2 are an image of their own.
    expect(looks).toHaveLength(4);
  });

  it('refuses a plane of colours by name, having looked at it alone', () => {
    const { tree, looks } = treeOf(share(plate([1])), 3);
    const node = tree.resolve('previews/A01_s001_w2_z001_t001.png') ?? 0;
    expect(tree.isKnown(node)).toBe(false);
    expect(() => tree.attributes(node)).toThrow(/A01_s001_w2_z001_t001\.TIF has colours/);
    expect(looks).toEqual(['/nowhere/s1_w2_z1.TIF']);
  });

  it('keeps its numbers while the plate grows', () => {
    const before = share(plate([2, 4]));
    const { tree } = treeOf(before);
    const early = files(tree, 'previews');
    const { after } = succeedTree(before, plate([1, 2, 3]), 5);
    tree.adopt(after);
    const late = files(tree, 'previews');
    for (const [path, node] of early)
      if (path.includes('s002')) expect(late.get(path)).toBe(node);
      else expect([late.has(path), tree.attributes(node)]).toEqual([false, undefined]);
    expect(new Set([...early.values(), ...late.values()]).size).toBe(4 + 2 + 2 + 2);
  });

  it.each(['cellprofiler', 'legacy'] satisfies Profile[])('is not there for %s', (profile) => {
    const { tree } = treeOf(share(plate([1]), { profile }));
    expect(tree.lookup(ROOT_NODE, 'previews')).toBeUndefined();
    expect([...tree.names(ROOT_NODE)]).not.toContain('previews');
  });
});
