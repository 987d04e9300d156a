/** A stretch of a file on disk that is in the page cache only. */
export interface FlushRange {
  readonly inode: number;
  readonly offsetBytes: number;
  readonly spanBytes: number;
  /** Bytes that were written there, some of them twice maybe. */
  readonly sizeBytes: number;
}

/** The disk is asked for so much at a time: enough to write at its speed. */
const FLUSH_BYTES = 8 * 2 ** 20;

/** Collects what is written to files on disk into stretches that are worth a flush. One at a time: programs write on. */
export class FlushRequests {
  readonly #request: (range: FlushRange) => void;
  #open = { inode: 0, fromBytes: 0, toBytes: 0, sizeBytes: 0 };

  constructor(request: (range: FlushRange) => void) {
    this.#request = request;
  }

  wrote(inode: number, offsetBytes: number, sizeBytes: number): void {
    if (this.#open.sizeBytes > 0 && this.#open.inode !== inode) this.#flush();
    const { sizeBytes: before, fromBytes, toBytes } = this.#open;
    this.#open = {
      inode,
      fromBytes: before === 0 ? offsetBytes : Math.min(fromBytes, offsetBytes),
      toBytes: before === 0 ? offsetBytes + sizeBytes : Math.max(toBytes, offsetBytes + sizeBytes),
      sizeBytes: before + sizeBytes,
    };
    if (this.#open.sizeBytes >= FLUSH_BYTES) this.#flush();
  }

  #flush(): void {
    const { inode, fromBytes, toBytes, sizeBytes } = this.#open;
    this.#open = { inode: 0, fromBytes: 0, toBytes: 0, sizeBytes: 0 };
    this.#request({ inode, offsetBytes: fromBytes, spanBytes: toBytes - fromBytes, sizeBytes });
  }
}
