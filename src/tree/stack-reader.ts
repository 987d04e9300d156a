import { statSync } from 'node:fs';
import { LRUCache } from 'lru-cache';
import type { PourableBytes } from '../core/byte-pipe.ts';
import { FsRefusal, SourceChangedError, UnsupportedTiffError } from '../core/errors.ts';
import { fileIdentity } from '../core/file-identity.ts';
import { elementCount, itemSizeBytes } from '../core/nd-array.ts';
import type { Region } from '../core/region.ts';
import { lookedAtSource } from '../core/source-look.ts';
import type { ByteCache } from '../memory/byte-cache.ts';
import type { ByteWindow, OpenPlane, PlaneBytes, PlaneProbe } from '../sources.ts';
import { layoutCache } from './known-layouts.ts';
import { LayoutReader } from './layout-reader.ts';
import { ChunkPixels, chunkCacheKey, type LevelAccess } from './ngff/chunk-pixels.ts';
import { documentLayout } from './ngff/document-layout.ts';
import { OpenPlanes } from './open-planes.ts';
import { isWholeFile, type PlaneLocation } from './plane-access.ts';
import type { PartialPlane } from './plane-blocks.ts';
import { PlaneVersions } from './plane-versions.ts';
import type { PlateTree } from './plate-tree.ts';
import { renderKey } from './render-key.ts';
import { RenderKeys } from './render-keys.ts';
import type { RenderedImage } from './rendered-image.ts';
import { SourceFiles } from './source-files.ts';

const MAX_PROBED_PLANES = 8192;
const MAX_SOURCE_FILES = 32;
const MAX_OPEN_PLANES = 8;

/** How planes are read: the synchronous side of whichever source driver knows the file. */
export interface PlaneDriver {
  probe(location: PlaneLocation): PlaneProbe;
  read(location: PlaneLocation): PlaneBytes;
  /** The files that hold the plane's pixels. */
  files(location: PlaneLocation): readonly string[];
  /** The plane to be read in parts; undefined where its driver can only decode it whole. */
  open(location: PlaneLocation): OpenPlane | undefined;
}

/** A plane's first look, and the file it was true of. */
interface ProbedPlane {
  readonly probe: PlaneProbe;
  /** Tells the file from any other that is or was at its path. */
  readonly version: string;
}

/**
 * Reads any byte range of a file that is put together when it is read: a stack, a plane cut out of a container, a
 * table. A
 * plane the plate lacks is zeros; one that can't be read, or is of another shape than its file promises, fails the
 * read. One per reader thread.
 */
export class StackReader {
  readonly #base: number;
  readonly #tree: PlateTree;
  readonly #driver: PlaneDriver;
  readonly #decoded: ByteCache;
  readonly #onChanged: (node: number) => void;
  readonly #files = new SourceFiles(MAX_SOURCE_FILES);
  readonly #open = layoutCache<LayoutReader>(({ layout }) => layout);
  readonly #planes = new OpenPlanes(MAX_OPEN_PLANES);
  readonly #keys = new RenderKeys();
  readonly #probes = new LRUCache<number, ProbedPlane>({ max: MAX_PROBED_PLANES });
  readonly #versions: PlaneVersions;

  /**
   * @param base where the plate's node numbers begin in the mount.
   * @param onChanged is told of a file of whose planes one was rewritten since it was last read.
   */
  constructor(
    tree: PlateTree,
    driver: PlaneDriver,
    decoded: ByteCache,
    base = 0,
    onChanged: (node: number) => void = () => {},
  ) {
    this.#base = base;
    this.#onChanged = onChanged;
    this.#tree = tree;
    this.#driver = driver;
    this.#versions = new PlaneVersions((location) => driver.files(location));
    this.#decoded = decoded;
  }

  /** @returns bytes filled, fewer than `target` only at the end of the file. */
  read(node: number, offsetBytes: number, target: Uint8Array): number {
    if (this.#tree.tables.owns(node)) return this.#readTable(node, offsetBytes, target);
    return this.#reader(node).read(offsetBytes, target);
  }

  /** As {@link LayoutReader.isExactAt}; of tables, too, which are made of nothing but the index. */
  isExactAt(node: number, offsetBytes: number): boolean {
    return this.#tree.tables.owns(node) || this.#reader(node).isExactAt(offsetBytes);
  }

  /**
   * Decodes a range into the cache, step by step: as far as the cache holds it along with what it is needed for, and
   * nothing before `passedBytes` of the file.
   * @throws whatever the source throws.
   */
  *decodeAhead(
    node: number,
    offsetBytes: number,
    sizeBytes: number,
    passedBytes: () => number,
  ): Generator<void> {
    if (this.#tree.tables.owns(node) || sizeBytes > this.#decoded.boundBytes / 2) return;
    yield* this.#reader(node).decodeAhead(offsetBytes, sizeBytes, passedBytes);
  }

  /** The same range for a pipe, where all of it lies verbatim in files; else undefined: then it has to be read. */
  pourable(node: number, offsetBytes: number, sizeBytes: number): PourableBytes | undefined {
    return this.#tree.tables.owns(node) ? undefined : this.#reader(node).pourable(offsetBytes, sizeBytes);
  }

  #reader(node: number): LayoutReader {
    let reader = this.#open.get(node);
    if (!reader) {
      reader = this.#readerOf(node);
      this.#open.set(node, reader);
    }
    return reader;
  }

  #readTable(node: number, offsetBytes: number, target: Uint8Array): number {
    const file = this.#tree.tables.fileOf(node);
    if (!file) throw new FsRefusal('stale', 'the plate grew, and has other tables now');
    return file.read(offsetBytes, target);
  }

  /**
   * A name for all of a file's bytes as its sources are now; undefined for a table, which costs nothing to keep.
   * @throws the system's error when a source can't be asked.
   */
  keyOf(node: number): string | undefined {
    if (this.#tree.tables.owns(node)) return undefined;
    return this.#keys.of(node, (identify) => {
      const image = this.#tree.renderedImage(node);
      return (
        image &&
        renderKey(
          image,
          (plane) => this.#tree.planeLocation(plane),
          (location) => this.#driver.files(location),
          identify,
        )
      );
    });
  }

  /** Planes may lie elsewhere, and nodes stand for more of them. */
  treeChanged(): void {
    this.#open.clear();
    this.#probes.clear();
    this.#versions.clear();
    this.#keys.clear();
    this.#decoded.clear();
    this.#files.clear();
    this.#planes.clear();
  }

  #readerOf(node: number): LayoutReader {
    const document = this.#tree.omeZarr.owns(node) ? this.#tree.omeZarr.documentOf(node) : undefined;

    const files = { planes: this.#decoded, files: this.#files };
    if (document) return new LayoutReader({ ...files, ...documentLayout(document) });
    const image = this.#tree.renderedImage(node);
    if (!image) throw new FsRefusal('stale', 'the file is no longer there');
    const { chunk } = image;
    const options = { ...files, layout: image.layout };
    if (chunk) {
      const source: LevelAccess = {
        window: (_level, region) => this.#window(node, image, region),
        parts: (_level, region) => this.#parts(node, image, region),
        version: (_level, region) => this.#version(node, image, region),
        readPixels: (_level, region, target) => this.#readPixels(image, region, target),
      };
      const name = `${this.#base}:${chunk.image}`;
      const pixels = new ChunkPixels(chunk.plan, chunk.place, source, this.#decoded, name);
      return new LayoutReader({ ...options, pixels, cacheKey: chunkCacheKey(name, chunk.place) });
    }
    return new LayoutReader({
      ...options,
      cacheKey: String(this.#base + node),
      pixels: {
        window: (region) => this.#window(node, image, region),
        parts: (region) => this.#parts(node, image, region),
        planeHeight: image.shape.height,
        version: (region) => this.#version(node, image, region),
        readPixels: (region, target) => this.#readPixels(image, region, target),
      },
    });
  }

  /** The plane's first look, checked against what its file promises. */
  #probeOf(node: number, image: RenderedImage, plane: number): ProbedPlane {
    const location = this.#tree.planeLocation(plane);
    const { path } = location;
    // A plane that was written anew may have its pixels elsewhere: what was seen counts for the file that was seen.
    const found = statSync(path, { bigint: true });
    const version = fileIdentity(found);
    const known = this.#probes.get(plane);
    if (known && known.version !== version) {
      this.#probes.delete(plane);
      this.#files.forget(path);
      this.#onChanged(node);
    }
    lookedAtSource(path, found, !isWholeFile(this.#tree.shared.index, plane));
    if (known?.version === version) return known;
    const probe = this.#driver.probe(location);
    const { width, height, dtype } = image.shape;
    if (
      probe.samples !== 1 ||
      probe.width !== width ||
      probe.height !== height ||
      probe.info.dtype !== dtype
    ) {
      const is = `${probe.width}×${probe.height} ${probe.info.dtype}${probe.samples === 1 ? '' : `, ${probe.samples} samples`}`;
      throw new UnsupportedTiffError(
        path,
        `image ${location.page + 1} is ${is}, not ${width}×${height} ${dtype}`,
        {
          advice: 'read the file under source/',
        },
      );
    }
    const probed = { probe, version };
    this.#probes.set(plane, probed);
    return probed;
  }

  #window(node: number, image: RenderedImage, region: Region): ByteWindow | undefined {
    const plane = image.planeAt(region);
    return plane === undefined ? undefined : this.#probeOf(node, image, plane).probe.window;
  }

  /** Tells a plane's pixels from those that stood in its files before. */
  #versionOf(node: number, image: RenderedImage, plane: number): string {
    const { version } = this.#probeOf(node, image, plane);
    return this.#versions.of(plane, this.#tree.planeLocation(plane), version);
  }

  #version(node: number, image: RenderedImage, region: Region): string {
    const plane = image.planeAt(region);
    return plane === undefined ? '' : this.#versionOf(node, image, plane);
  }

  #parts(node: number, image: RenderedImage, region: Region): PartialPlane | 'zeros' | undefined {
    const plane = image.planeAt(region);
    if (plane === undefined) {
      if (this.#tree.shared.options.missing !== 'error') return 'zeros';
      throw noPlaneAt(region);
    }
    const version = this.#versionOf(node, image, plane);
    const location = this.#tree.planeLocation(plane);
    const key = `${location.path}\0${location.page}\0${version}`;
    const { width, height, dtype } = image.shape;
    const open = this.#planes.get(key, () => {
      const found = this.#driver.open(location);
      // Another file may have taken the name since it was looked at.
      if (found && (elementCount(found.info.shape) !== width * height || found.info.dtype !== dtype)) {
        found[Symbol.dispose]();
        throw new SourceChangedError(location.path, 'it was replaced while it was read');
      }
      return found;
    });
    if (!open) return undefined;
    return {
      key,
      height,
      width,
      itemBytes: itemSizeBytes(dtype),
      ...(open.block === undefined ? {} : { block: open.block }),
      isExact: open.isExact === true,
      readBox: (box, into) => open.readBox(box, into),
    };
  }

  /** Of planes whose driver decodes them whole only, and of those that are shown as another type. */
  #readPixels(image: RenderedImage, region: Region, target: Uint8Array): void {
    const plane = image.planeAt(region);
    if (plane === undefined) {
      if (this.#tree.shared.options.missing === 'error') throw noPlaneAt(region);
      target.fill(0);
      return;
    }
    const { bytes } = this.#driver.read(this.#tree.planeLocation(plane));
    target.set(bytes);
  }
}

function noPlaneAt({ start: [t = 0, c = 0, z = 0] }: Region): FsRefusal {
  return new FsRefusal('io', `the plate has no plane there (t ${t}, c ${c}, z ${z}, counted from 0)`);
}
