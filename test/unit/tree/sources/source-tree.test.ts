import { describe, expect, it } from 'vitest';
import type { IndexedSource, SourceScope } from '../../../../src/model/indexed-source.ts';
import type { PlateIndex } from '../../../../src/model/plate-index.ts';
import { PlateIndexBuilder } from '../../../../src/model/plate-index-builder.ts';
import type { OpenSource, SourceItem } from '../../../../src/sources.ts';
import { MountTree } from '../../../../src/tree/mount-tree.ts';
import { PART_NODES } from '../../../../src/tree/shared-mount.ts';
import { type SharedTree, shareTree, succeedTree } from '../../../../src/tree/shared-tree.ts';
import { loadCatalogEncoders } from '../../../../src/tree/sources/catalog-encoders.ts';
import { CatalogFiles } from '../../../../src/tree/sources/catalog-files.ts';
import { inWhole } from '../../../../src/tree/sources/image-part.ts';
import { packSources, unpackSources } from '../../../../src/tree/sources/packed-sources.ts';
import {
  publishMeasure,
  takeMeasure,
  unmeasured,
  withEarlierMeasures,
} from '../../../../src/tree/sources/source-measures.ts';
import { SourceTree } from '../../../../src/tree/sources/source-tree.ts';
import { ROOT_NODE, type Tree } from '../../../../src/tree/tree.ts';

const encoders = await loadCatalogEncoders();

const image = (path: string, width = 8): SourceItem => ({
  kind: 'image',
  path,
  image: { name: path, shape: [1, 2, 3, 4, width], dtype: 'uint16', channels: [] },
  chunkShape: [1, 1, 1, 4, width],
  levels: [],
});
const array = (path: string): SourceItem => ({
  kind: 'array',
  path,
  shape: [3],
  dtype: 'float32',
  chunkShape: [3],
});
const genes = ['b/c', 'Actb', 'ACTB', '', 'a'.repeat(300)];
const family: Extract<SourceItem, { kind: 'family' }> = {
  kind: 'family',
  path: 'genes',
  memberCount: genes.length,
  rowCount: 2,
  columns: [{ name: 'value', type: 'float32' }],
};

/** A source as it would be described, of a driver that is never asked for pixels. */
function source(name: string, items: readonly SourceItem[], version = '1'): IndexedSource {
  const catalog = { title: 'Double', items, warnings: [] };
  const { files, families, zarrs } = CatalogFiles.of(catalog, encoders, 'root', () => ({
    memberNames: (_path: string, first: number, count: number) => genes.slice(first, first + count),
    readRegion: () => expect.unreachable(),
    window: () => undefined,
    readRows: () => expect.unreachable(),
    readEntries: () => expect.unreachable(),
    [Symbol.dispose]: () => {},
  }));
  const path = name === '' ? '/data/x.h5' : `/data/${name}`;
  return {
    name,
    path,
    root: '/data',
    isFolder: false,
    driver: 'double',
    version,
    mtimeMs: 1000,
    catalog,
    files,
    families,
    zarrs,
    warnings: [],
  };
}

function indexOf(
  scope: SourceScope,
  sources: readonly IndexedSource[],
  names: readonly string[],
): PlateIndex {
  const builder = new PlateIndexBuilder('/data');
  const sub = scope.kind === 'folder' ? builder.addDirectory(0, 'sub', { mtimeMs: 5, inode: 7n }) : 0;
  for (const name of names) builder.addEvidence(builder.addFile(0, name), 10, 5);
  if (sub !== 0) builder.addEvidence(builder.addFile(sub, 'y.txt'), 2, 5);
  const index = builder.finish({ name: 'x', format: 'plain-files', formatDetail: 'x', channels: [] });
  return { ...index, scope, sources };
}

const options = { mountpoint: '/mnt', missing: 'zeros' } as const;
const shared = (index: PlateIndex): SharedTree => shareTree(index, 0, options);

/** Every path below a folder, with its node. */
function walk(tree: Tree, folder = ROOT_NODE, path = ''): Map<string, number> {
  const found = new Map<string, number>();
  for (let entry = tree.entryAfter(folder, 0); entry; entry = tree.entryAfter(folder, entry.cookie)) {
    const below = path === '' ? entry.name : `${path}/${entry.name}`;
    expect(found.has(below)).toBe(false);
    found.set(below, entry.node);
    expect(tree.lookup(folder, entry.name)).toBe(entry.node);
    expect(tree.pathOf(entry.node)).toBe(below);
    if (!tree.isDirectory(entry.node)) {
      expect(tree.attributes(entry.node)?.directory).toBe(false);
      continue;
    }
    expect(tree.attributes(entry.node)?.directory).toBe(true);
    for (const [name, node] of walk(tree, entry.node, below)) found.set(name, node);
  }
  return found;
}

describe('the tree of sources', () => {
  const only = [source('', [image('a/b'), array('a/b'), array('c.d'), family])];

  it('shows one source at its root; every name leads to its node and back', () => {
    const tree = new SourceTree(shared(indexOf({ kind: 'file', name: 'x.h5' }, only, ['x.h5'])));
    const found = walk(tree);
    const files = [...found.keys()].filter((path) => !/^ome-zarr\/|^\.platefs/.test(path));
    expect(files.filter((path) => !tree.isDirectory(found.get(path) ?? 0)).sort()).toEqual([
      'arrays/a/b.npy',
      'arrays/c.d.npy',
      'previews/a/b_w1.png',
      'previews/a/b_w2.png',
      'source/x.h5',
      'stacks/a/b.ome.tif',
      'stacks/a/b.tif',
      'tables/genes/%.csv',
      'tables/genes/ACTB%~2.csv',
      'tables/genes/Actb.csv',
      expect.stringMatching(/^tables\/genes\/a{180,200}%~[0-9a-f]{8}\.csv$/),
      'tables/genes/b%2Fc.csv',
    ]);
    expect(found.has('ome-zarr/a/b.ome.zarr/0/0/1/2/0/0')).toBe(true);
    expect(tree.itemAt(found.get('tables/genes/b%2Fc.csv') ?? 0)?.member).toBe(0);
    expect(tree.lookup(tree.resolve('tables/genes') ?? 0, 'nothing.csv')).toBeUndefined();
    for (const [path, node] of found)
      expect(tree.isReadOnly(node)).toBe(/^source|^\.platefs|\.ome\.zarr/.test(path));
    expect(tree.attributes(found.get('arrays/c.d.npy') ?? 0)?.sizeBytes).toBe(128 + 12);
  });

  it('keeps nodes while a source is what it was, gives new ones when it changed, and folders the same always', () => {
    const scope: SourceScope = { kind: 'folder', plates: [] };
    const kept = source('kept.h5', [image('i')]);
    const first = shared(
      indexOf(scope, [kept, source('x.h5', [image('i'), array('gone')])], ['kept.h5', 'x.h5', 'notes.txt']),
    );
    const before = walk(new SourceTree(first));
    expect([...before.keys()]).toEqual(
      expect.arrayContaining(['kept.h5/source/kept.h5', 'x.h5/arrays/gone.npy', 'notes.txt', 'sub/y.txt']),
    );
    const changed = source('x.h5', [image('i', 16)], '2');
    const { after } = succeedTree(
      first,
      indexOf(scope, [source('a.h5', [array('z')]), kept, changed], ['a.h5', 'kept.h5', 'x.h5', 'notes.txt']),
      2000,
    );
    const tree = new SourceTree(after);
    const now = walk(tree);
    for (const [path, node] of before) {
      const present = now.get(path);
      if (path === 'x.h5/arrays/gone.npy' || /^x\.h5\/(?:stacks\/i|previews\/i_|ome-zarr\/i\.)/.test(path)) {
        expect(present).not.toBe(node);
        expect(tree.itemAt(node)).toBeUndefined();
      } else if (present !== undefined) expect({ path, present }).toEqual({ path, present: node });
    }
    // A mount that begins anew gives folders the numbers they had: what was written into them is found.
    const anew = walk(new SourceTree(shared(indexOf(scope, [changed], ['x.h5']))));
    for (const path of ['x.h5', 'x.h5/stacks', 'sub']) expect(anew.get(path)).toBe(before.get(path));
  });

  it('parts of a mount have nodes of their own', () => {
    const scope: SourceScope = { kind: 'folder', plates: ['plate'] };
    const root = shared(indexOf(scope, [source('x.h5', [array('z')])], ['x.h5']));
    const part = shared(indexOf({ kind: 'file', name: 'x.h5' }, only, ['x.h5']));
    const tree = new MountTree(
      [
        { number: 0, name: '', shared: root },
        { number: 5, name: 'plate', shared: part },
      ],
      { encoders: [], probe: () => expect.unreachable() },
    );
    const found = walk(tree);
    expect(found.get('plate')).toBe(5 * PART_NODES + ROOT_NODE);
    expect(found.get('plate/arrays/c.d.npy')).toBeGreaterThan(5 * PART_NODES);
    expect(new Set(found.values()).size).toBe(found.size);
    expect(Math.max(...found.values())).toBeLessThan(Number.MAX_SAFE_INTEGER);
  });

  it('an image over 4 GiB has a classic TIFF per part, and one OME-TIFF', () => {
    const large: SourceItem = {
      kind: 'image',
      path: 'i',
      image: { name: 'i', shape: [3, 2, 1, 16384, 32768], dtype: 'uint16', channels: [] },
      chunkShape: [1, 1, 1, 512, 512],
      levels: [],
    };
    const { files } = source('', [large]);
    expect(files.map(({ path }) => path)).toEqual([
      'stacks/i_t001.tif',
      'stacks/i_t002.tif',
      'stacks/i_t003.tif',
      'stacks/i.ome.tif',
      'previews/i_w1.png',
      'previews/i_w2.png',
    ]);
    expect(files.slice(0, 3).every(({ sizeBytes }) => sizeBytes < 2 ** 32)).toBe(true);
    expect(files[3]?.sizeBytes).toBeGreaterThan(6 * 2 ** 30);
    expect(inWhole({ start: [0, 0, 0, 5, 6], shape: [1, 1, 1, 7, 8] }, files[1] ?? {})).toEqual({
      start: [1, 0, 0, 5, 6],
      shape: [1, 1, 1, 7, 8],
    });
  });

  it('a large table is measured when it is asked for: until then nobody reads it, and its size is no number', () => {
    const rowCount = 40_000;
    const large: SourceItem = {
      kind: 'table',
      path: 'obs',
      rowCount,
      columns: [
        { name: 'id', type: 'text' },
        { name: 'n', type: 'uint16' },
      ],
    };
    const cells: SourceItem = { ...family, path: 'cells', memberCount: genes.length, rowCount };
    const one = source('', [large, cells]);
    const tree = new SourceTree(shared(indexOf({ kind: 'file', name: 'x.h5' }, [one], ['x.h5'])));
    const csv = tree.resolve('tables/obs.csv') ?? 0;
    const folder = tree.resolve('tables/cells') ?? 0;
    for (const node of [csv, folder]) expect(tree.isMeasured(node)).toBe(false);
    expect(() => tree.attributes(csv)).toThrow('not measured');
    const [again] = unpackSources(JSON.parse(JSON.stringify(packSources([one]))));
    expect(unmeasured(again ? [again] : []).map(({ item }) => item)).toEqual([0, 1]);

    const text = (row: number): string => 'x'.repeat(row % 7);
    const open = {
      memberNames: (_path: string, first: number, count: number) => genes.slice(first, first + count),
      readRows: (_path: string, first: number, count: number) => {
        const rows = Array.from({ length: count }, (_, at) => first + at);
        return { columns: [rows.map(text), rows.map((row) => row % 1000)] };
      },
    } as unknown as OpenSource;
    for (const measure of unmeasured([one])) {
      for (const _ of takeMeasure(measure, encoders, (work) => work(open)));
      expect(unmeasured([one])).toContainEqual(measure);
      publishMeasure(measure);
    }
    let sizeBytes = 'id,n\n'.length;
    for (let row = 0; row < rowCount; row += 1)
      sizeBytes += (text(row).length || 2) + String(row % 1000).length + 2;
    expect(tree.attributes(csv)?.sizeBytes).toBe(sizeBytes);
    expect([...tree.names(folder)]).toHaveLength(genes.length);
    const [kept] = unpackSources(JSON.parse(JSON.stringify(packSources([one]))));
    expect(kept).toEqual(one);

    // The same file, looked into anew, is not measured again; another version of it is.
    const fresh = source('', [large, cells]);
    expect(unmeasured(withEarlierMeasures([fresh], [one]))).toEqual([]);
    expect(unmeasured(withEarlierMeasures([source('', [large, cells], '2')], [one]))).toHaveLength(2);
  });

  it('sources are the same after they were packed for a file', () => {
    const [packed] = unpackSources(JSON.parse(JSON.stringify(packSources(only))));
    expect(packed).toEqual(only[0]);
  });
});
