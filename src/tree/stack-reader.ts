import { statSync } from 'node:fs';
import { LRUCache } from 'lru-cache';
import { UnsupportedTiffError } from '../core/errors.ts';
import type { Region } from '../core/region.ts';
import type { ByteWindow, PlaneBytes, PlaneProbe } from '../sources.ts';
import { DecodedPlanes } from './decoded-planes.ts';
import { LayoutReader } from './layout-reader.ts';
import type { PlateTree, StackFile } from './plate-tree.ts';
import { SourceFiles } from './source-files.ts';

const MAX_OPEN_STACKS = 64;
const MAX_PROBED_PLANES = 8192;
const MAX_SOURCE_FILES = 32;

/** How planes are read; a source driver's synchronous side. */
export interface PlaneDriver {
  probeSync(path: string, page?: number): PlaneProbe;
  readPlaneSync(path: string, page: number): PlaneBytes;
}

/** A plane's first look, and the file it was true of. */
interface ProbedPlane {
  readonly probe: PlaneProbe;
  readonly inode: number;
  readonly sizeBytes: number;
  readonly mtimeMs: number;
}

/**
 * Reads any byte range of a file in stacks/. A plane the plate lacks is zeros; one that can't be read, or is
 * of another shape than its stack, fails the read. One per reader thread.
 */
export class StackReader {
  readonly #tree: PlateTree;
  readonly #driver: PlaneDriver;
  readonly #decoded: DecodedPlanes;
  readonly #files = new SourceFiles(MAX_SOURCE_FILES);
  readonly #open = new LRUCache<number, LayoutReader>({ max: MAX_OPEN_STACKS });
  readonly #probes = new LRUCache<number, ProbedPlane>({ max: MAX_PROBED_PLANES });

  constructor(tree: PlateTree, driver: PlaneDriver, cacheBytes: number) {
    this.#tree = tree;
    this.#driver = driver;
    this.#decoded = new DecodedPlanes(cacheBytes);
  }

  /** @returns bytes filled, fewer than `target` only at the end of the file. */
  read(node: number, offsetBytes: number, target: Uint8Array): number {
    let reader = this.#open.get(node);
    if (!reader) {
      reader = this.#readerOf(node);
      this.#open.set(node, reader);
    }
    return reader.read(offsetBytes, target);
  }

  #readerOf(node: number): LayoutReader {
    const stack = this.#tree.stackOf(node);
    if (!stack) throw new Error(`node ${node} is no stack`);
    return new LayoutReader({
      layout: this.#tree.layoutOf(stack),
      cacheKey: String(node),
      planes: this.#decoded,
      files: this.#files,
      pixels: {
        window: (region) => this.#window(stack, region),
        readPixels: (region, target) => this.#readPixels(stack, region, target),
      },
    });
  }

  #planeAt(stack: StackFile, region: Region): number | undefined {
    const [t = 0, c = 0, z = 0] = region.start;
    return this.#tree.planeInStack(stack, t, c, z);
  }

  /** The plane's first look, checked against what its stack promises. */
  #probeOf(stack: StackFile, plane: number): PlaneProbe {
    const path = this.#tree.planePath(plane);
    // A plane that was written anew may have its pixels elsewhere: what was seen counts for the file that was seen.
    const { ino: inode, size: sizeBytes, mtimeMs } = statSync(path);
    const known = this.#probes.get(plane);
    if (known && known.inode === inode && known.sizeBytes === sizeBytes && known.mtimeMs === mtimeMs) {
      return known.probe;
    }
    if (known) {
      this.#files.forget(path);
      this.#decoded.clear();
    }
    const probe = this.#driver.probeSync(path);
    const { width, height, dtype } = this.#tree.planeShape(stack);
    if (
      probe.samples !== 1 ||
      probe.width !== width ||
      probe.height !== height ||
      probe.info.dtype !== dtype
    ) {
      const is = `${probe.width}×${probe.height} ${probe.info.dtype}${probe.samples === 1 ? '' : `, ${probe.samples} samples`}`;
      throw new UnsupportedTiffError(path, `is ${is} in a stack of ${width}×${height} ${dtype}`, {
        advice: 'read this plane under images/',
      });
    }
    this.#probes.set(plane, { probe, inode, sizeBytes, mtimeMs });
    return probe;
  }

  #window(stack: StackFile, region: Region): ByteWindow | undefined {
    const plane = this.#planeAt(stack, region);
    return plane === undefined ? undefined : this.#probeOf(stack, plane).window;
  }

  #readPixels(stack: StackFile, region: Region, target: Uint8Array): void {
    const plane = this.#planeAt(stack, region);
    if (plane === undefined) {
      target.fill(0);
      return;
    }
    this.#probeOf(stack, plane);
    const { bytes } = this.#driver.readPlaneSync(this.#tree.planePath(plane), 0);
    target.set(bytes);
  }
}
