import { closeSync, writeSync } from 'node:fs';
import type { BytePipe, PourableBytes } from '../core/byte-pipe.ts';
import { FuseUnavailableError } from '../core/errors.ts';
import { SIZE } from './protocol.ts';
import { replyHeader } from './reply-writer.ts';
import { openPipe, type Pipe, SystemCallError, spliceFromFile, spliceFromPipe } from './syscalls.ts';

/** What a plain user may have: /proc/sys/fs/pipe-max-size, unless an administrator changed it. */
const PIPE_BYTES = 1 << 20;
/** Below, a copy costs less than the calls that spare it. */
const LEAST_BYTES = 1 << 16;
/** What splice(2) says of a file that it can't read, or of a pipe that is full: the bytes have to be copied. */
const REFUSED: ReadonlySet<string> = new Set(['EINVAL', 'EAGAIN', 'ENOSYS', 'EPERM', 'EOPNOTSUPP']);

/**
 * Answers to READs whose bytes go from the page cache of their files to the client's pages by one copy, by way
 * of a pipe: splice(2). Half the processor time of reading and writing them. One per thread.
 *
 * Pages are never moved (SPLICE_F_MOVE): that would take them out of the page cache of the file they belong to.
 */
export class SplicedReplies {
  readonly #fuseFd: number;
  #pipe: Pipe | undefined;
  #available = true;

  constructor(fuseFd: number) {
    this.#fuseFd = fuseFd;
  }

  /** Whether a body of this size is best sent this way, if it lies in few pieces. */
  carries(sizeBytes: number): boolean {
    return sizeBytes >= LEAST_BYTES && this.#holds(sizeBytes, 1);
  }

  /** One page for the header, and each piece may begin and end inside a page. */
  #holds(sizeBytes: number, pieces: number): boolean {
    const pipe = this.#opened();
    return pipe !== undefined && 1 + Math.ceil(sizeBytes / pipe.pageBytes) + 2 * pieces <= pipe.pages;
  }

  /**
   * Answers a request with `body`.
   * @returns false when the request is still to be answered by other means.
   * @throws what `body` throws; then the request is still to be answered.
   */
  send(uniqueLow: number, uniqueHigh: number, body: PourableBytes): boolean {
    const pipe = this.#opened();
    if (pipe === undefined || !this.#holds(body.sizeBytes, body.pieces)) return false;
    const totalBytes = SIZE.OUT_HEADER + body.sizeBytes;
    let sent = false;
    try {
      const sink = sinkOf(pipe);
      sent =
        sink.bytes(replyHeader(totalBytes, 0, uniqueLow, uniqueHigh)) &&
        body.pourInto(sink) &&
        this.#flush(pipe, totalBytes);
    } finally {
      // What is left in the pipe would come before the next reply.
      if (!sent) this.close();
    }
    return sent;
  }

  /** Frees the pipe; the next reply opens another. */
  close(): void {
    if (this.#pipe === undefined) return;
    closeSync(this.#pipe.readFd);
    closeSync(this.#pipe.writeFd);
    this.#pipe = undefined;
  }

  #opened(): Pipe | undefined {
    if (this.#pipe !== undefined || !this.#available) return this.#pipe;
    try {
      this.#pipe = openPipe(PIPE_BYTES);
    } catch (error) {
      if (!(error instanceof SystemCallError || error instanceof FuseUnavailableError)) throw error;
      this.#available = false;
    }
    return this.#pipe;
  }

  /** @returns false when the kernel may not have taken the reply. Sending one again does no harm: it is ENOENT. */
  #flush(pipe: Pipe, totalBytes: number): boolean {
    for (;;) {
      try {
        return spliceFromPipe(pipe, this.#fuseFd, totalBytes) === totalBytes;
      } catch (error) {
        if (!(error instanceof SystemCallError)) throw error;
        if (error.code !== 'EINTR') return false;
      }
    }
  }
}

function sinkOf(pipe: Pipe): BytePipe {
  return {
    bytes: (bytes) => writeSync(pipe.writeFd, bytes) === bytes.length,
    file: (fd, offsetBytes, sizeBytes) => {
      for (;;) {
        try {
          return spliceFromFile(fd, offsetBytes, pipe, sizeBytes);
        } catch (error) {
          if (!(error instanceof SystemCallError)) throw error;
          if (REFUSED.has(error.code)) return undefined;
          if (error.code !== 'EINTR') throw error;
        }
      }
    },
  };
}
