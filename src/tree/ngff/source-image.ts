import type { Downsampling } from '../../core/downsample.ts';
import type { Region } from '../../core/region.ts';
import type { ByteCache } from '../../memory/byte-cache.ts';
import type { ArrayShape, NgffVersion } from '../../model/ngff.ts';
import type { ImageItem, OpenSource } from '../../sources.ts';
import { LayoutReader } from '../layout-reader.ts';
import type { SourceFiles } from '../source-files.ts';
import { ChunkPixels, chunkCacheKey, chunkLayout, chunkSource, type LevelAccess } from './chunk-pixels.ts';
import { documentLayout } from './document-layout.ts';
import { type FolderEntry, ImageFolder } from './image-folder.ts';
import {
  chunkBytes,
  halvedLevels,
  type ImagePlan,
  imageDocument,
  levelDocument,
  tiledChunk,
} from './image-plan.ts';

/** Plans an image of a source: with the levels that the source has, else with levels that are made of its pixels. */
function planOf(
  { image, chunkShape, levels }: ImageItem,
  version: NgffVersion,
  downsampling: Downsampling,
): ImagePlan {
  if (levels.length > 0) {
    const own = [{ shape: image.shape, chunkShape }, ...levels].map((level) => ({
      shape: level.shape,
      chunkShape: tiledChunk(level.shape, level.chunkShape),
    }));
    return { image, version, levels: own };
  }
  const made = halvedLevels(image.shape, (shape: ArrayShape) => tiledChunk(shape, chunkShape));
  return { image, version, levels: made, ...(made.length > 1 ? { downsampling } : {}) };
}

/** What reading a file of the folder needs, on the thread that reads. */
export interface SourceImageAccess {
  readonly source: Pick<OpenSource, 'window' | 'readRegion'>;
  /** As {@link LevelAccess}'s, of a region of an item. */
  readonly version?: (path: string, region: Region) => string;
  readonly cache: ByteCache;
  readonly files: SourceFiles;
  /** Names the image in the cache: changes when the source does. */
  readonly cacheKey: string;
}

const everyPlane = (): boolean => true;

/**
 * `<image>.ome.zarr/`: an image of a source as OME-Zarr. Whatever is in the folder has an ordinal below
 * `entryCount`, 0 for the folder itself, that follows from the image's shape and chunks alone. Pure but for
 * {@link reader}.
 */
export class SourceImageZarr {
  readonly plan: ImagePlan;
  readonly #item: ImageItem;
  readonly #folder: ImageFolder;

  /** `downsampling` is `nearest` for labels, which no mean makes sense of. */
  constructor(item: ImageItem, version: NgffVersion, downsampling: Downsampling = 'mean') {
    this.#item = item;
    this.plan = planOf(item, version, downsampling);
    this.#folder = ImageFolder.of(this.plan);
  }

  get entryCount(): number {
    return this.#folder.entryCount;
  }

  isDirectory(ordinal: number): boolean {
    return this.#folder.isDirectory(ordinal);
  }

  lookup(ordinal: number, name: string): number | undefined {
    return this.#folder.lookup(ordinal, name, () => this.plan.levels.length);
  }

  entryAfter(ordinal: number, cookie: number): FolderEntry | undefined {
    return this.#folder.entryAfter(ordinal, cookie, () => this.plan.levels.length, everyPlane);
  }

  /** Path below the folder; '' for the folder itself. */
  pathOf(ordinal: number): string {
    return this.#folder.pathOf(ordinal);
  }

  /** Size of a file; 0 for a folder, undefined where there is nothing. */
  sizeBytes(ordinal: number): number | undefined {
    const at = this.#folder.placeAt(ordinal);
    if (at?.kind === 'chunk') return chunkBytes(this.plan, at.chunk.level);
    return at && (this.#document(ordinal)?.length ?? 0);
  }

  /** Of which region of which of the source's items a chunk's file is made; undefined for everything else. */
  chunkSource(ordinal: number): { readonly path: string; readonly region: Region } | undefined {
    const at = this.#folder.placeAt(ordinal);
    if (at?.kind !== 'chunk') return undefined;
    const { level, region } = chunkSource(this.plan, at.chunk);
    return { path: this.#pathOf(level), region };
  }

  /** What the source calls one of its levels. */
  #pathOf(level: number): string {
    const { path, levels } = this.#item;
    return level === 0 ? path : (levels[level - 1]?.path ?? path);
  }

  #document(ordinal: number): Uint8Array | undefined {
    const at = this.#folder.placeAt(ordinal);
    if (at?.kind === 'image-document') return imageDocument(this.plan, at.name);
    return at?.kind === 'level-document' ? levelDocument(this.plan, at.level) : undefined;
  }

  /** Reads a file of the folder; undefined where there is none. */
  reader(ordinal: number, access: SourceImageAccess): LayoutReader | undefined {
    const { cache, files, cacheKey } = access;
    const options = { planes: cache, files };
    const document = this.#document(ordinal);
    if (document) return new LayoutReader({ ...options, ...documentLayout(document) });
    const at = this.#folder.placeAt(ordinal);
    if (at?.kind !== 'chunk') return undefined;
    return new LayoutReader({
      ...options,
      layout: chunkLayout(this.plan, at.chunk),
      pixels: new ChunkPixels(this.plan, at.chunk, this.#levels(access), cache, cacheKey),
      cacheKey: chunkCacheKey(cacheKey, at.chunk),
    });
  }

  #levels({ source, version }: SourceImageAccess): LevelAccess {
    return {
      window: (level, region) => source.window(this.#pathOf(level), region),
      ...(version ? { version: (level, region) => version(this.#pathOf(level), region) } : {}),
      readPixels: (level, region, target) => source.readRegion(this.#pathOf(level), region, target),
    };
  }
}
