import { LRUCache } from 'lru-cache';
import type { PourableBytes } from '../../core/byte-pipe.ts';
import { FsRefusal } from '../../core/errors.ts';
import { itemSizeBytes } from '../../core/nd-array.ts';
import type { Region } from '../../core/region.ts';
import type { ByteCache } from '../../memory/byte-cache.ts';
import { AS_IT_IS, type IndexedSource, isMeasured, measuredBytes } from '../../model/indexed-source.ts';
import { isUrl } from '../../model/source-url.ts';
import type { OpenSource, SourceItem } from '../../sources.ts';
import { LayoutReader } from '../layout-reader.ts';
import type { PartialPlane } from '../plane-blocks.ts';
import { identityOf } from '../render-key.ts';
import { RenderKeys } from '../render-keys.ts';
import { SourceFiles } from '../source-files.ts';
import { BlockReader } from './block-reader.ts';
import type { CatalogEncoders } from './catalog-encoders.ts';
import { inWhole, itemOfShown } from './image-part.ts';
import { itemLayout } from './item-layout.ts';
import type { OpenSources } from './open-sources.ts';
import { RemoteIdentities } from './remote-identities.ts';
import { sourceGrain } from './source-grain.ts';
import { regionVersion, sourceRenderKey } from './source-key.ts';
import { type ItemNode, isKeepable } from './source-node.ts';
import type { SourceTree } from './source-tree.ts';
import { sparseFile, tableFile } from './table-blocks.ts';

const MAX_READERS = 256;
const MAX_SOURCE_FILES = 32;

/** Reads ranges of one file. */
interface FileReader {
  read(offsetBytes: number, target: Uint8Array): number;
  pourable(offsetBytes: number, sizeBytes: number): PourableBytes | undefined;
  /** As {@link LayoutReader.isExactAt}; absent where it never is. */
  isExactAt?(offsetBytes: number): boolean;
  /** Absent where nothing is decoded. */
  decodeAhead?(offsetBytes: number, sizeBytes: number, passedBytes: () => number): Generator<void>;
}

/** Reads any byte range of a file that a source is shown as. One per reader thread. */
export class SourceReader {
  readonly #tree: SourceTree;
  readonly #encoders: CatalogEncoders;
  readonly #sources: OpenSources;
  readonly #decoded: ByteCache;
  readonly #base: number;
  readonly #files = new SourceFiles(MAX_SOURCE_FILES);
  readonly #keys = new RenderKeys();
  readonly #remote = new RemoteIdentities();
  readonly #readers = new LRUCache<number, FileReader>({ max: MAX_READERS });

  /**
   * @param base where the tree's nodes begin among those of the mount: `decoded` holds what was read of all its parts,
   * each of which counts from 0.
   */
  constructor(
    tree: SourceTree,
    encoders: CatalogEncoders,
    sources: OpenSources,
    decoded: ByteCache,
    base: number,
  ) {
    this.#tree = tree;
    this.#encoders = encoders;
    this.#sources = sources;
    this.#decoded = decoded;
    this.#base = base;
  }

  /** @returns bytes filled, fewer than `target` only at the end of the file. @throws FsRefusal, stale, when it is gone. */
  read(node: number, offsetBytes: number, target: Uint8Array): number {
    return this.#reader(node).read(offsetBytes, target);
  }

  pourable(node: number, offsetBytes: number, sizeBytes: number): PourableBytes | undefined {
    return this.#reader(node).pourable(offsetBytes, sizeBytes);
  }

  /** As {@link LayoutReader.isExactAt}. */
  isExactAt(node: number, offsetBytes: number): boolean {
    return this.#reader(node).isExactAt?.(offsetBytes) === true;
  }

  /** Decodes what a range is made of into the cache, step by step, but for what lies before `passedBytes` by then. */
  *decodeAhead(
    node: number,
    offsetBytes: number,
    sizeBytes: number,
    passedBytes: () => number,
  ): Generator<void> {
    const reader = this.#reader(node);
    if (reader.decodeAhead) yield* reader.decodeAhead(offsetBytes, sizeBytes, passedBytes);
  }

  /**
   * A name for all of a file's bytes as its source is now; undefined for text, which costs nothing to keep, and where
   * nobody can tell whether the source changes.
   * @throws what opening the source throws; the system's error when its files can't be asked.
   */
  keyOf(node: number): string | undefined {
    const item = this.#tree.itemAt(node);
    if (!item || !isKeepable(item)) return undefined;
    const { source } = item;
    const use = <T>(work: (open: OpenSource) => T): T => this.#sources.use(source, work);
    const ask = (path: string): string =>
      isUrl(source.path)
        ? this.#remote.of(path, () => use((open) => open.identityNow?.(path)))
        : identityOf(path);
    return this.#keys.of(node, (identify) => sourceRenderKey(item, this.#encoders, use, identify), ask);
  }

  /** Nodes stand for the same files as before, but sources may be others. */
  treeChanged(): void {
    this.#keys.clear();
    this.#remote.clear();
    this.#readers.clear();
    this.#files.clear();
  }

  #reader(node: number): FileReader {
    let reader = this.#readers.get(node);
    if (!reader) {
      const item = this.#tree.itemAt(node);
      if (!item) throw new FsRefusal('stale', 'its source changed since it was opened');
      reader = this.#readerOf(item);
      this.#readers.set(node, reader);
    }
    return reader;
  }

  #readerOf(node: ItemNode): FileReader {
    const { source, file } = node;
    const item = source.catalog.items[file.item];
    if (!item) throw new FsRefusal('stale', 'its source changed since it was opened');
    if (node.inZarr) return this.#zarrReader(node, node.inZarr);
    if (item.kind === 'text' || file.encoder === AS_IT_IS) return textReader(item);
    if (item.kind === 'image' || item.kind === 'array') return this.#pixelReader(node, item);
    return this.#blockReader(node, item);
  }

  /** Of what is decoded for a file. Another version of the source has other nodes, another mount another process. */
  #cacheKey(node: number): string {
    return `source\0${this.#base + node}`;
  }

  #pixelReader(node: ItemNode, item: Extract<SourceItem, { kind: 'image' | 'array' }>): LayoutReader {
    const { source, file } = node;
    const layout = itemLayout(node, this.#encoders);
    if (!layout) throw new Error(`there is no encoder ${file.encoder}`);
    const shown = item.kind === 'image' ? itemOfShown(item, file) : item;
    const cacheKey = this.#cacheKey(node.node);
    return new LayoutReader({
      layout,
      cacheKey,
      planes: this.#decoded,
      files: this.#files,
      pixels: {
        window: (region) =>
          this.#sources.use(source, (open) => open.window(shown.path, inWhole(region, file))),
        version: (region) => this.#versionOf(source, shown.path, inWhole(region, file)),
        parts: (region) => this.#parts(source, shown, inWhole(region, file), cacheKey),
        readPixels: (region, target) =>
          this.#sources.use(source, (open) => open.readRegion(shown.path, inWhole(region, file), target)),
      },
    });
  }

  /** How a region of one plane, or of rows of one, is read in parts. */
  #parts(
    source: IndexedSource,
    item: Extract<SourceItem, { kind: 'image' | 'array' }>,
    region: Region,
    cacheKey: string,
  ): PartialPlane | undefined {
    const grain = this.#sources.use(source, (open) => sourceGrain(open, item, region));
    if (grain === undefined) return undefined;
    const [height = 1, width = 1] = region.shape.slice(-2);
    const rank = region.start.length;
    return {
      key: `${cacheKey}\0${region.start.join()}\0${grain === 'rows' ? '' : this.#versionOf(source, item.path, region)}`,
      height,
      width,
      itemBytes: itemSizeBytes(item.kind === 'image' ? item.image.dtype : item.dtype),
      ...(grain === 'rows' ? { isExact: true } : { block: grain }),
      readBox: (box, into) => {
        const start = [...region.start];
        start[rank - 2] = (start[rank - 2] ?? 0) + box.y;
        start[rank - 1] = (start[rank - 1] ?? 0) + box.x;
        const shape = [...region.shape.slice(0, -2), box.height, box.width];
        this.#sources.use(source, (open) => open.readRegion(item.path, { start, shape }, into));
      },
    };
  }

  #zarrReader(node: ItemNode, { zarr, ordinal }: NonNullable<ItemNode['inZarr']>): FileReader {
    const { source } = node;
    const reader = zarr.reader(ordinal, {
      source: {
        window: (path, region) => this.#sources.use(source, (open) => open.window(path, region)),
        readRegion: (path, region, target) =>
          this.#sources.use(source, (open) => open.readRegion(path, region, target)),
      },
      cache: this.#decoded,
      files: this.#files,
      version: (path, region) => this.#versionOf(source, path, region),
      cacheKey: this.#cacheKey(node.node - ordinal),
    });
    if (!reader) throw new FsRefusal('stale', 'the file is no longer there');
    return reader;
  }

  #versionOf(source: IndexedSource, path: string, region: Region): string {
    return regionVersion(source, path, region, (work) => this.#sources.use(source, work));
  }

  #blockReader(
    node: ItemNode,
    item: Extract<SourceItem, { kind: 'table' | 'sparse' | 'family' }>,
  ): FileReader {
    const { source, file, member } = node;
    if (!isMeasured(file)) throw new FsRefusal('stale', 'it is not measured yet');
    const blocks = this.#blocksOf(node, item, member);
    const reader = new BlockReader(blocks, source.path, this.#cacheKey(node.node), this.#decoded);
    if (blocks.sizeBytes !== measuredBytes(file))
      throw new FsRefusal('stale', 'its source changed since it was opened');
    return {
      read: (offsetBytes, target) =>
        this.#sources.use(source, (open) => reader.read(offsetBytes, target, open)),
      pourable: () => undefined,
    };
  }

  #blocksOf(
    { file }: ItemNode,
    item: Extract<SourceItem, { kind: 'table' | 'sparse' | 'family' }>,
    member: number | undefined,
  ) {
    const { tables, sparse } = this.#encoders;
    if (item.kind === 'sparse') {
      const encoder = sparse.get(file.encoder);
      if (encoder) return sparseFile(item, encoder);
    } else {
      const encoder = tables.get(file.encoder);
      if (encoder) return tableFile(item, encoder, file.rowOffsets, member);
    }
    throw new Error(`there is no encoder ${file.encoder}`);
  }
}

function textReader(item: SourceItem): FileReader {
  const bytes = new TextEncoder().encode(item.kind === 'text' ? item.text : '');
  return {
    read: (offsetBytes, target) => {
      const part = bytes.subarray(offsetBytes, offsetBytes + target.length);
      target.set(part);
      return part.length;
    },
    pourable: () => undefined,
  };
}
