import type { FileCalls } from '../core/file-calls.ts';
import type { RequestNumber } from '../overlay/handle-log.ts';
import type { OverlayInode } from '../overlay/inode.ts';
import { isMapped } from '../overlay/lent-memory.ts';
import type { Overlay } from '../overlay/overlay.ts';
import type { OpenReply } from './file-system.ts';
import type { OpenFiles } from './open-files.ts';

/** How often files are looked at that wait for a map to go. */
const LOOK_EVERY_MS = 100;

/**
 * Files that programs may go on writing after they closed them. A map of a file that the kernel passes through is one of
 * the file in memory: what is written there is never told, and the map stays when the last descriptor is closed. Such a
 * file is whole when the map is gone; before, it must not land, for its memory would be freed under the map.
 */
export class KeptMaps {
  readonly #overlay: Overlay;
  readonly #calls: FileCalls;
  /** Were open for writing while they were passed through: may have been mapped. */
  readonly #suspected = new Set<number>();
  /** Closed, and still mapped. */
  readonly #kept = new Set<number>();
  #lookedAtMs = 0;

  constructor(overlay: Overlay, calls: FileCalls) {
    this.#overlay = overlay;
    this.#calls = calls;
  }

  /** Opens a written file, and notes whether it can be mapped past us. */
  openInode(files: OpenFiles, inode: OverlayInode, writing: boolean, request: RequestNumber): OpenReply {
    const { number } = inode;
    const isPassed = (this.#overlay.handles.countsOf(number)?.backingId ?? 0) !== 0;
    if (writing && isPassed) {
      this.#suspected.add(number);
      // What is written through a map begins a version, and nobody will say so.
      this.#overlay.unseal(inode);
    }
    return files.openInode(inode, writing, request, this.#kept.has(number));
  }

  /** Its last writer closed a file: declares the version whole, unless a map of it is kept. */
  seal(inode: OverlayInode): void {
    const { number } = inode;
    if (this.#suspected.has(number) && isMapped(this.#overlay.store.files, inode, this.#calls)) {
      this.#kept.add(number);
      return;
    }
    this.#suspected.delete(number);
    this.#kept.delete(number);
    this.#overlay.seal(inode);
  }

  /** Seals the files whose maps are gone. */
  idle(): void {
    if (this.#kept.size === 0 || performance.now() < this.#lookedAtMs + LOOK_EVERY_MS) return;
    this.#lookedAtMs = performance.now();
    for (const number of [...this.#kept]) {
      const inode = this.#overlay.inode(number);
      if (inode?.place && !inode.landed) {
        if (!this.#overlay.handles.isWriting(number)) this.seal(inode);
      } else {
        this.#kept.delete(number);
        this.#suspected.delete(number);
      }
    }
  }
}
