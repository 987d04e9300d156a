import { mkdirSync, readdirSync, readlinkSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Which file the kernel reads in place of a rendered one, by device and inode. Kept as links in memory, so that a daemon
 * that takes over knows it of files that are open.
 */
export class PassedRenders {
  readonly #folder: string | undefined;
  readonly #identities = new Map<number, string>();

  /** @param folder in memory; without it nothing is known after a restart. */
  constructor(folder: string | undefined) {
    this.#folder = folder;
    if (folder === undefined) return;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    for (const name of readdirSync(folder))
      this.#identities.set(Number(name), readlinkSync(join(folder, name)));
  }

  get(node: number): string | undefined {
    return this.#identities.get(node);
  }

  set(node: number, identity: string): void {
    this.delete(node);
    this.#identities.set(node, identity);
    if (this.#folder !== undefined) symlinkSync(identity, join(this.#folder, String(node)));
  }

  delete(node: number): void {
    if (this.#identities.delete(node) && this.#folder !== undefined)
      rmSync(join(this.#folder, String(node)), { force: true });
  }
}
