/**
 * Decoded planes kept for the next read, least recently used out first, never more than the limit in bytes.
 * One reader thread owns one; a plane larger than the limit is not kept.
 */
export class DecodedPlanes {
  readonly #planes = new Map<string, Uint8Array>();
  #limitBytes: number;
  #sizeBytes = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** Bytes kept now. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  get(key: string): Uint8Array | undefined {
    const plane = this.#planes.get(key);
    if (plane === undefined) return undefined;
    this.#planes.delete(key);
    this.#planes.set(key, plane);
    return plane;
  }

  /** Keeps a plane that nobody changes any more. */
  set(key: string, plane: Uint8Array): void {
    this.#drop(key);
    if (plane.byteLength > this.#limitBytes) return;
    this.#planes.set(key, plane);
    this.#sizeBytes += plane.byteLength;
    this.#shrink();
  }

  /** Changes the limit and frees what is above it at once. */
  setLimit(limitBytes: number): void {
    this.#limitBytes = limitBytes;
    this.#shrink();
  }

  clear(): void {
    this.#planes.clear();
    this.#sizeBytes = 0;
  }

  #drop(key: string): void {
    const plane = this.#planes.get(key);
    if (plane === undefined) return;
    this.#planes.delete(key);
    this.#sizeBytes -= plane.byteLength;
  }

  #shrink(): void {
    for (const key of this.#planes.keys()) {
      if (this.#sizeBytes <= this.#limitBytes) return;
      this.#drop(key);
    }
  }
}
