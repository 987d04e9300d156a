import { statSync } from 'node:fs';
import { setImmediate as breathe } from 'node:timers/promises';
import { CancelledError, PlateFsError } from '../../core/errors.ts';
import type { JsonObject } from '../../core/json-text.ts';
import type { SourceCatalog, SourceItem } from '../../sources.ts';
import { FolderStore } from '../../zarr/folder-store.ts';
import {
  isBioformats2raw,
  namedChildren,
  ngffOf,
  ngffVersion,
  parseImage,
  parsePlate,
} from '../../zarr/ngff-metadata.ts';
import { joinKey, rootVersion, type ZarrNode } from '../../zarr/node.ts';
import { isPlainKey } from '../../zarr/store.ts';
import { ZarrHierarchy } from './zarr-hierarchy.ts';
import { imageOf } from './zarr-image.ts';
import { storeAt } from './zarr-store-at.ts';
import { isRemotePath, isStorePath, storeName } from './zarr-store-name.ts';

/** Groups inside one another. */
const MAX_DEPTH = 32;
/** Nodes looked at. */
const MAX_NODES = 200_000;
/** Nodes looked at between two turns of the event loop. */
const SLICE = 16;
/** Attributes of one node, and of all together, as they are shown. */
const MAX_TEXT_LENGTH = 4 * 1024 * 1024;
const MAX_TEXTS_LENGTH = 64 * 1024 * 1024;
/** Images of a file that bioformats2raw converted, where they can only be counted. */
const MAX_SERIES = 10_000;
const MAX_WARNINGS = 10_000;

/** What the image in the root is called: the root itself has no name. `taken` are the names in it. */
export function rootImagePath(location: string, taken: readonly string[]): string {
  const name = storeName(location) || 'image';
  return taken.includes(name) ? `${name} image` : name;
}

const firstName = (path: string): string => path.split('/')[0] ?? path;

/** A group that only the paths of others tell of. */
const NO_METADATA: ZarrNode = {
  kind: 'group',
  zarrFormat: 2,
  attributes: {},
  document: {},
  documentPath: '',
};

/**
 * Looks into the store at a path; a folder may have any name. Undefined when it is none, and for a plate in a folder:
 * plates are a format's.
 * @throws UnreadableSourceError, BadZarrError, UnsupportedZarrError; CancelledError
 */
export async function catalogStore(
  path: string,
  root: string,
  signal: AbortSignal,
): Promise<SourceCatalog | undefined> {
  if (!isStorePath(path) && !isFolder(path)) return undefined;
  using hierarchy = new ZarrHierarchy(storeAt(path, root));
  const { store } = hierarchy.nodes;
  const attributes = ngffOf(hierarchy.nodes.node('')?.attributes ?? {});
  if (store instanceof FolderStore && parsePlate(attributes)) return undefined;
  const version = rootVersion(store);
  const catalog = await new ZarrCataloguer(hierarchy, signal).catalog();
  const hasChunkFiles = store instanceof FolderStore;
  return catalog && { ...catalog, hasChunkFiles, version, ...(isRemotePath(path) ? {} : { root }) };
}

const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;

/** Lists what a store holds. */
class ZarrCataloguer {
  readonly #hierarchy: ZarrHierarchy;
  readonly #signal: AbortSignal;
  readonly #items: SourceItem[] = [];
  readonly #warnings: { path: string; message: string }[] = [];
  readonly #annDataGroups: string[] = [];
  /** Levels of images that have five axes in another order: as arrays they could not be told apart. */
  readonly #shadowed = new Set<string>();
  #nodeCount = 0;
  #textLength = 0;
  #isCut = false;

  constructor(hierarchy: ZarrHierarchy, signal: AbortSignal) {
    this.#hierarchy = hierarchy;
    this.#signal = signal;
  }

  /** @returns undefined when there is no node in the store. @throws CancelledError; errors of the root's own metadata. */
  async catalog(): Promise<SourceCatalog | undefined> {
    const { nodes } = this.#hierarchy;
    const root = nodes.node('');
    if (!root) return undefined;
    await this.#add('', root, 0, []);
    const isEmpty = this.#items.length === 0 && this.#warnings.length === 0;
    // A folder of folders, none of which is a node.
    if (isEmpty && Object.keys(root.document).length === 0) return undefined;
    const version = ngffVersion(ngffOf(root.attributes));
    const isNgff = version !== undefined || parseImage(ngffOf(root.attributes)) !== undefined;
    const kind = isNgff ? `OME-Zarr${version === undefined ? '' : ` ${version}`}` : 'Zarr';
    return {
      title: `${kind} (zarr v${root.zarrFormat})`,
      items: this.#items,
      warnings: this.#warnings,
      ...(this.#annDataGroups.length > 0 ? { annDataGroups: this.#annDataGroups } : {}),
    };
  }

  #warn(path: string, message: string): void {
    if (this.#warnings.length < MAX_WARNINGS) this.#warnings.push({ path, message });
  }

  async #breathe(): Promise<void> {
    if (this.#signal.aborted)
      throw new CancelledError(`looking into ${this.#hierarchy.file} was cancelled`, {
        cause: this.#signal.reason,
      });
    this.#nodeCount += 1;
    if (this.#nodeCount % SLICE === 0) await breathe();
  }

  /** `named` are paths below the node that metadata above it tells. */
  async #add(path: string, node: ZarrNode, depth: number, named: readonly string[]): Promise<void> {
    await this.#breathe();
    this.#addAttributes(path, node.attributes);
    if (node.kind === 'array') this.#addArray(path);
    else if (!(await this.#addAnnData(path, node))) await this.#addGroup(path, node, depth, named);
  }

  /**
   * An AnnData group inside the store, as in `tables/` of an OME-Zarr image (SpatialData and Fractal write such). Its
   * `encoding-type` says so (anndata documentation, "On-disk format"); before 0.7.6 only that it has `obs` and `var`.
   * @returns whether it is one.
   */
  async #addAnnData(path: string, { attributes }: ZarrNode): Promise<boolean> {
    if (path === '') return false;
    const { nodes } = this.#hierarchy;
    const isTold = attributes['encoding-type'] === 'anndata';
    if (!isTold && !['obs', 'var'].every((name) => nodes.children(path).includes(name))) return false;
    const { catalogGroup } = await import('./anndata-groups.ts');
    const found = this.#guarded(path, () => catalogGroup(this.#hierarchy, path));
    if (!found) return false;
    this.#annDataGroups.push(path);
    this.#items.push(...found.items);
    for (const warning of found.warnings) this.#warn(warning.path, warning.message);
    return true;
  }

  async #addGroup(path: string, node: ZarrNode, depth: number, above: readonly string[]): Promise<void> {
    const { nodes } = this.#hierarchy;
    const named = [...above, ...this.#namedIn(path, ngffOf(node.attributes))];
    const listing = nodes.listing(path);
    for (const { name, reason } of listing?.refused ?? []) this.#warn(joinKey(path, name), reason);
    if (listing?.isCut)
      this.#warn(path, `has more than ${listing.folders.length} folders; the others are not shown`);
    const names = nodes.children(path, [...named.map(firstName), ...this.#guesses(path, node.attributes)]);
    this.#addImage(path, node.attributes, names);
    if (depth >= MAX_DEPTH) {
      if (names.length > 0) this.#warn(path, `what is more than ${MAX_DEPTH} groups deep is not shown`);
      return;
    }
    for (const name of names) {
      if (this.#nodeCount >= MAX_NODES) {
        if (!this.#isCut) this.#warn(path, `only the first ${MAX_NODES} groups and arrays are shown`);
        this.#isCut = true;
        return;
      }
      const at = joinKey(path, name);
      const below = named.flatMap((one) => (one.startsWith(`${name}/`) ? [one.slice(name.length + 1)] : []));
      const failures = this.#warnings.length;
      const child = this.#guarded(at, () => nodes.node(at)) ?? (below.length > 0 ? NO_METADATA : undefined);
      if (child) await this.#add(at, child, depth + 1, below);
      else if (named.includes(name) && this.#warnings.length === failures)
        this.#warn(at, 'is named by the metadata, but is not there');
    }
  }

  /** Names that may be in a group of a store that can't be listed: OME-NGFF says what they have to be. */
  #guesses(path: string, attributes: JsonObject): readonly string[] {
    const { nodes } = this.#hierarchy;
    if (!nodes.store.isRemote || nodes.knowsChildren(path)) return [];
    if (path === '') this.#warn('', 'the server can’t list folders: what no metadata names is not shown');
    const ngff = ngffOf(attributes);
    if (parseImage(ngff)) return ['labels'];
    if (!isBioformats2raw(ngff)) return [];
    const series: string[] = ['OME'];
    while (
      series.length <= MAX_SERIES &&
      this.#guarded(path, () => nodes.node(joinKey(path, `${series.length - 1}`)))
    )
      series.push(`${series.length - 1}`);
    return series;
  }

  /** The paths below it that a group's attributes tell. */
  #namedIn(path: string, ngff: JsonObject): readonly string[] {
    return namedChildren(ngff).flatMap((named) => {
      const below = named.replace(/^\.\//, '').replace(/\/+$/, '');
      if (isPlainKey(below)) return [below];
      this.#warn(path, `names ${JSON.stringify(named.slice(0, 100))}, which is no path inside it`);
      return [];
    });
  }

  /** Runs what may fail for one node; the others are shown all the same. */
  #guarded<T>(path: string, look: () => T): T | undefined {
    try {
      return look();
    } catch (error) {
      if (!(error instanceof PlateFsError)) throw error;
      this.#warn(path, error.message);
      return undefined;
    }
  }

  #addImage(group: string, attributes: JsonObject, names: readonly string[]): void {
    const path = group === '' ? rootImagePath(this.#hierarchy.file, names) : group;
    const found = this.#guarded(path, () =>
      imageOf(this.#hierarchy, group, attributes, path, (message) => this.#warn(path, message)),
    );
    if (!found) return;
    this.#items.push(found.item);
    for (const level of found.levels.slice(1)) if (!level.isReadAlike) this.#shadowed.add(level.path);
  }

  #addArray(path: string): void {
    if (this.#shadowed.has(path)) return;
    this.#guarded(path, () => {
      const { element, shape } = this.#hierarchy.metadata(path);
      if (element.kind === 'string' || element.kind === 'text' || element.kind === 'bytes') {
        if (shape.length !== 1) this.#warn(path, `is text of ${shape.length} axes, which is not shown`);
        else
          this.#items.push({
            kind: 'table',
            path,
            rowCount: shape[0] ?? 0,
            columns: [{ name: path.split('/').at(-1) ?? path, type: 'text' }],
          });
        return;
      }
      if (element.kind === 'compound') {
        this.#warn(path, 'has a structured data type, which is not shown');
        return;
      }
      const { info, decodedShape } = this.#hierarchy.layout(path);
      this.#items.push({
        kind: 'array',
        path,
        shape: info.shape,
        dtype: info.dtype,
        chunkShape: decodedShape,
      });
    });
  }

  #addAttributes(path: string, attributes: JsonObject): void {
    if (Object.keys(attributes).length === 0) return;
    const text = `${JSON.stringify(attributes, exactNumbers, 2)}\n`;
    if (text.length > MAX_TEXT_LENGTH || this.#textLength + text.length > MAX_TEXTS_LENGTH) {
      this.#warn(path, `its attributes, ${text.length} characters of JSON, are not shown`);
      return;
    }
    this.#textLength += text.length;
    this.#items.push({ kind: 'text', path: joinKey(path, 'attributes.json'), text });
  }
}

/** Whole numbers that a double would round are written as they are. */
function exactNumbers(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? JSON.rawJSON(String(value)) : value;
}
