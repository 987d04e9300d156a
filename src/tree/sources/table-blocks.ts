import type { SparseEncoder, TableEncoder } from '../../encoders.ts';
import { ROWS_PER_BLOCK } from '../../model/indexed-source.ts';
import type { OpenSource, SparseItem, TableFamilyItem, TableItem, TableRows } from '../../sources.ts';

/** A text file that is written block by block: which bytes a block is follows from its offset. */
export interface BlockFile {
  readonly sizeBytes: number;
  readonly blockCount: number;
  /** Where a block begins; the file's size for the one behind the last. */
  offsetOf(block: number): number;
  /** The bytes of a block, as `offsetOf` says. */
  write(block: number, source: OpenSource): Uint8Array;
}

/** Works with a source that somebody else opens and closes. */
export type UseSource = <T>(work: (source: OpenSource) => T) => T;

/** Whether all rows of a table are equally long. */
export const isEven = ({ columns }: Pick<TableItem, 'columns'>): boolean =>
  columns.every(({ type }) => type !== 'text');

/** Rows that are read at once to be measured: where text lies in chunks, each is decoded once or twice. */
const ROWS_PER_READ = 16 * ROWS_PER_BLOCK;

const cut = ({ columns }: TableRows, from: number, to: number): TableRows => ({
  columns: columns.map((cells) => cells.slice(from, to)),
});

/** The rows of each block, in order; after a read it waits to be asked for more. */
function* blocksOf(
  { rowCount, path }: TableItem | TableFamilyItem,
  use: UseSource,
): Generator<{ readonly rows: TableRows; readonly count: number } | undefined> {
  for (let first = 0; first < rowCount; first += ROWS_PER_READ) {
    const read = Math.min(ROWS_PER_READ, rowCount - first);
    const rows = use((source) => source.readRows(path, first, read));
    yield undefined;
    for (let from = 0; from < read; from += ROWS_PER_BLOCK) {
      const to = Math.min(read, from + ROWS_PER_BLOCK);
      yield { rows: cut(rows, from, to), count: to - from };
    }
  }
}

/**
 * Finds out where the blocks of a table's rows begin, counted from its first row, and behind the last their length, for
 * each encoder. Reads every cell once, a little per step. @throws what reading rows throws.
 */
export function* measureTable(
  item: TableItem,
  measured: readonly { readonly encoder: TableEncoder; readonly offsets: Float64Array }[],
  use: UseSource,
): Generator<void> {
  let place = 0;
  for (const block of blocksOf(item, use)) {
    yield;
    if (!block) continue;
    for (const { encoder, offsets } of measured)
      offsets[place + 1] = (offsets[place] ?? 0) + encoder.lines(item.columns, block.rows, 'exact').length;
    place += 1;
  }
}

/** The same for every member of a family: numbers are padded, so that the texts that all share tell. */
export function* measureFamily(
  item: TableFamilyItem,
  encoder: TableEncoder,
  offsets: Float64Array,
  use: UseSource,
): Generator<void> {
  const fixedBytes = encoder.paddedBytes(item.columns);
  let place = 0;
  for (const block of blocksOf(item, use)) {
    yield;
    if (!block) continue;
    let sizeBytes = fixedBytes * block.count;
    for (const [at, { type }] of item.columns.entries())
      if (type === 'text')
        for (const cell of block.rows.columns[at] ?? [])
          sizeBytes += encoder.textBytes(cell === undefined ? undefined : String(cell));
    offsets[place + 1] = (offsets[place] ?? 0) + sizeBytes;
    place += 1;
  }
}

/**
 * A table, or a member of a family of them. Block 0 is the header. `offsets` where rows are not equally long. A table
 * that was measured has its numbers as they are; where lengths must follow from arithmetic they are padded.
 */
export function tableFile(
  item: TableItem | TableFamilyItem,
  encoder: TableEncoder,
  offsets: Float64Array | undefined,
  member?: number,
): BlockFile {
  const { columns, rowCount, path } = item;
  const header = encoder.header(columns);
  const rowBytes = encoder.paddedBytes(columns);
  const width = item.kind === 'table' && offsets ? 'exact' : 'padded';
  const blocks = Math.ceil(rowCount / ROWS_PER_BLOCK);
  const rowsBefore = (block: number): number => Math.min(rowCount, block * ROWS_PER_BLOCK);
  const lengthBefore = (block: number): number =>
    offsets ? (offsets[Math.min(block, blocks)] ?? 0) : rowsBefore(block) * rowBytes;
  return {
    sizeBytes: header.length + lengthBefore(blocks),
    blockCount: blocks + 1,
    offsetOf: (block) => (block === 0 ? 0 : header.length + lengthBefore(block - 1)),
    write: (block, source) => {
      if (block === 0) return header;
      const first = rowsBefore(block - 1);
      const rows = source.readRows(path, first, rowsBefore(block) - first, member);
      return encoder.lines(columns, rows, width);
    },
  };
}

const ENTRIES_PER_BLOCK = 8192;

/** A sparse matrix. Block 0 is the header. */
export function sparseFile(item: SparseItem, encoder: SparseEncoder): BlockFile {
  const header = encoder.header(item);
  const entryBytes = encoder.entryBytes(item);
  const entriesBefore = (block: number): number => Math.min(item.entryCount, block * ENTRIES_PER_BLOCK);
  return {
    sizeBytes: header.length + item.entryCount * entryBytes,
    blockCount: 1 + Math.ceil(item.entryCount / ENTRIES_PER_BLOCK),
    offsetOf: (block) => (block === 0 ? 0 : header.length + entriesBefore(block - 1) * entryBytes),
    write: (block, source) => {
      if (block === 0) return header;
      const first = entriesBefore(block - 1);
      return encoder.lines(item, source.readEntries(item.path, first, entriesBefore(block) - first));
    },
  };
}
