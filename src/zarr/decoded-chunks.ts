import { type DecodedKeeper, keptDecodedChanged, MAX_IN_TURN_BYTES } from '../core/kept-decoded.ts';

/**
 * The chunks that this thread decoded last, least recently used out first. Planes that share a chunk then cost one
 * decoding; nothing is kept of a chunk that is one plane. The newest is kept whatever its size: it is read in parts, and
 * each part would decode all of it again.
 */
export class DecodedChunks implements DecodedKeeper {
  readonly #limitBytes: number;
  #inTurnBytes = 0;
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

  /** Chunks of so many bytes are read in turn from now on, a part of each: all of them are kept. */
  readInTurn(sizeBytes: number): void {
    this.#inTurnBytes = Math.min(sizeBytes, MAX_IN_TURN_BYTES);
  }

  /** Keeps a chunk that nobody changes any more. */
  set(identity: string, chunk: Uint8Array): void {
    if (this.#chunks.has(identity)) return;
    const limitBytes = Math.max(this.#limitBytes, this.#inTurnBytes);
    this.shrinkTo(Math.max(0, limitBytes - chunk.length), false);
    this.#chunks.set(identity, chunk);
    this.#sizeBytes += chunk.length;
    keptDecodedChanged(this);
  }

  shrinkTo(keptBytes: number, isNewestKept: boolean): void {
    const leastBytes = isNewestKept ? Math.max(keptBytes, this.#inTurnBytes) : keptBytes;
    for (const [oldest, bytes] of this.#chunks) {
      if (this.#sizeBytes <= leastBytes || (isNewestKept && this.#chunks.size === 1)) break;
      this.#chunks.delete(oldest);
      this.#sizeBytes -= bytes.length;
    }
  }
}

const KEPT_BYTES = 32 * 1024 * 1024;

/** Of this thread, by the identity of their stored bytes; indices of shards are among them. */
export const keptChunks = new DecodedChunks(KEPT_BYTES);
