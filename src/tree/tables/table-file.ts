import type { PlateTable } from './plate-table.ts';

/** Rows between two remembered offsets. */
export const BLOCK_ROWS = 512;

/** How many offsets a table of so many rows needs: of every block, and of the end. */
export const offsetCount = (rowCount: number): number => Math.ceil(rowCount / BLOCK_ROWS) + 1;

/**
 * A table as a file of known size that can be read anywhere. Where every 512th row begins is found out once, by
 * writing all rows and keeping none; any range is then written anew.
 */
export class TableFile {
  readonly table: PlateTable;
  /** Byte offset of each block and of the end; 0 at the end: nobody has measured yet. Shared by all threads. */
  readonly #offsets: Float64Array;
  readonly #header: Buffer;
  /** The block written last, and which it is: sequential reads come back to it. */
  #buffer = Buffer.alloc(0);
  #written = -1;

  constructor(table: PlateTable, offsets: Float64Array) {
    this.table = table;
    this.#offsets = offsets;
    this.#header = Buffer.from(table.header);
  }

  get #blocks(): number {
    return Math.ceil(this.table.rowCount / BLOCK_ROWS);
  }

  get isMeasured(): boolean {
    return this.#offsets[this.#blocks] !== 0;
  }

  /** Size in bytes; the first time it takes about a microsecond a row. */
  get sizeBytes(): number {
    if (!this.isMeasured) for (const _ of this.measure());
    return this.#offsets[this.#blocks] ?? 0;
  }

  /** Finds out where blocks begin, one per step. */
  *measure(): Generator<void> {
    let offset = this.#header.length;
    const found: number[] = [];
    for (let block = 0; block < this.#blocks; block += 1) {
      found.push(offset);
      offset += this.#write(block);
      yield;
    }
    this.#offsets.set(found);
    this.#offsets[this.#blocks] = offset;
  }

  /** Writes a block into the buffer. @returns its size in bytes. */
  #write(block: number): number {
    const { table } = this;
    const end = Math.min(table.rowCount, (block + 1) * BLOCK_ROWS);
    this.#written = -1;
    let sizeBytes = 0;
    for (let row = block * BLOCK_ROWS; row < end; row += 1) {
      const text = table.row(row);
      // One UTF-16 unit becomes at most three bytes.
      if (this.#buffer.length < sizeBytes + text.length * 3) {
        const grown = Buffer.allocUnsafeSlow(2 * (sizeBytes + text.length * 3));
        this.#buffer.copy(grown, 0, 0, sizeBytes);
        this.#buffer = grown;
      }
      sizeBytes += this.#buffer.write(text, sizeBytes);
    }
    this.#written = block;
    return sizeBytes;
  }

  #bytes(block: number): Buffer {
    if (this.#written !== block) this.#write(block);
    const [start = 0, end = 0] = this.#offsets.subarray(block, block + 2);
    return this.#buffer.subarray(0, end - start);
  }

  /** Fills `target` from byte `offsetBytes` on. @returns bytes filled, fewer than `target` only at the end. */
  read(offsetBytes: number, target: Uint8Array): number {
    const end = Math.min(this.sizeBytes, offsetBytes + target.length);
    let at = offsetBytes;
    if (at < this.#header.length && at < end) {
      const part = this.#header.subarray(at, Math.min(end, this.#header.length));
      target.set(part, 0);
      at += part.length;
    }
    for (let block = this.#blockAt(at); at < end && block < this.#blocks; block += 1) {
      const bytes = this.#bytes(block);
      const part = bytes.subarray(at - (this.#offsets[block] ?? 0), end - (this.#offsets[block] ?? 0));
      target.set(part, at - offsetBytes);
      at += part.length;
    }
    return Math.max(0, at - offsetBytes);
  }

  /** The block that holds a byte behind the header. */
  #blockAt(offsetBytes: number): number {
    let low = 0;
    let high = this.#blocks;
    while (low + 1 < high) {
      const middle = (low + high) >>> 1;
      if ((this.#offsets[middle] ?? 0) <= offsetBytes) low = middle;
      else high = middle;
    }
    return low;
  }
}
