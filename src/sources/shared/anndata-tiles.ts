import { allocate, type Dtype, itemSizeBytes, type TypedArray } from '../../core/nd-array.ts';
import type { ByteLru } from './byte-lru.ts';

/** Rows (or columns) in one tile. */
const TILE_MAJORS = 8192;
/** Neighbouring lines that are cut out in one go, so that the next one asked for costs nothing. */
const PANEL_BYTES = 32 * 2 ** 20;

/** A dense piece of a matrix, turned: `data[(minor - firstMinor) * majors + (major - firstMajor)]`. */
export interface Tile {
  readonly firstMajor: number;
  readonly majors: number;
  readonly firstMinor: number;
  readonly minors: number;
  readonly data: TypedArray;
}

/**
 * Lines across the way a matrix is stored: a column of one that lies row by row. One costs a pass over the whole
 * matrix; so each pass cuts out as many neighbours as fit a few megabytes, in tiles that are kept for a while.
 */
export class CrossLines {
  readonly #name: string;
  readonly #dtype: Dtype;
  readonly #majorCount: number;
  readonly #minorCount: number;
  readonly #kept: ByteLru<unknown>;
  readonly #fill: (tile: Tile) => void;

  /**
   * @param name distinct among all that is kept in `kept`.
   * @param fill adds the elements of a tile to its zeros.
   */
  constructor(
    name: string,
    shape: { readonly dtype: Dtype; readonly majorCount: number; readonly minorCount: number },
    kept: ByteLru<unknown>,
    fill: (tile: Tile) => void,
  ) {
    this.#name = name;
    this.#dtype = shape.dtype;
    this.#majorCount = shape.majorCount;
    this.#minorCount = shape.minorCount;
    this.#kept = kept;
    this.#fill = fill;
  }

  /** Lines that one pass cuts out. */
  get panelMinors(): number {
    const lineBytes = Math.max(1, this.#majorCount * itemSizeBytes(this.#dtype));
    return Math.max(1, Math.min(this.#minorCount, Math.floor(PANEL_BYTES / lineBytes)));
  }

  /** Elements `first … first + count` of a line. */
  read(minor: number, first: number, count: number): TypedArray {
    const line = allocate(this.#dtype, [count]).data;
    for (let at = first; at < first + count; ) {
      const tile = this.#tile(minor, at);
      const from = (minor - tile.firstMinor) * tile.majors + (at - tile.firstMajor);
      const length = Math.min(first + count, tile.firstMajor + tile.majors) - at;
      copyInto(line, at - first, tile.data.subarray(from, from + length));
      at += length;
    }
    return line;
  }

  #tile(minor: number, major: number): Tile {
    const panel = this.panelMinors;
    const firstMinor = Math.floor(minor / panel) * panel;
    const firstMajor = Math.floor(major / TILE_MAJORS) * TILE_MAJORS;
    return this.#kept.getOrMake(
      `tile ${this.#name} ${firstMinor} ${firstMajor}`,
      (tile) => (tile as Tile).data.byteLength,
      () => {
        const majors = Math.min(TILE_MAJORS, this.#majorCount - firstMajor);
        const minors = Math.min(panel, this.#minorCount - firstMinor);
        const { data } = allocate(this.#dtype, [minors, majors]);
        const tile = { firstMajor, majors, firstMinor, minors, data };
        this.#fill(tile);
        return tile;
      },
    ) as Tile;
  }
}

/** Copies one number between arrays of one dtype. */
export function place(target: TypedArray, at: number, values: TypedArray, from: number): void {
  const value = values[from];
  if (value !== undefined) target[at] = value;
}

/** Copies numbers between arrays of one dtype. */
export function copyInto(target: TypedArray, at: number, values: TypedArray): void {
  new Uint8Array(target.buffer, target.byteOffset + at * target.BYTES_PER_ELEMENT, values.byteLength).set(
    new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
  );
}
