import { close as closeFile, open as openFile } from 'node:fs';
import { promisify } from 'node:util';
import { encodeWritten } from '../fuse/reply.ts';
import { replyTo } from '../fuse/reply-writer.ts';
import type { FrontNotice } from '../vfs/jobs.ts';
import type { FrontLink } from './front-link.ts';

type Flush = Extract<FrontNotice, { readonly kind: 'flush' }>;
type LateAnswer = Extract<FrontNotice, { readonly kind: 'answer-write' }>;

/** `sync_file_range(2)`: WAIT_BEFORE, WRITE, WAIT_AFTER; the kernel's journal is left alone. */
const WRITE_AND_WAIT = 7;
const WRITTEN_BODY_BYTES = 8;
const open = promisify(openFile);
const close = promisify(closeFile);

type SyncRange = (fd: number, offsetBytes: number, sizeBytes: number) => Promise<number>;

async function loadSyncRange(): Promise<SyncRange> {
  const { default: koffi } = await import('koffi');
  const call = koffi.load(null).func('int sync_file_range(int, int64_t, int64_t, uint)');
  return (fd, offsetBytes, sizeBytes) =>
    new Promise((resolve, reject) =>
      call.async(fd, offsetBytes, sizeBytes, WRITE_AND_WAIT, (error: unknown, result: number) =>
        error ? reject(error) : resolve(result),
      ),
    );
}

/**
 * Has the disk take what was written to files on disk, one stretch after the other, on a thread of the pool. So
 * little of it waits in the page cache, and the kernel never makes the front wait for the disk.
 */
class SpillFlushing {
  #turn: Promise<unknown> = Promise.resolve();
  #syncRange: SyncRange | undefined;

  /** @returns whether the disk refused some of it. Never rejects. */
  flush(range: Flush): Promise<boolean> {
    const done = this.#turn.then(() => this.#flush(range));
    this.#turn = done;
    return done;
  }

  async #flush({ path, offsetBytes, spanBytes }: Flush): Promise<boolean> {
    let fd: number | undefined;
    try {
      fd = await open(path, 'r');
      this.#syncRange ??= await loadSyncRange();
      return (await this.#syncRange(fd, offsetBytes, spanBytes)) !== 0;
    } catch {
      // It landed or was deleted meanwhile; or this C library has no such call: the kernel then writes when it likes.
      return false;
    } finally {
      if (fd !== undefined) await close(fd);
    }
  }
}

/** What the front has done elsewhere so that it need not wait: flushes, and answers to writes that come later. */
export class WritePace {
  readonly #fuseFd: number;
  readonly #flushing = new SpillFlushing();

  constructor(fuseFd: number) {
    this.#fuseFd = fuseFd;
  }

  hear(notice: Flush | LateAnswer, front: FrontLink | undefined): void {
    if (notice.kind === 'answer-write') this.#answerLater(notice);
    else
      void this.#flushing.flush(notice).then((hasFailed) => {
        const { inode, sizeBytes } = notice;
        front?.tell({ type: 'flushed', inode, sizeBytes, hasFailed });
      });
  }

  /** Where the daemon dies before, the kernel asks the next one to write the same again. */
  #answerLater({ uniqueLow, uniqueHigh, writtenBytes, delayMs }: LateAnswer): void {
    setTimeout(() => {
      const body = new DataView(new ArrayBuffer(WRITTEN_BODY_BYTES));
      encodeWritten(body, 0, writtenBytes);
      replyTo(this.#fuseFd, uniqueLow, uniqueHigh, [new Uint8Array(body.buffer)]);
    }, delayMs);
  }
}
