import { isDeepStrictEqual } from 'node:util';
import { SourceChangedError } from '../../core/errors.ts';
import { elementCount, itemSizeBytes } from '../../core/nd-array.ts';
import { isInside, type Region } from '../../core/region.ts';
import type {
  ByteWindow,
  ItemPath,
  OpenSource,
  SourceCatalog,
  SparseEntries,
  TableRows,
} from '../../sources.ts';
import type { Column } from './anndata-column.ts';
import { isAnnData, type Plan, planOf, type RegionReader } from './anndata-plan.ts';
import { ByteLru } from './byte-lru.ts';
import { type HierarchyOpener, IdleHierarchy } from './idle-hierarchy.ts';

/** What is kept of a file between reads: categories, pointers, columns cut out of rows. Given back when idle. */
const KEPT_BYTES = 64 * 2 ** 20;

/** What an AnnData file holds; undefined when the file is another. @throws what `Hierarchy` says. */
export function catalogOf(opener: HierarchyOpener): SourceCatalog | undefined {
  const version = opener.version();
  using tree = opener.open();
  const kept = new ByteLru<unknown>(KEPT_BYTES);
  const source = { tree, kept };
  try {
    return isAnnData(source) ? { ...planOf(source).catalog, version } : undefined;
  } finally {
    kept.clear();
  }
}

/** An AnnData file held by one thread; its file is open only while it is read. */
export class AnnDataSource implements OpenSource {
  readonly #tree: IdleHierarchy;
  readonly #kept = new ByteLru<unknown>(KEPT_BYTES);
  readonly #plan: Plan;
  readonly #files: readonly string[] | undefined;

  /** @throws SourceChangedError when it is not what `catalog` describes any more. */
  constructor(opener: HierarchyOpener, catalog: SourceCatalog, idleMs?: number) {
    const version = catalog.version ?? opener.version();
    this.#tree = new IdleHierarchy(opener, version, () => this.#kept.clear(), idleMs);
    try {
      this.#plan = planOf({ tree: this.#tree, kept: this.#kept });
      if (!isDeepStrictEqual(this.#plan.catalog.items, catalog.items))
        throw new SourceChangedError(opener.file, 'it holds something else than when it was mounted', {
          advice: 'mount it again',
        });
      // Making the plan has followed every link.
      this.#files = this.#tree.filesInUse();
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  /** Whether the file is open right now. */
  get isOpen(): boolean {
    return this.#tree.isOpen;
  }

  #named<T>(map: ReadonlyMap<ItemPath, T>, path: ItemPath, what: string): T {
    const found = map.get(path);
    if (found === undefined) throw new RangeError(`${this.#tree.file} has no ${what} ${path}`);
    return found;
  }

  readRegion(path: ItemPath, region: Region, target: Uint8Array): void {
    const reader = this.#array(path, region);
    const { dtype } = reader;
    const sizeBytes = elementCount(region.shape) * itemSizeBytes(dtype);
    if (target.length !== sizeBytes)
      throw new RangeError(`[${region.shape}] of ${path} needs ${sizeBytes} bytes, not ${target.length}`);
    if (sizeBytes > 0) reader.readRegion(region, target);
  }

  window(path: ItemPath, region: Region): ByteWindow | undefined {
    this.#array(path, region);
    return undefined;
  }

  filesOf(): readonly string[] | undefined {
    return this.#files;
  }

  #array(path: ItemPath, region: Region): RegionReader {
    const reader = this.#named(this.#plan.arrays, path, 'array');
    if (!isInside(region, reader.shape))
      throw new RangeError(
        `[${region.start}] + [${region.shape}] is not inside [${reader.shape}] of ${path}`,
      );
    return reader;
  }

  readRows(path: ItemPath, firstRow: number, rowCount: number, member?: number): TableRows {
    const family = this.#plan.families.get(path);
    if (family) {
      this.#check(path, family.rows.rowCount, firstRow, rowCount);
      const names = texts(family.rows, firstRow, rowCount);
      if (member === undefined) return { columns: [names, []] };
      this.#check(path, family.members.rowCount, member, 1);
      return { columns: [names, rowCount === 0 ? [] : family.values(member, firstRow, rowCount)] };
    }
    const columns = this.#named(this.#plan.tables, path, 'table');
    this.#check(path, columns[0]?.rowCount ?? 0, firstRow, rowCount);
    return { columns: columns.map((column) => (rowCount === 0 ? [] : column.read(firstRow, rowCount))) };
  }

  readEntries(path: ItemPath, first: number, count: number): SparseEntries {
    const matrix = this.#named(this.#plan.matrices, path, 'sparse matrix');
    this.#check(path, matrix.entryCount, first, count);
    return matrix.entries(first, count);
  }

  memberNames(path: ItemPath, first: number, count: number): readonly string[] {
    const { members } = this.#named(this.#plan.families, path, 'family of tables');
    this.#check(path, members.rowCount, first, count);
    return texts(members, first, count);
  }

  #check(path: ItemPath, extent: number, first: number, count: number): void {
    if (!isInside({ start: [first], shape: [count] }, [extent]))
      throw new RangeError(`${first} + ${count} is not inside ${path}, which has ${extent}`);
  }

  [Symbol.dispose](): void {
    this.#tree[Symbol.dispose]();
    this.#kept.clear();
    this.#kept.clear();
  }
}

/** Names, also where they are stored as numbers or are missing. */
const texts = (column: Column, first: number, count: number): readonly string[] =>
  count === 0 ? [] : column.read(first, count).map((cell) => (cell === undefined ? '' : String(cell)));
