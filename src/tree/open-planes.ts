import type { OpenPlane } from '../sources.ts';

/** A few planes kept open for reading in parts, least recently used closed first. Owned by one thread. */
export class OpenPlanes {
  readonly #open = new Map<string, OpenPlane>();
  readonly #most: number;

  constructor(most: number) {
    this.#most = most;
  }

  /**
   * The plane of that name, opened by `open` when it is not. The name must change when the plane's file does.
   * @throws whatever `open` throws.
   */
  get(name: string, open: () => OpenPlane | undefined): OpenPlane | undefined {
    const plane = this.#open.get(name) ?? open();
    if (!plane) return undefined;
    this.#open.delete(name);
    this.#open.set(name, plane);
    for (const [oldest, closing] of this.#open) {
      if (this.#open.size <= this.#most) break;
      this.#open.delete(oldest);
      closing[Symbol.dispose]();
    }
    return plane;
  }

  /** Closes all. */
  clear(): void {
    for (const plane of this.#open.values()) plane[Symbol.dispose]();
    this.#open.clear();
  }
}
