import { type IndexedSource, isMeasured } from '../../model/indexed-source.ts';
import type { NgffVersion } from '../../model/ngff.ts';
import { folderNumber } from '../../model/plane-folders.ts';
import { ROOT_NODE } from '../tree.ts';
import { type ItemNumbers, itemKey, sourceZarr } from './item-numbers.ts';
import { type FolderNode, type ItemNode, isFolderNode } from './source-node.ts';

/** Node numbers of files that are made of sources. */
const ITEMS = 2 ** 40;
const BEYOND_ITEMS = 2 ** 41;
/** Node numbers of folders: each follows from its path, so that what was written into it is found at every mount. */
const FOLDERS = 2 ** 42;
const FOLDER_NUMBERS = 2 ** 37;
const BEYOND_FOLDERS = FOLDERS + FOLDER_NUMBERS;
/** In lists, files stand behind folders and whatever else stands in a folder. */
const ITEM_COOKIES = 2 ** 39;

interface Item {
  readonly first: number;
  readonly count: number;
  readonly folder: FolderNode;
  /** Absent for a family. */
  readonly file?: ItemNode;
}

const textOf = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();

/** The folders and files that sources are shown as, by node, and by name. Made anew of every index. */
export class SourceNodes {
  readonly root: FolderNode;
  readonly #folders = new Map<number, FolderNode>();
  /** Ascending by `first`. */
  readonly #items: Item[] = [];

  constructor(sources: readonly IndexedSource[], numbers: ItemNumbers, version: NgffVersion) {
    const only = sources.find(({ name }) => name === '');
    this.root = this.#folder('', '', undefined, only);
    for (const source of sources) this.#addSource(source, numbers, version);
    this.#items.sort((a, b) => a.first - b.first);
    for (const { children } of this.#folders.values()) children.sort((a, b) => a.cookie - b.cookie);
  }

  #folder(
    path: string,
    name: string,
    parent: FolderNode | undefined,
    source: IndexedSource | undefined,
    family?: FolderNode['family'],
  ): FolderNode {
    let number = folderNumber(path) % FOLDER_NUMBERS;
    while (this.#folders.has(FOLDERS + number)) number = (number + 1) % FOLDER_NUMBERS;
    const folder: FolderNode = {
      node: parent ? FOLDERS + number : ROOT_NODE,
      cookie: number + 1,
      name,
      path,
      parent,
      children: [],
      byName: new Map(),
      ...(source ? { source } : {}),
      ...(family ? { family } : {}),
    };
    this.#folders.set(folder.node, folder);
    parent?.children.push(folder);
    parent?.byName.set(name, folder);
    return folder;
  }

  /** The folder at a path below a source's own, made where it is missing. */
  #folderAt(base: FolderNode, names: readonly string[], source: IndexedSource): FolderNode {
    let folder = base;
    for (const name of names) {
      const known = folder.byName.get(name);
      if (known && isFolderNode(known)) folder = known;
      else folder = this.#folder(folder.path === '' ? name : `${folder.path}/${name}`, name, folder, source);
    }
    return folder;
  }

  #addSource(source: IndexedSource, numbers: ItemNumbers, version: NgffVersion): void {
    const base = source.name === '' ? this.root : this.#folder(source.name, source.name, this.root, source);
    for (const file of source.files) {
      const names = file.path.split('/');
      const name = names.pop() ?? '';
      const folder = this.#folderAt(base, names, source);
      const first = numbers.first.get(itemKey(source, file)) ?? 0;
      const path = `${folder.path}/${name}`;
      const item: ItemNode = {
        node: ITEMS + first,
        cookie: ITEM_COOKIES + first + 1,
        name,
        path,
        source,
        file,
      };
      folder.children.push(item);
      folder.byName.set(name, item);
      this.#items.push({ first, count: 1, folder, file: item });
    }
    for (const { path: zarrPath, item } of source.zarrs) {
      const names = zarrPath.split('/');
      const name = names.pop() ?? '';
      const folder = this.#folderAt(base, names, source);
      const zarr = sourceZarr(source, item, version);
      const first = numbers.first.get(itemKey(source, { path: zarrPath, item }));
      if (!zarr || first === undefined) continue;
      const path = `${folder.path}/${name}`;
      const file = { item, encoder: 'ome-zarr', sizeBytes: 0 };
      const inZarr = { zarr, ordinal: 0 };
      const cookie = ITEM_COOKIES + first + 1;
      const node: ItemNode = { node: ITEMS + first, cookie, name, path, source, file, inZarr };
      folder.children.push(node);
      folder.byName.set(name, node);
      this.#items.push({ first, count: zarr.entryCount, folder, file: node });
    }
    for (const family of source.families) {
      const names = family.path.split('/');
      const name = names.pop() ?? '';
      const above = this.#folderAt(base, names, source);
      const first = numbers.first.get(itemKey(source, family)) ?? 0;
      const path = `${above.path}/${name}`;
      const folder = this.#folder(path, name, above, source, { family, firstNode: ITEMS + first });
      this.#items.push({ first, count: family.members.length, folder });
    }
  }

  /** Whether the size of a file, or the names in a folder, are known; else somebody has to measure them. */
  isMeasured(node: number): boolean {
    const file = this.folderAt(node)?.family?.family ?? this.itemAt(node)?.file;
    return file === undefined || isMeasured(file);
  }

  owns(node: number): boolean {
    return (node >= ITEMS && node < BEYOND_ITEMS) || (node >= FOLDERS && node < BEYOND_FOLDERS);
  }

  /** All folders, the root among them. */
  folders(): Iterable<FolderNode> {
    return this.#folders.values();
  }

  folderAt(node: number): FolderNode | undefined {
    return this.#folders.get(node);
  }

  /** The file behind a node; undefined when it is gone, or of an earlier version of its source. */
  itemAt(node: number): ItemNode | undefined {
    if (node < ITEMS || node >= BEYOND_ITEMS) return undefined;
    const number = node - ITEMS;
    let low = 0;
    let high = this.#items.length;
    while (low + 1 < high) {
      const middle = (low + high) >>> 1;
      if ((this.#items[middle]?.first ?? 0) <= number) low = middle;
      else high = middle;
    }
    const item = this.#items[low];
    if (!item || number < item.first || number >= item.first + item.count) return undefined;
    const { file, folder, first } = item;
    if (!file) return this.memberAt(folder, number - first);
    return file.inZarr && number !== first ? this.#inZarr(file, number - first) : file;
  }

  #inZarr(folder: ItemNode, ordinal: number): ItemNode | undefined {
    const { zarr } = folder.inZarr ?? {};
    const sizeBytes = zarr?.sizeBytes(ordinal);
    if (!zarr || sizeBytes === undefined) return undefined;
    const below = zarr.pathOf(ordinal);
    return {
      ...folder,
      node: folder.node + ordinal,
      name: below.slice(below.lastIndexOf('/') + 1),
      path: `${folder.path}/${below}`,
      file: { ...folder.file, sizeBytes },
      inZarr: { zarr, ordinal },
    };
  }

  /** A file of a family's folder, by its place among the names. */
  memberAt(folder: FolderNode, place: number): ItemNode | undefined {
    const { family, firstNode = 0 } = folder.family ?? {};
    if (!family || !folder.source || !isMeasured(family) || place < 0 || place >= family.members.length)
      return undefined;
    const { bytes, starts } = family.names;
    const name = textOf(bytes.subarray(starts[place], starts[place + 1])) + family.extension;
    return {
      node: firstNode + place,
      cookie: place + 1,
      name,
      path: `${folder.path}/${name}`,
      source: folder.source,
      file: family,
      member: family.members[place] ?? 0,
    };
  }

  child(folder: FolderNode, name: string): FolderNode | ItemNode | undefined {
    const { family } = folder.family ?? {};
    if (!family) return folder.byName.get(name);
    if (!isMeasured(family)) return undefined;
    if (!name.endsWith(family.extension)) return undefined;
    const wanted = Buffer.from(name.slice(0, name.length - family.extension.length));
    const { bytes, starts } = family.names;
    let low = 0;
    let high = family.members.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (Buffer.compare(bytes.subarray(starts[middle], starts[middle + 1]), wanted) < 0) low = middle + 1;
      else high = middle;
    }
    const found = this.memberAt(folder, low);
    return found?.name === name ? found : undefined;
  }

  /** The first entry of a folder's list behind a cookie. */
  childAfter(folder: FolderNode, cookie: number): FolderNode | ItemNode | undefined {
    if (folder.family) return this.memberAt(folder, cookie);
    const { children } = folder;
    let low = 0;
    let high = children.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((children[middle]?.cookie ?? 0) <= cookie) low = middle + 1;
      else high = middle;
    }
    return children[low];
  }
}
