import { describe, expect, it } from 'vitest';
import { PlateIndexBuilder } from '../../../../src/model/plate-index-builder.ts';
import { StoreDocuments } from '../../../../src/tree/sources/store-documents.ts';

/** Times of change; what is left out is 5. */
type Times = Readonly<Record<string, number>>;

/** A folder with a store of two arrays in a group, and one of another store. */
function storeOf(times: Times = {}, more: readonly string[] = []): StoreDocuments {
  const builder = new PlateIndexBuilder('/data');
  const folders = new Map([['', 0]]);
  const folder = (path: string): number => {
    const known = folders.get(path);
    if (known !== undefined) return known;
    const slash = path.lastIndexOf('/');
    const stat = { mtimeMs: times[path] ?? 5, inode: BigInt(100 + folders.size) };
    const made = builder.addDirectory(folder(path.slice(0, Math.max(0, slash))), path.slice(slash + 1), stat);
    folders.set(path, made);
    return made;
  };
  for (const path of [
    's.zarr/.zgroup',
    's.zarr/g/.zgroup',
    's.zarr/g/a/.zarray',
    's.zarr/g/a/.zattrs',
    's.zarr/g/b/.zarray',
    'other.zarr/g/a/.zarray',
  ]) {
    const slash = path.lastIndexOf('/');
    const file = builder.addFile(folder(path.slice(0, slash)), path.slice(slash + 1));
    builder.addEvidence(file, 10, times[path] ?? 5);
  }
  for (const path of more) folder(path);
  const index = builder.finish({ name: 'x', format: 'plain-files', formatDetail: 'x', channels: [] });
  const names = Array.from({ length: index.directories.count }, (_, i) => i).filter(
    (i) => index.directories.parents[i] === 0 && i > 0,
  );
  // Sorted by name: other.zarr, s.zarr.
  return new StoreDocuments(index, names[1] ?? 0);
}

const now = storeOf();
const paths = ['', 'g', 'g/a', 'g/b'] as const;
const changed = (store: StoreDocuments): string[] => [
  ...(store.version === now.version ? [] : ['the store']),
  ...paths.filter((path) => store.versionAt(path) !== now.versionAt(path)),
];

describe('the documents of a store', () => {
  it('say the same of what is the same, and of another store nothing', () => {
    expect(changed(storeOf())).toEqual([]);
    expect(changed(storeOf({ 'other.zarr': 9, 'other.zarr/g/a/.zarray': 9 }))).toEqual([]);
    expect(new Set(paths.map((path) => now.versionAt(path))).size).toBe(paths.length);
    expect(now.mtimeMs).toBe(5);
  });

  it('tell chunks that come as a change of the store, and of nothing that is described in it', () => {
    expect(changed(storeOf({ 's.zarr/g/a': 9 }))).toEqual(['the store']);
    expect(changed(storeOf({ 's.zarr/g/a': 9 }, ['s.zarr/g/a/0', 's.zarr/g/a/0/0']))).toEqual(['the store']);
    expect(storeOf({ 's.zarr/g/a': 9 }).mtimeMs).toBe(9);
  });

  it('tell what describes an array as a change of it, and of the groups that it lies in', () => {
    expect(changed(storeOf({ 's.zarr/g/a/.zattrs': 9 }))).toEqual(['the store', '', 'g', 'g/a']);
    expect(changed(storeOf({ 's.zarr/g/b/.zarray': 9 }))).toEqual(['the store', '', 'g', 'g/b']);
  });

  it('tell what describes a group as a change of all in it', () => {
    expect(changed(storeOf({ 's.zarr/g/.zgroup': 9 }))).toEqual(['the store', '', 'g', 'g/a', 'g/b']);
  });

  it('stand all of them for what lies at no folder', () => {
    expect(now.versionAt('named as the store')).toBe(now.versionAt('g/nothing'));
    expect(storeOf({ 's.zarr/g/a/.zattrs': 9 }).versionAt('g/nothing')).not.toBe(now.versionAt('g/nothing'));
  });
});
