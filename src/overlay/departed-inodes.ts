import type { FileStat } from './data-store.ts';
import type { OverlayInode } from './inode.ts';

const MAX_KEPT = 1024;

interface Departed {
  readonly inode: OverlayInode;
  /** Of a file: what it was when its bytes were freed. */
  readonly stat: FileStat | undefined;
}

/**
 * What inodes were when they were freed, of the last ones. A program can hold one without having it open (as its
 * working directory, or by O_PATH), and may ask what it is.
 */
export class DepartedInodes {
  readonly #kept = new Map<number, Departed>();

  note(inode: OverlayInode, stat: FileStat | undefined): void {
    this.#kept.set(inode.number, { inode, stat });
    if (this.#kept.size <= MAX_KEPT) return;
    const oldest = this.#kept.keys().next().value;
    if (oldest !== undefined) this.#kept.delete(oldest);
  }

  get(number: number): Departed | undefined {
    return this.#kept.get(number);
  }
}
