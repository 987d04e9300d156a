import { join } from 'node:path';
import { LRUCache } from 'lru-cache';
import { StateCorruptError } from '../core/errors.ts';
import type { ByteCache } from '../memory/byte-cache.ts';
import { type LoadedSidecar, loadSidecar, readExactly, reassemble } from './landed-image.ts';
import { LandedPlanes } from './landed-plane.ts';
import { type ImageLanding, type Landing, STORE_NAME } from './landing.ts';

/** Sidecars are small; this many stay parsed. */
const MAX_SIDECARS = 256;

/**
 * Serves the bytes of landed files exactly as they were written. Synchronous: meant for a thread that answers
 * reads. One instance per thread.
 */
export class LandedReader {
  private readonly outputDir: string;
  private readonly sidecars = new LRUCache<string, LoadedSidecar>({ max: MAX_SIDECARS });
  private readonly decoded: ByteCache;
  private readonly planes: LandedPlanes;
  private readonly keyPrefix: string;

  /**
   * @param decoded - Keeps decoded planes for the next read; their keys begin with `landed/`.
   * @param scope - Follows in those keys, where several output folders share what is kept.
   */
  constructor(outputDir: string, decoded: ByteCache, scope = '') {
    this.keyPrefix = `landed/${scope}`;
    this.outputDir = outputDir;
    this.decoded = decoded;
    this.planes = new LandedPlanes(join(outputDir, STORE_NAME));
  }

  /**
   * Reads up to `sizeBytes` bytes from `offsetBytes` on into `target` and returns how many there were: fewer only at
   * the end of the file.
   * @throws StateCorruptError, BadZarrError or the system's error, naming the file that is missing or changed.
   */
  readSync(landing: Landing, offsetBytes: number, sizeBytes: number, target: Uint8Array): number {
    const count = Math.max(0, Math.min(sizeBytes, target.length, landing.sizeBytes - offsetBytes));
    if (count === 0) return 0;
    const into = target.subarray(0, count);
    if (landing.kind === 'plain') readExactly(join(this.outputDir, landing.path), offsetBytes, into);
    else if (landing.verbatim !== undefined)
      readExactly(join(this.outputDir, landing.verbatim), offsetBytes, into);
    else this.readImage(landing, offsetBytes, into);
    return count;
  }

  private readImage(landing: ImageLanding, offsetBytes: number, target: Uint8Array): void {
    const loaded = this.sidecar(landing);
    reassemble(loaded, offsetBytes, target, (index) => this.plane(landing, loaded, index));
  }

  private sidecar(landing: ImageLanding): LoadedSidecar {
    const cached = this.sidecars.get(landing.id);
    if (cached && cached.path === join(this.outputDir, landing.sidecar)) return cached;
    const loaded = loadSidecar(join(this.outputDir, landing.sidecar));
    if (loaded.sidecar.id !== landing.id)
      throw new StateCorruptError(loaded.path, `holds ${loaded.sidecar.mountPath}, not ${landing.mountPath}`);
    this.sidecars.set(landing.id, loaded);
    return loaded;
  }

  private plane(landing: ImageLanding, loaded: LoadedSidecar, index: number): Uint8Array {
    const key = `${this.keyPrefix}${landing.id}/${index}`;
    let bytes = this.decoded.get(key);
    if (!bytes) {
      bytes = this.decoded.take(loaded.sidecar.planeBytes);
      this.planes.read(loaded.sidecar, index, bytes);
      this.decoded.set(key, bytes);
    }
    return bytes;
  }
}
