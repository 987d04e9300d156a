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

/** Whether all rows of a table are equally long. */
export const isEven = ({ columns }: Pick<TableItem, 'columns'>): boolean =>
  columns.every(({ type }) => type !== 'text');

/** Calls `see` with the rows of each block, in order. */
function forEachBlock(
  { rowCount, path }: TableItem | TableFamilyItem,
  source: OpenSource,
  see: (rows: TableRows, count: number) => void,
): void {
  for (let first = 0; first < rowCount; first += ROWS_PER_BLOCK) {
    const count = Math.min(ROWS_PER_BLOCK, rowCount - first);
    see(source.readRows(path, first, count), count);
  }
}

/**
 * Where the blocks of a table's rows begin, counted from its first row, and behind the last its length, for each
 * encoder. Reads every cell once. @throws what reading rows throws.
 */
export function measureTable(
  item: TableItem,
  encoders: readonly TableEncoder[],
  source: OpenSource,
): number[][] {
  const measured = encoders.map((encoder) => ({ encoder, offsets: [0], sizeBytes: 0 }));
  forEachBlock(item, source, (rows) => {
    for (const one of measured) {
      one.sizeBytes += one.encoder.lines(item.columns, rows, 'exact').length;
      one.offsets.push(one.sizeBytes);
    }
  });
  return measured.map(({ offsets }) => offsets);
}

/** The same for every member of a family: numbers are padded, so that the texts that all share tell. */
export function measureFamily(item: TableFamilyItem, encoder: TableEncoder, source: OpenSource): number[] {
  const fixedBytes = encoder.paddedBytes(item.columns);
  const offsets = [0];
  let sizeBytes = 0;
  forEachBlock(item, source, (rows, count) => {
    sizeBytes += fixedBytes * count;
    for (const [place, { type }] of item.columns.entries())
      if (type === 'text')
        for (const cell of rows.columns[place] ?? [])
          sizeBytes += encoder.textBytes(cell === undefined ? undefined : String(cell));
    offsets.push(sizeBytes);
  });
  return offsets;
}

/**
 * A table, or a member of a family of them. Block 0 is the header. `offsets` where rows are not equally long. A table
 * that was measured has its numbers as they are; where lengths must follow from arithmetic they are padded.
 */
export function tableFile(
  item: TableItem | TableFamilyItem,
  encoder: TableEncoder,
  offsets: readonly number[] | undefined,
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
