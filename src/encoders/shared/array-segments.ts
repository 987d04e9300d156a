import { itemSizeBytes } from '../../core/nd-array.ts';
import type { Region } from '../../core/region.ts';
import type { ArrayDescription, Segment } from '../../encoders.ts';

/** A segment is no longer, unless one element is: what a reader decodes for any byte of it. */
const MOST_BYTES = 32 * 1024 * 1024;
/** Segments of small chunks are put together up to here, so that a long range is not made of many thousands. */
const LEAST_BYTES = 64 * 1024;

/**
 * Cuts the bytes of an array in C order into regions that lie in one piece: rows of one axis, and all of the axes
 * behind it. Rows are those of a whole chunk, or of several small ones, or of an equal part of one that is large;
 * so no chunk is decoded for more segments than it must be.
 */
export class ArraySegments {
  readonly sizeBytes: number;
  readonly #shape: readonly number[];
  /** The axis that is cut; every axis before it is cut into single indices. */
  readonly #axis: number;
  /** Bytes of one index of the cut axis. */
  readonly #rowBytes: number;
  /** Rows between two edges that segments keep to, and rows of a segment between them. */
  readonly #blockRows: number;
  readonly #segmentRows: number;

  /** @param array none of whose extents is 0. */
  constructor({ shape, dtype, chunkShape }: ArrayDescription) {
    this.#shape = shape;
    let axis = shape.length;
    let rowBytes = itemSizeBytes(dtype);
    // The whole of the axis behind is one row of this one, as long as a row is no longer than a segment may be.
    while (axis > 0) {
      const behindBytes = axis === shape.length ? rowBytes : rowBytes * (shape[axis] ?? 1);
      if (axis < shape.length && behindBytes > MOST_BYTES) break;
      rowBytes = behindBytes;
      axis -= 1;
    }
    this.#axis = axis;
    this.#rowBytes = rowBytes;
    const rows = shape[axis] ?? 1;
    this.sizeBytes = shape.slice(0, axis).reduce((product, extent) => product * extent, rows * rowBytes);
    const chunkRows = Math.min(rows, Math.max(1, chunkShape?.[axis] ?? 1));
    const mostRows = Math.max(1, Math.floor(MOST_BYTES / rowBytes));
    if (chunkRows > mostRows) {
      this.#blockRows = chunkRows;
      this.#segmentRows = Math.ceil(chunkRows / Math.ceil(chunkRows / mostRows));
    } else {
      const chunks = Math.max(1, Math.floor(LEAST_BYTES / (chunkRows * rowBytes)));
      this.#blockRows = Math.min(rows, chunkRows * chunks);
      this.#segmentRows = this.#blockRows;
    }
  }

  /** Adds the segments that touch `[from, to)` of the array's bytes, whose first byte lies at `offsetBytes` of the file. */
  push(offsetBytes: number, from: number, to: number, found: Segment[]): void {
    const end = Math.min(to, this.sizeBytes);
    for (let at = Math.max(0, from); at < end; ) {
      const { region, start, sizeBytes } = this.#segmentAt(at);
      found.push({ kind: 'pixels', offsetBytes: offsetBytes + start, sizeBytes, region });
      at = start + sizeBytes;
    }
  }

  #segmentAt(byte: number): { region: Region; start: number; sizeBytes: number } {
    const shape = this.#shape;
    if (shape.length === 0) return { region: { start: [], shape: [] }, start: 0, sizeBytes: this.sizeBytes };
    const rows = shape[this.#axis] ?? 1;
    const line = Math.floor(byte / (rows * this.#rowBytes));
    const row = Math.floor((byte - line * rows * this.#rowBytes) / this.#rowBytes);
    const block = row - (row % this.#blockRows);
    const first = row - ((row - block) % this.#segmentRows);
    const count = Math.min(this.#segmentRows, block + this.#blockRows - first, rows - first);
    const start: number[] = new Array(shape.length).fill(0);
    start[this.#axis] = first;
    for (let axis = this.#axis - 1, rest = line; axis >= 0; axis -= 1) {
      const extent = shape[axis] ?? 1;
      start[axis] = rest % extent;
      rest = Math.floor(rest / extent);
    }
    return {
      region: {
        start,
        shape: shape.map((extent, axis) => (axis < this.#axis ? 1 : axis === this.#axis ? count : extent)),
      },
      start: line * rows * this.#rowBytes + first * this.#rowBytes,
      sizeBytes: count * this.#rowBytes,
    };
  }
}
