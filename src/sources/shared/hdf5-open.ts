import { SourceChangedError } from '../../core/errors.ts';
import { isInside, type Region } from '../../core/region.ts';
import type {
  ByteWindow,
  ItemPath,
  OpenSource,
  SourceCatalog,
  SourceItem,
  SparseEntries,
  TableRows,
} from '../../sources.ts';
import { familyOf, filesOfVersion } from './hdf5-catalog.ts';
import type { Hdf5Hierarchy } from './hdf5-hierarchy.ts';
import { type ImagePlan, imageWindow, readImage } from './hdf5-image.ts';
import { datasetImage } from './hdf5-items.ts';
import { type TablePlan, tablePlan } from './hdf5-table.ts';

interface Extents {
  readonly shape: readonly number[];
  readonly dtype: string;
}

/** An HDF5 file that a catalog described, held open. */
export class OpenHdf5 implements OpenSource {
  readonly #hierarchy: Hdf5Hierarchy;
  readonly #version: string | undefined;
  /** Images and levels, by path. */
  readonly #images = new Map<ItemPath, Extents>();
  readonly #arrays = new Map<ItemPath, Extents>();
  readonly #tables = new Set<ItemPath>();
  readonly #plans = new Map<ItemPath, ImagePlan>();
  readonly #tablePlans = new Map<ItemPath, TablePlan>();
  #familyPlans: ReadonlyMap<ItemPath, ImagePlan> | undefined;

  /** Owns the hierarchy. */
  constructor(hierarchy: Hdf5Hierarchy, catalog: SourceCatalog) {
    this.#hierarchy = hierarchy;
    this.#version = catalog.version;
    for (const item of catalog.items) this.#keep(item);
  }

  #keep(item: SourceItem): void {
    if (item.kind === 'image') {
      const { dtype } = item.image;
      this.#images.set(item.path, { shape: item.image.shape, dtype });
      for (const level of item.levels) this.#images.set(level.path, { shape: level.shape, dtype });
    } else if (item.kind === 'array') this.#arrays.set(item.path, item);
    else if (item.kind === 'table') this.#tables.add(item.path);
  }

  readRegion(path: ItemPath, region: Region, target: Uint8Array): void {
    this.#hierarchy.checkUnchanged();
    const image = this.#imageFor(path, region);
    if (image !== undefined) {
      readImage(this.#hierarchy, image, region, target);
      return;
    }
    this.#checkArray(path, region);
    this.#hierarchy.readRegion(path, region, target);
  }

  window(path: ItemPath, region: Region): ByteWindow | undefined {
    this.#hierarchy.checkUnchanged();
    const image = this.#imageFor(path, region);
    if (image !== undefined) return imageWindow(this.#hierarchy, image, region);
    this.#checkArray(path, region);
    return this.#hierarchy.window(path, region);
  }

  /** The file, and those that its links and the text beside it lead to. */
  filesOf(): readonly string[] | undefined {
    return this.#version === undefined ? undefined : filesOfVersion(this.#version);
  }

  /** The image or level a region is of: one of five axes is never an array's where both have the same path. */
  #imageFor(path: ItemPath, region: Region): ImagePlan | undefined {
    const known = this.#images.get(path);
    if (known === undefined || region.start.length !== 5) return undefined;
    let plan = this.#plans.get(path);
    if (plan === undefined) {
      plan = this.#plansOfFamily().get(path) ?? datasetImage(path, this.#hierarchy.dataset(path));
      if (plan === undefined || plan.shape.join() !== known.shape.join() || plan.dtype !== known.dtype)
        throw this.#changed(path);
      this.#plans.set(path, plan);
    }
    return plan;
  }

  #plansOfFamily(): ReadonlyMap<ItemPath, ImagePlan> {
    this.#familyPlans ??= new Map(
      (familyOf(this.#hierarchy)?.images ?? []).flat().map((plan) => [plan.path, plan] as const),
    );
    return this.#familyPlans;
  }

  #checkArray(path: ItemPath, region: Region): void {
    const known = this.#arrays.get(path);
    if (known === undefined) throw this.#noItem('array', path);
    const { shape } = this.#hierarchy.dataset(path);
    if (shape.join() !== known.shape.join()) throw this.#changed(path);
    if (!isInside(region, shape))
      throw new RangeError(
        `[${region.start}] + [${region.shape}] is not inside [${shape}] of ${this.#hierarchy.file}:${path}`,
      );
  }

  readRows(path: ItemPath, firstRow: number, rowCount: number): TableRows {
    if (!this.#tables.has(path)) throw this.#noItem('table', path);
    this.#hierarchy.checkUnchanged();
    let plan = this.#tablePlans.get(path);
    if (plan === undefined) {
      const name = path.slice(path.lastIndexOf('/') + 1);
      plan = tablePlan(this.#hierarchy.dataset(path), name, () => this.#hierarchy.numbers(path));
      if (plan === undefined) throw this.#changed(path);
      this.#tablePlans.set(path, plan);
    }
    return plan.read(firstRow, rowCount);
  }

  readEntries(path: ItemPath): SparseEntries {
    throw this.#noItem('sparse matrix', path);
  }

  memberNames(path: ItemPath): readonly string[] {
    throw this.#noItem('family of tables', path);
  }

  #noItem(what: string, path: ItemPath): RangeError {
    return new RangeError(`${this.#hierarchy.file} has no ${what} ${path}`);
  }

  #changed(path: ItemPath): SourceChangedError {
    return new SourceChangedError(this.#hierarchy.file, `${path} is not what it was`);
  }

  [Symbol.dispose](): void {
    this.#hierarchy[Symbol.dispose]();
  }
}
