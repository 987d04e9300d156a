/**
 * Rendered files of which a finished render may be kept, in memory or on disk. Whether it is still good is found out
 * by a reader at every open; from then on whoever reads the file reads that.
 */
export class KeptRenders {
  #nodes: ReadonlySet<number> = new Set();
  readonly #paths = new Map<number, string>();
  /** Files of which the kernel keeps no pages: it reads the render itself. */
  readonly #bare = new Set<number>();

  /** Whether a reader has to be asked before the file is opened. */
  mayHave(node: number): boolean {
    return this.#nodes.has(node);
  }

  /** Where the render lies that was found good at the last open. */
  pathOf(node: number): string | undefined {
    return this.#paths.get(node);
  }

  /**
   * The files of which there may be one, in place of those known before.
   * @returns those of which there was one that may be gone.
   */
  replace(nodes: readonly number[]): number[] {
    this.#nodes = new Set(nodes);
    for (const node of this.#bare) if (!this.#nodes.has(node)) this.#bare.delete(node);
    const gone = [...this.#paths.keys()].filter((node) => !this.#nodes.has(node));
    for (const node of gone) this.#paths.delete(node);
    return gone;
  }

  /** A file was opened. @returns whether the kernel may keep pages of it that nobody will read. */
  opened(node: number, isPassed: boolean): boolean {
    if (!isPassed) this.#bare.delete(node);
    else if (!this.#bare.has(node)) {
      this.#bare.add(node);
      return true;
    }
    return false;
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
