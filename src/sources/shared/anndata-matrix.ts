import type { Dtype, TypedArray } from '../../core/nd-array.ts';
import type { Region } from '../../core/region.ts';
import type { SparseEntries } from '../../sources.ts';

/** Numbers in two axes, however they are stored. All reads lie inside. */
export interface Matrix {
  readonly shape: readonly [rows: number, columns: number];
  readonly dtype: Dtype;
  /** The piece that is read at once; the whole of it costs little more than a part. */
  readonly chunkShape: readonly number[];
  /** Fills `target` with a region, little-endian, C order. */
  readRegion(region: Region, target: Uint8Array): void;
  /** Elements `first … first + count` of a row. */
  row(row: number, first: number, count: number): TypedArray;
  /** Elements `first … first + count` of a column. */
  column(column: number, first: number, count: number): TypedArray;
}

/** A matrix that keeps only some of its elements; what it does not keep is 0, what it keeps twice is the sum. */
export interface SparseMatrix extends Matrix {
  readonly entryCount: number;
  /** Whether all elements can be read as one dense array at a bearable cost. */
  readonly isDenseBearable: boolean;
  entries(first: number, count: number): SparseEntries;
}
