import { type DecodedKeeper, keptDecodedChanged } from '../core/kept-decoded.ts';

/**
 * The chunks that this thread decoded last, least recently used out first. Planes that share a chunk then cost one
 * decoding; nothing is kept of a chunk that is one plane.
 */
export class DecodedChunks implements DecodedKeeper {
  readonly #limitBytes: number;
  readonly #chunks = new Map<string, Uint8Array>();
  #sizeBytes = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  get usedBytes(): number {
    return this.#sizeBytes;
  }

  get(identity: string): Uint8Array | undefined {
    const chunk = this.#chunks.get(identity);
    if (chunk === undefined) return undefined;
    this.#chunks.delete(identity);
    this.#chunks.set(identity, chunk);
    return chunk;
  }

  has(identity: string): boolean {
    return this.#chunks.has(identity);
  }

  /** Keeps a chunk that nobody changes any more, unless it is larger than all there is room for. */
  set(identity: string, chunk: Uint8Array): void {
    if (chunk.length > this.#limitBytes || this.#chunks.has(identity)) return;
    this.shrinkTo(this.#limitBytes - chunk.length, false);
    this.#chunks.set(identity, chunk);
    this.#sizeBytes += chunk.length;
    keptDecodedChanged(this);
  }

  shrinkTo(keptBytes: number, isNewestKept: boolean): void {
    for (const [oldest, bytes] of this.#chunks) {
      if (this.#sizeBytes <= keptBytes || (isNewestKept && this.#chunks.size === 1)) break;
      this.#chunks.delete(oldest);
      this.#sizeBytes -= bytes.length;
    }
  }
}

const KEPT_BYTES = 32 * 1024 * 1024;

/** Of this thread, by the identity of their stored bytes; indices of shards are among them. */
export const keptChunks = new DecodedChunks(KEPT_BYTES);
