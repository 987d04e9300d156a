/**
 * Rendered files of which a finished render may be kept, in memory or on disk. Whether it is still good is found out
 * by a reader at every open; from then on whoever reads the file reads that.
 */
export class KeptRenders {
  #nodes: ReadonlySet<number> = new Set();
  readonly #paths = new Map<number, string>();

  /** Whether a reader has to be asked before the file is opened. */
  mayHave(node: number): boolean {
    return this.#nodes.has(node);
  }

  /** Where the render lies that was found good at the last open. */
  pathOf(node: number): string | undefined {
    return this.#paths.get(node);
  }

  /** The files of which there may be one, in place of those known before. */
  replace(nodes: readonly number[]): void {
    this.#nodes = new Set(nodes);
    for (const node of this.#paths.keys()) if (!this.#nodes.has(node)) this.#paths.delete(node);
  }

  /** What a reader found: where the render lies, or that there is none that is good. */
  found(node: number, path: string | undefined): void {
    if (path === undefined) this.#paths.delete(node);
    else this.#paths.set(node, path);
  }

  /** Node numbers may stand for other bytes. */
  forget(): void {
    this.#paths.clear();
  }
}
