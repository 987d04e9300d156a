import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PlateIndex } from '../../../src/model/plate-index.ts';
import { PlateIndexBuilder } from '../../../src/model/plate-index-builder.ts';
import { PlateTree } from '../../../src/tree/plate-tree.ts';
import { type SharedTree, shareTree, succeedTree } from '../../../src/tree/shared-tree.ts';

const FACTS = { name: 'p', format: 'x', formatDetail: '', channels: [] };

/** A file of a plate: in a folder, showing a plane or none. */
interface PlateFile {
  readonly folder: readonly string[];
  readonly site: number;
  readonly t: number;
}

const fileName = ({ site, t }: PlateFile): string => (site === 0 ? `notes${t}.txt` : `s${site}_t${t}.tif`);

function indexOf(files: readonly PlateFile[]): PlateIndex {
  const builder = new PlateIndexBuilder('/nowhere');
  const folders = new Map([['', 0]]);
  const seen = new Set<string>();
  for (const file of files) {
    let path = '';
    let number = 0;
    for (const name of file.folder) {
      const parent = number;
      path += `/${name}`;
      number = folders.get(path) ?? builder.addDirectory(parent, name, { mtimeMs: 0, inode: 1n });
      folders.set(path, number);
    }
    if (seen.has(`${path}/${fileName(file)}`)) continue;
    seen.add(`${path}/${fileName(file)}`);
    const added = builder.addFile(number, fileName(file));
    if (file.site > 0) builder.addPlane(added, 0, 0, file.site, 1, 1, file.t, '.tif');
  }
  return builder.finish(FACTS);
}

/** What every plane is where a tree looks at one: three levels. */
const GREY = {
  width: 600,
  height: 9,
  samples: 1,
  info: { shape: [9, 600], dtype: 'uint16', axes: 'yx' },
  compression: 'none',
  byteOrder: 'little',
  fileSizeBytes: 0,
} as const;

const treeOf = (shared: SharedTree): PlateTree =>
  new PlateTree(shared, [{ id: 'tiff', extension: '.tif' } as never], () => {
    throw new Error('no plane is looked at here');
  });

const name = fc.constantFrom('a', 'ab', 'b', 'é');
const file: fc.Arbitrary<PlateFile> = fc.record({
  folder: fc.array(name, { maxLength: 3 }),
  site: fc.nat(4),
  t: fc.integer({ min: 1, max: 4 }),
});
const plate = fc.array(file, { maxLength: 25 });

/** Every path of a tree below a folder, with its node. */
function walk(tree: PlateTree, folder: string): Map<string, number> {
  const found = new Map<string, number>();
  const enter = (node: number, path: string): void => {
    for (let entry = tree.entryAfter(node, 0); entry; entry = tree.entryAfter(node, entry.cookie)) {
      found.set(`${path}/${entry.name}`, entry.node);
      expect(tree.lookup(node, entry.name)).toBe(entry.node);
      expect(tree.pathOf(entry.node)).toBe(`${path}/${entry.name}`);
      if (tree.isDirectory(entry.node)) enter(entry.node, `${path}/${entry.name}`);
    }
  };
  enter(tree.resolve(folder) ?? 0, folder);
  return found;
}

describe('a plate that changes', () => {
  it('keeps the node of everything that is still there, and never gives one twice', () => {
    fc.assert(
      fc.property(fc.array(plate, { minLength: 2, maxLength: 5 }), (plates) => {
        let shared = shareTree(indexOf(plates[0] ?? []), 0, { mountpoint: '/m', missing: 'zeros' });
        const tree = treeOf(shared);
        const everGiven = new Map<number, string>();
        for (const folder of ['images', 'source'])
          for (const [path, node] of walk(tree, folder)) everGiven.set(node, path);
        for (const [i, files] of plates.slice(1).entries()) {
          const before = new Map([...walk(tree, 'images'), ...walk(tree, 'source')]);
          const index = indexOf(files);
          shared = succeedTree(shared, index, i + 1).after;
          tree.adopt(shared);
          const after = new Map([...walk(tree, 'images'), ...walk(tree, 'source')]);
          const fresh = treeOf(shareTree(index, 0, { mountpoint: '/m', missing: 'zeros' }));
          expect([...after.keys()].sort()).toEqual(
            [...walk(fresh, 'images').keys(), ...walk(fresh, 'source').keys()].sort(),
          );
          for (const [path, node] of after) {
            if (before.has(path)) expect(node).toBe(before.get(path));
            else expect(everGiven.get(node), path).toBeUndefined();
            everGiven.set(node, path);
          }
          for (const [path, node] of before)
            if (!after.has(path)) expect(tree.attributes(node)).toBeUndefined();
        }
      }),
      { numRuns: 200 },
    );
  });

  it.each(['0.4', '0.5'] as const)(
    'never gives a node of plate.ome.zarr %s to another path, and reads on what was opened',
    (ngff) => {
      const options = { mountpoint: '/m', missing: 'zeros', ngff } as const;
      fc.assert(
        fc.property(fc.array(plate, { minLength: 2, maxLength: 4 }), (plates) => {
          let shared = shareTree(indexOf(plates[0] ?? []), 0, options);
          const tree = new PlateTree(shared, [], () => GREY);
          const everGiven = new Map<number, string>();
          const opened = new Map<number, Uint8Array>();
          for (const [i, files] of plates.entries()) {
            if (i > 0) {
              shared = succeedTree(shared, indexOf(files), i).after;
              tree.adopt(shared);
            }
            for (const [node, bytes] of opened) expect(tree.omeZarr.documentOf(node)).toEqual(bytes);
            opened.clear();
            const found = walk(tree, 'plate.ome.zarr');
            let chunks = 0;
            expect(new Set(found.values()).size).toBe(found.size);
            for (const [path, node] of found) {
              expect(everGiven.get(node) ?? path).toBe(path);
              everGiven.set(node, path);
              const attributes = tree.attributes(node);
              expect(attributes?.directory).toBe(tree.isDirectory(node));
              if (attributes?.directory) continue;
              const bytes = tree.omeZarr.documentOf(node);
              if (!bytes) {
                chunks += 1;
                continue;
              }
              expect(bytes.length).toBe(attributes?.sizeBytes);
              // Deeper down are documents of images, whose nodes are theirs as long as the image is there.
              if (path.split('/').length <= 4) opened.set(node, bytes);
            }
            expect(chunks).toBe(3 * shared.index.planes.count);
          }
        }),
        { numRuns: 30 },
      );
    },
  );

  it('is listed whole and without doubles by whoever reads a folder while it changes', () => {
    fc.assert(
      fc.property(plate, plate, fc.nat(10), (first, second, pause) => {
        let shared = shareTree(indexOf(first), 0, { mountpoint: '/m', missing: 'zeros' });
        const tree = treeOf(shared);
        for (const folder of ['images', 'source', 'stacks']) {
          const node = tree.resolve(folder) ?? 0;
          const steady = new Set(tree.names(node));
          const listed: string[] = [];
          let cookie = 0;
          const read = (most: number): void => {
            for (let i = 0; i < most; i += 1) {
              const entry = tree.entryAfter(node, cookie);
              if (!entry) return;
              listed.push(entry.name);
              cookie = entry.cookie;
            }
          };
          read(pause);
          shared = succeedTree(
            shared,
            indexOf(folder === 'source' ? second : [...first, ...second]),
            1,
          ).after;
          tree.adopt(shared);
          const now = new Set(tree.names(node));
          read(1000);
          expect(new Set(listed).size).toBe(listed.length);
          for (const entry of steady) if (now.has(entry)) expect(listed).toContain(entry);
        }
      }),
      { numRuns: 200 },
    );
  });
});
