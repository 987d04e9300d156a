import { WritePacer } from '../memory/write-pacing.ts';
import type { DataStore } from '../overlay/data-store.ts';
import type { OverlayInode } from '../overlay/inode.ts';
import { DEFERRED, type Deferred } from './file-system.ts';
import { FlushRequests } from './flush-requests.ts';
import type { FrontNotice, Ticket } from './jobs.ts';

/**
 * Answers writes at the pace at which landing and the disk take the bytes away: what is written is in its place at
 * once, and only the answer waits, elsewhere. So the front goes on, and whoever reads is served meanwhile. Has the
 * disk begin with what goes to files on disk, so that the kernel never makes the front wait for it.
 */
export class PacedWrites {
  readonly #store: DataStore;
  readonly #notify: (notice: FrontNotice) => void;
  readonly #pacer = new WritePacer();
  readonly #flushing: FlushRequests;
  /** Files some of whose bytes the disk did not take. */
  readonly #failed = new Set<number>();
  /** Went to disk since the last answer. */
  #diskBytes = 0;

  constructor(store: DataStore, notify: (notice: FrontNotice) => void) {
    this.#store = store;
    this.#notify = notify;
    this.#flushing = new FlushRequests((range) =>
      notify({ kind: 'flush', path: store.files.spillPath(range.inode), ...range }),
    );
    store.onDiskWrite = (number, offsetBytes, sizeBytes) => {
      this.#diskBytes += sizeBytes;
      this.#pacer.spilled(sizeBytes);
      this.#flushing.wrote(number, offsetBytes, sizeBytes);
    };
  }

  /** What was to be flushed is on the disk, or failed to get there. */
  flushed(inode: number, sizeBytes: number, hasFailed: boolean): void {
    this.#pacer.flushed(sizeBytes);
    if (hasFailed) this.#failed.add(inode);
  }

  /** Whether the disk did not take all of a file; said once. */
  takeFailure(inode: number): boolean {
    return this.#failed.delete(inode);
  }

  /** The answer to a WRITE that was carried out: now, or later by whoever hears the notice. */
  answer(
    { uniqueLow, uniqueHigh }: Ticket,
    inode: OverlayInode | undefined,
    offsetBytes: number,
    writtenBytes: number,
  ): number | Deferred {
    const { reservedBytes, budgetBytes } = this.#store;
    const splitAt = inode?.splitAt ?? Number.POSITIVE_INFINITY;
    const memoryBytes = Math.max(0, Math.min(writtenBytes, splitAt - offsetBytes));
    const delayMs = this.#pacer.wait({ memoryBytes, diskBytes: this.#diskBytes }, reservedBytes, budgetBytes);
    this.#diskBytes = 0;
    if (delayMs === 0) return writtenBytes;
    this.#notify({ kind: 'answer-write', uniqueLow, uniqueHigh, writtenBytes, delayMs });
    return DEFERRED;
  }
}
