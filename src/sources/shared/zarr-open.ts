import { dirname } from 'node:path';
import { BadZarrError, PlateFsError, SourceChangedError } from '../../core/errors.ts';
import { isInside, type Region } from '../../core/region.ts';
import type {
  ArrayItem,
  ByteWindow,
  ImageItem,
  OpenSource,
  PlaneGrain,
  SourceCatalog,
  SparseEntries,
  TableItem,
  TableRows,
} from '../../sources.ts';
import { FolderStore } from '../../zarr/folder-store.ts';
import { joinKey, StoreRoot } from '../../zarr/node.ts';
import { RemoteStore, remoteStore } from '../../zarr/remote/remote-store.ts';
import type { ZarrStore } from '../../zarr/store.ts';
import { AnnDataGroups } from './anndata-groups.ts';
import type { AnnDataSource } from './anndata-source.ts';
import { ANNDATA_DOCUMENTS, fileVersion } from './file-version.ts';
import { ZarrHierarchy } from './zarr-hierarchy.ts';
import { imageOf, type ZarrImage, type ZarrLevel } from './zarr-image.ts';
import type { ZarrLayout } from './zarr-planes.ts';
import { storeAt } from './zarr-store-at.ts';

/** Images whose levels are remembered. */
const MAX_KNOWN_IMAGES = 1024;

/** What may describe a group and all below it. */
const DOCUMENTS = ['zarr.json', '.zgroup', '.zattrs', '.zmetadata'];

/** A level of an image; 0 is the image itself. */
interface LevelPlace {
  readonly image: ImageItem;
  readonly place: number;
}

/** What one path of the catalog is read from. */
interface Readable {
  readonly layout: ZarrLayout;
  /** Files of the chunks that a region touches. */
  filesOf(region: Region): string[];
  regionBytes(region: Region): number;
  /** @returns how many chunks are not there. */
  readRegion(region: Region, target: Uint8Array): number;
  window(region: Region): ByteWindow | undefined;
  planeGrain(areFiles: boolean): PlaneGrain | undefined;
}

/** The store again. @throws SourceChangedError where it was whole and is no longer; UnreadableSourceError */
function cataloguedStore(path: string, { root }: SourceCatalog): ZarrStore {
  try {
    return storeAt(path, root ?? dirname(path));
  } catch (cause) {
    if (!(cause instanceof BadZarrError)) throw cause;
    throw new SourceChangedError(path, 'it is no longer whole', { cause, advice: 'mount it again' });
  }
}

/** A catalogued store, held open by one thread. */
export class OpenZarr implements OpenSource {
  readonly #path: string;
  readonly #hierarchy: ZarrHierarchy;
  readonly #items = new Map<string, ImageItem | ArrayItem | TableItem>();
  /** The images that levels of lower resolution belong to, and which level each is. */
  readonly #levels = new Map<string, LevelPlace>();
  readonly #images = new Map<string, ZarrImage>();
  readonly #annData: AnnDataGroups;
  readonly #root: StoreRoot | undefined;

  /** @throws UnreadableSourceError; SourceChangedError when it is no longer what was catalogued. */
  constructor(path: string, catalog: SourceCatalog) {
    this.#path = path;
    this.#hierarchy = new ZarrHierarchy(cataloguedStore(path, catalog));
    const { version } = catalog;
    this.#root = version === undefined ? undefined : this.#rootNow();
    if (this.#root?.version !== version) {
      this.#hierarchy[Symbol.dispose]();
      throw this.#changed('what describes it');
    }
    this.#annData = new AnnDataGroups(this.#hierarchy, catalog, (group) => this.#groupVersion(group));
    for (const item of catalog.items) {
      if (this.#annData.has(item.path)) continue;
      if (item.kind === 'image')
        for (const [index, level] of item.levels.entries())
          this.#levels.set(level.path, { image: item, place: index + 1 });
      if (item.kind === 'image' || item.kind === 'array' || item.kind === 'table')
        this.#items.set(item.path, item);
    }
  }

  #rootNow(): StoreRoot {
    try {
      return new StoreRoot(this.#hierarchy.nodes.store);
    } catch (error) {
      this.#hierarchy[Symbol.dispose]();
      throw error;
    }
  }

  #hasChanged(): boolean {
    return this.#root?.isThere() === false;
  }

  /** Does something; where that fails because the store is another now, says so. */
  #watched<T>(act: () => T): T {
    try {
      return act();
    } catch (cause) {
      const isDamage = cause instanceof PlateFsError && cause.tag !== 'source-changed';
      if (isDamage && this.#isAnotherForSure()) throw this.#changed('what describes it', cause);
      throw cause;
    }
  }

  /** What lies on a server is not asked for each read. */
  #groupVersion(group: string): string {
    const { store } = this.#hierarchy.nodes;
    return store instanceof FolderStore ? fileVersion(store.pathOf(group), ANNDATA_DOCUMENTS) : '';
  }

  /** Reads of an AnnData group in the store; undefined where the item is of the store itself. */
  #ofAnnData<T>(path: string, read: (source: AnnDataSource, path: string) => T): T | undefined {
    if (!this.#annData.has(path)) return undefined;
    return this.#watched(() => {
      const group = this.#annData.at(path);
      return group && read(group.source, group.path);
    });
  }

  #isAnotherForSure(): boolean {
    try {
      return this.#hasChanged();
    } catch {
      // What failed first is the better explanation.
      return false;
    }
  }

  readRegion(path: string, region: Region, target: Uint8Array): void {
    if (this.#annData.has(path)) {
      this.#ofAnnData(path, (source, name) => source.readRegion(name, region, target));
      return;
    }
    this.#check(path, region);
    this.#watched(() => {
      const source = this.#readable(path, region.start.length);
      const sizeBytes = source.regionBytes(region);
      if (target.length !== sizeBytes)
        throw new RangeError(`[${region.shape}] of ${path} have ${sizeBytes} bytes, not ${target.length}`);
      const missing = source.readRegion(region, target);
      if (missing > 0) this.#mustBeThere();
    });
  }

  /**
   * Of a folder that was moved away, of a disk that is gone and of a server that has the store no more every chunk is
   * missing: then none of them is fill value.
   */
  #mustBeThere(): void {
    if (this.#hasChanged()) throw this.#changed('what describes it');
  }

  window(path: string, region: Region): ByteWindow | undefined {
    if (this.#annData.has(path)) return this.#ofAnnData(path, (source, name) => source.window(name, region));
    this.#check(path, region);
    // What lies on a server has no file here, and need not be asked.
    if (this.#hierarchy.nodes.store.isRemote) return undefined;
    return this.#watched(() => this.#readable(path, region.start.length).window(region));
  }

  /** Chunks, and what describes them; the file itself of a zip file on a server. Undefined of one that lies here. */
  filesOf(path: string, region?: Region): readonly string[] | undefined {
    const { store } = this.#hierarchy.nodes;
    if (!region || this.#annData.has(path)) return undefined;
    this.#check(path, region);
    if (!(store instanceof FolderStore || store instanceof RemoteStore))
      return store.isRemote ? [store.location] : undefined;
    return this.#watched(() => {
      const { item } = this.#found(path, region.start.length);
      const source = this.#readable(path, region.start.length);
      const groups = new Set(['', item.path]);
      const documents = [...groups].flatMap((group) =>
        DOCUMENTS.map((name) => store.pathOf(joinKey(group, name))),
      );
      return [...documents, source.layout.metadata.path, ...source.filesOf(region)];
    });
  }

  identityNow(file: string): string | undefined {
    return remoteStore(this.#path).identityNow(file);
  }

  planeGrain(path: string, rank: number): PlaneGrain | undefined {
    if (this.#annData.has(path)) return undefined;
    return this.#watched(() =>
      this.#readable(path, rank).planeGrain(this.#hierarchy.nodes.store instanceof FolderStore),
    );
  }

  /** @throws RangeError when the catalog has no such item, or the region isn't inside it. */
  #check(path: string, region: Region): void {
    const { item, level } = this.#found(path, region.start.length);
    const shape = level
      ? level.image.levels[level.place - 1]?.shape
      : item.kind === 'image'
        ? item.image.shape
        : item.shape;
    if (!shape || !isInside(region, shape))
      throw new RangeError(
        `[${region.start}] + [${region.shape}] is not inside [${shape}] of ${path} of ${this.#hierarchy.file}`,
      );
  }

  /** What a path means to a region of so many axes. */
  #found(path: string, rank: number): { item: ImageItem | ArrayItem; level?: LevelPlace } {
    const level = this.#levels.get(path);
    const item = this.#items.get(path);
    if (item?.kind === 'image') return { item };
    if (level && (rank === 5 || !item)) return { item: level.image, level };
    if (item?.kind === 'array') return { item };
    throw new RangeError(`${this.#hierarchy.file} has no image or array ${JSON.stringify(path)}`);
  }

  #readable(path: string, rank: number): Readable {
    const { item, level } = this.#found(path, rank);
    return item.kind === 'image' ? this.#level(item, level?.place ?? 0) : this.#array(item);
  }

  #array({ path, shape, dtype }: ArrayItem): Readable {
    const layout = this.#hierarchy.layout(path);
    this.#mustAgree(path, layout, shape, dtype);
    return {
      layout,
      filesOf: (region) => layout.filesOf(region),
      regionBytes: (region) => layout.regionBytes(region),
      readRegion: (region, target) => layout.readRegion(region, target),
      window: (region) => layout.window(region),
      planeGrain: (areFiles) => layout.planeGrain(areFiles),
    };
  }

  #level(item: ImageItem, place: number): ZarrLevel {
    const level = this.#image(item).levels[place];
    const { shape } = place === 0 ? item.image : (item.levels[place - 1] ?? item.image);
    const isSame = level?.shape.every((extent, axis) => extent === shape[axis]) === true;
    if (!isSame || level.layout.info.dtype !== item.image.dtype) throw this.#changed(item.path);
    return level;
  }

  #image(item: ImageItem): ZarrImage {
    const known = this.#images.get(item.path);
    if (known) return known;
    const { nodes } = this.#hierarchy;
    const ignore = (): void => {
      // The catalog has its warnings.
    };
    const imageIn = (group: string): ZarrImage | undefined => {
      const node = nodes.node(group);
      return node?.kind === 'group'
        ? imageOf(this.#hierarchy, group, node.attributes, item.path, ignore)
        : undefined;
    };
    // The image in the root has the store's name, which no group in it has.
    const image = imageIn(item.path) ?? imageIn('');
    if (!image) throw this.#changed(item.path);
    if (this.#images.size >= MAX_KNOWN_IMAGES) this.#images.clear();
    this.#images.set(item.path, image);
    return image;
  }

  #mustAgree(path: string, layout: ZarrLayout, shape: readonly number[], dtype: string): void {
    const { info } = layout;
    const isSame =
      info.shape.length === shape.length && info.shape.every((extent, axis) => extent === shape[axis]);
    if (!isSame || info.dtype !== dtype) throw this.#changed(path);
  }

  #changed(path: string, cause?: unknown): SourceChangedError {
    return new SourceChangedError(this.#hierarchy.file, `${path} is no longer what it was`, {
      advice: 'mount it again',
      ...(cause === undefined ? {} : { cause }),
    });
  }

  readRows(path: string, firstRow: number, rowCount: number, member?: number): TableRows {
    const rows = this.#ofAnnData(path, (source, name) => source.readRows(name, firstRow, rowCount, member));
    if (rows) return rows;
    const item = this.#items.get(path);
    if (item?.kind !== 'table') throw this.#noTable(path);
    return this.#watched(() => {
      if (this.#hierarchy.metadata(path).shape[0] !== item.rowCount) throw this.#changed(path);
      const texts = this.#hierarchy.readText(path, { start: [firstRow], shape: [rowCount] });
      this.#mustBeThere();
      return { columns: [texts] };
    });
  }

  readEntries(path: string, first: number, count: number): SparseEntries {
    const entries = this.#ofAnnData(path, (source, name) => source.readEntries(name, first, count));
    if (entries) return entries;
    throw this.#noTable(path);
  }

  memberNames(path: string, first: number, count: number): readonly string[] {
    const names = this.#ofAnnData(path, (source, name) => source.memberNames(name, first, count));
    if (names) return names;
    throw this.#noTable(path);
  }

  #noTable(path: string): RangeError {
    return new RangeError(`${this.#hierarchy.file} has no such table ${JSON.stringify(path)}`);
  }

  [Symbol.dispose](): void {
    this.#annData[Symbol.dispose]();
    this.#hierarchy[Symbol.dispose]();
  }
}
