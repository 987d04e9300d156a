import type { ItemPath, SourceCatalog, SourceItem } from '../../sources.ts';
import { AnnDataSource, catalogOf } from './anndata-source.ts';
import type { Hierarchy, NodePath } from './hierarchy.ts';
import { HierarchyBelow } from './hierarchy-below.ts';
import type { HierarchyOpener } from './idle-hierarchy.ts';

function openerOf(store: Hierarchy, group: NodePath, version: () => string): HierarchyOpener {
  const open = (): HierarchyBelow => new HierarchyBelow(store, group);
  return { file: open().file, format: store.format, open, version };
}

/** What such a group holds, by paths of the store. @throws what `Hierarchy` says. */
export function catalogGroup(
  store: Hierarchy,
  group: NodePath,
): Pick<SourceCatalog, 'items' | 'warnings'> | undefined {
  const found = catalogOf(openerOf(store, group, () => ''));
  return (
    found && {
      items: found.items.map((item) => ({ ...item, path: `${group}/${item.path}` })),
      warnings: found.warnings.map(({ path, message }) => ({ path: `${group}/${path}`, message })),
    }
  );
}

interface OpenGroup {
  readonly source: AnnDataSource;
  /** The item's path in the group. */
  readonly path: ItemPath;
}

/** The AnnData groups of a catalogued store, each opened when it is read first. */
export class AnnDataGroups implements Disposable {
  readonly #store: Hierarchy;
  readonly #items = new Map<NodePath, SourceItem[]>();
  readonly #sources = new Map<NodePath, AnnDataSource>();
  readonly #version: (group: NodePath) => string;

  /** @param version tells versions of a group apart, as cheaply as it has to be for every read. */
  constructor(
    store: Hierarchy,
    { annDataGroups = [], items }: SourceCatalog,
    version: (group: NodePath) => string,
  ) {
    this.#store = store;
    this.#version = version;
    for (const group of annDataGroups) this.#items.set(group, []);
    for (const item of items) {
      const group = this.#groupOf(item.path);
      // The store's own.
      if (group === undefined || item.path === `${group}/attributes.json`) continue;
      this.#items.get(group)?.push({ ...item, path: item.path.slice(group.length + 1) });
    }
  }

  #groupOf(path: ItemPath): NodePath | undefined {
    if (this.#items.size === 0) return undefined;
    for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1))
      if (this.#items.has(path.slice(0, end))) return path.slice(0, end);
    return undefined;
  }

  /** Whether an item is of such a group. */
  has(path: ItemPath): boolean {
    return this.#groupOf(path) !== undefined;
  }

  /** Undefined for an item of the store itself. @throws SourceChangedError when the group holds something else now. */
  at(path: ItemPath): OpenGroup | undefined {
    const group = this.#groupOf(path);
    if (group === undefined) return undefined;
    let source = this.#sources.get(group);
    if (!source) {
      const opener = openerOf(this.#store, group, () => this.#version(group));
      source = new AnnDataSource(opener, {
        title: '',
        items: this.#items.get(group) ?? [],
        warnings: [],
      });
      this.#sources.set(group, source);
    }
    return { source, path: path.slice(group.length + 1) };
  }

  [Symbol.dispose](): void {
    for (const source of this.#sources.values()) source[Symbol.dispose]();
    this.#sources.clear();
  }
}
