import { join } from 'node:path';
import { LRUCache } from 'lru-cache';
import { StateCorruptError } from '../core/errors.ts';
import { type LoadedSidecar, loadChunk, loadSidecar, readExactly, reassemble } from './landed-image.ts';
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
  private readonly chunks: LRUCache<string, Buffer>;
  private last: { key: string; bytes: Buffer } | undefined;

  /** `cacheBytes` bounds the decoded chunks that are kept; the last one is kept whatever its size. */
  constructor(outputDir: string, cacheBytes: number) {
    this.outputDir = outputDir;
    this.chunks = new LRUCache({
      maxSize: Math.max(1, cacheBytes),
      sizeCalculation: (chunk) => Math.max(1, chunk.length),
    });
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

  /** Forgets what is cached of a landing, after it was removed or relocated. */
  forget(landing: Landing): void {
    this.sidecars.delete(landing.id);
    this.last = undefined;
  }

  /** Bytes of decoded chunks held now. */
  get cachedBytes(): number {
    return this.chunks.calculatedSize;
  }

  /** Frees every decoded chunk. */
  clear(): void {
    this.chunks.clear();
    this.last = undefined;
  }

  private readImage(landing: ImageLanding, offsetBytes: number, target: Uint8Array): void {
    const loaded = this.sidecar(landing);
    reassemble(loaded, offsetBytes, target, (index) => this.chunk(landing, loaded, index));
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

  private chunk(landing: ImageLanding, loaded: LoadedSidecar, index: number): Buffer {
    const key = `${landing.id}/${index}`;
    if (this.last?.key === key) return this.last.bytes;
    let bytes = this.chunks.get(key);
    if (!bytes) {
      const chunkKey = loaded.sidecar.chunks[index]?.[0] ?? '';
      bytes = loadChunk(loaded, index, join(this.outputDir, STORE_NAME, loaded.sidecar.array, chunkKey));
      this.chunks.set(key, bytes);
    }
    this.last = { key, bytes };
    return bytes;
  }
}
