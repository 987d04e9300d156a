import { BadZarrError } from '../core/errors.ts';
import { asObject, type JsonObject } from '../core/json-text.ts';
import { isPlainKey, readStoreJson, type StoreListing, type ZarrStore } from './store.ts';

/** A group or an array of a store. */
export interface ZarrNode {
  readonly kind: 'group' | 'array';
  readonly zarrFormat: 2 | 3;
  readonly attributes: JsonObject;
  /** Of an array: its own metadata, and what messages call the file that it stands in. */
  readonly document: JsonObject;
  readonly documentPath: string;
}

/** A node without metadata of its own in which there are others, as Zarr v2 writers leave them out. */
const NO_DOCUMENT: JsonObject = {};

/**
 * The nodes of a store. Each node's own metadata counts; the consolidated copy in the root (`.zmetadata`; v3 inline)
 * stands in for what is not there, and, where every question is a journey, goes first.
 */
export class ZarrNodes {
  readonly store: ZarrStore;
  #consolidated: Consolidated | undefined;

  constructor(store: ZarrStore) {
    this.store = store;
  }

  /** The node at a path; undefined when there is none. @throws BadZarrError, UnreadableSourceError */
  node(path: string): ZarrNode | undefined {
    if (path !== '' && !isPlainKey(path)) return undefined;
    const found = this.#v3(path) ?? this.#v2(path);
    if (found) return found;
    const isImplied = this.#all.names.has(path) || (this.store.list(path)?.folders.length ?? 0) > 0;
    if (!isImplied) return undefined;
    return {
      kind: 'group',
      zarrFormat: 2,
      attributes: {},
      document: NO_DOCUMENT,
      documentPath: this.store.pathOf(path),
    };
  }

  /** Names in a group that may be nodes, sorted; `extra` are names that its metadata tells. */
  children(path: string, extra: readonly string[] = []): readonly string[] {
    const listed = this.listing(path)?.folders ?? [];
    return [...new Set([...listed, ...(this.#all.names.get(path) ?? []), ...extra])].sort();
  }

  /** Whether every name in a group can be told; of plain web servers only where there is consolidated metadata. */
  knowsChildren(path: string): boolean {
    return this.#all.documents.size > 0 || this.store.list(path) !== undefined;
  }

  /** What lies in a group's folder, where that can be told without going through the consolidated metadata. */
  listing(path: string): StoreListing | undefined {
    const isKnown = this.store.isRemote && this.#all.documents.size > 0;
    return isKnown ? undefined : this.store.list(path);
  }

  #v3(path: string): ZarrNode | undefined {
    const key = joinKey(path, 'zarr.json');
    const document = this.#document(path, 'zarr.json');
    if (document?.['zarr_format'] !== 3) return undefined;
    const documentPath = this.store.pathOf(key);
    const kind = document['node_type'];
    if (kind !== 'group' && kind !== 'array')
      throw new BadZarrError(documentPath, 'the node is neither group nor array');
    return {
      kind,
      zarrFormat: 3,
      attributes: attributesOf(document['attributes'], documentPath),
      document,
      documentPath,
    };
  }

  #v2(path: string): ZarrNode | undefined {
    const array = this.#document(path, '.zarray');
    const group = array ? undefined : this.#document(path, '.zgroup');
    const attributes = this.#document(path, '.zattrs');
    // Early writers left out either file of a group.
    if (!array && !group && !attributes) return undefined;
    const kind = array ? 'array' : 'group';
    return {
      kind,
      zarrFormat: 2,
      attributes: attributes ?? {},
      document: array ?? group ?? NO_DOCUMENT,
      documentPath: this.store.pathOf(joinKey(path, array ? '.zarray' : '.zgroup')),
    };
  }

  /** A metadata document of a node. */
  #document(path: string, name: string): JsonObject | undefined {
    const { documents: all } = this.#all;
    const known = all.get(joinKey(path, name));
    if (!this.store.isRemote) return readStoreJson(this.store, joinKey(path, name)) ?? known;
    const isNode = NAMES.some((other) => all.has(joinKey(path, other)));
    return isNode ? known : readStoreJson(this.store, joinKey(path, name));
  }

  get #all(): Consolidated {
    this.#consolidated ??= readConsolidated(this.store);
    return this.#consolidated;
  }
}

/** Consolidated metadata. */
interface Consolidated {
  /** By the key each document has of its own. */
  readonly documents: ReadonlyMap<string, JsonObject>;
  /** Names of nodes in each group. */
  readonly names: ReadonlyMap<string, ReadonlySet<string>>;
}

const NAMES = ['zarr.json', '.zarray', '.zgroup', '.zattrs'] as const;

/** A key below a node. */
export function joinKey(path: string, name: string): string {
  return path === '' ? name : `${path}/${name}`;
}

function attributesOf(value: unknown, path: string): JsonObject {
  const attributes = asObject(value ?? {});
  if (!attributes) throw new BadZarrError(path, 'the attributes are no object');
  return attributes;
}

function readConsolidated(store: ZarrStore): Consolidated {
  const documents = new Map<string, JsonObject>();
  const names = new Map<string, Set<string>>();
  for (const [key, value] of consolidatedEntries(store)) {
    const document = asObject(value);
    const parts = key.split('/');
    if (!document || !isPlainKey(key) || !NAMES.some((name) => name === parts.at(-1))) continue;
    documents.set(key, document);
    parts.slice(0, -1).forEach((name, depth) => {
      const parent = parts.slice(0, depth).join('/');
      names.set(parent, (names.get(parent) ?? new Set()).add(name));
    });
  }
  return { documents, names };
}

/**
 * Of v2's `.zmetadata` (zarr-python's `zarr_consolidated_format` 1), or of the root's `zarr.json` (zarr-python 3's
 * `consolidated_metadata` of kind `inline`).
 */
function consolidatedEntries(store: ZarrStore): (readonly [key: string, document: unknown])[] {
  const root = readStoreJson(store, 'zarr.json');
  if (root?.['zarr_format'] !== 3)
    return Object.entries(asObject(readStoreJson(store, '.zmetadata')?.['metadata']) ?? {});
  const inline = asObject(asObject(root['consolidated_metadata'])?.['metadata']);
  if (!inline) return [];
  const below = Object.entries(inline).map(
    ([path, document]) => [joinKey(path, 'zarr.json'), document] as const,
  );
  return [['zarr.json', root], ...below];
}

/** A document in the root, as it was found. */
interface RootDocument {
  readonly name: string;
  /** Undefined where nothing tells it from a later one. */
  readonly identity: string | undefined;
  readonly sizeBytes: number;
}

function rootDocuments(store: ZarrStore): (RootDocument | undefined)[] {
  return [...NAMES, '.zmetadata'].map((name) => {
    using bytes = store.open([name], 'document');
    return bytes && { name, identity: bytes.identity, sizeBytes: bytes.sizeBytes };
  });
}

const versionOf = (documents: readonly (RootDocument | undefined)[]): string =>
  documents.map((document) => document?.identity ?? '').join('|');

/** A text that is another as soon as a document in the root is, or the file that the store lies in. */
export const rootVersion = (store: ZarrStore): string => versionOf(rootDocuments(store));

/** What described a store when it was opened. */
export class StoreRoot {
  readonly version: string;
  readonly #store: ZarrStore;
  readonly #smallest: RootDocument | undefined;

  constructor(store: ZarrStore) {
    const documents = rootDocuments(store);
    this.#store = store;
    this.version = versionOf(documents);
    this.#smallest = documents
      .filter((document) => document !== undefined)
      .sort((a, b) => a.sizeBytes - b.sizeBytes)[0];
  }

  /**
   * Whether the store is still there as it was. On a server that is asked of the smallest document alone: one journey.
   * @throws as {@link ZarrStore.open}
   */
  isThere(): boolean {
    if (!this.#store.isRemote) return rootVersion(this.#store) === this.version;
    if (!this.#smallest) return true;
    const { name, identity } = this.#smallest;
    this.#store.forget?.(name);
    using now = this.#store.open([name], 'document');
    return now !== undefined && now.identity === identity;
  }
}
