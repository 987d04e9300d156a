import type { SparseEncoder, TableEncoder } from '../../encoders.ts';
import { ROWS_PER_BLOCK } from '../../model/indexed-source.ts';
import type { OpenSource, SparseItem, TableFamilyItem, TableItem } from '../../sources.ts';

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

/**
 * Where the blocks of a table's rows begin, counted from its first row, and behind the last its length.
 * @throws what reading rows throws.
 */
export function measureRows(
  item: TableItem | TableFamilyItem,
  encoder: TableEncoder,
  source: OpenSource,
  member?: number,
): number[] {
  const { columns, rowCount, path } = item;
  const fixedBytes = encoder.paddedBytes(columns);
  const offsets = [0];
  let offset = 0;
  for (let first = 0; first < rowCount; first += ROWS_PER_BLOCK) {
    const count = Math.min(ROWS_PER_BLOCK, rowCount - first);
    const rows = source.readRows(path, first, count, member);
    offset += fixedBytes * count;
    for (const [place, { type }] of columns.entries())
      if (type === 'text')
        for (const cell of rows.columns[place] ?? [])
          offset += encoder.textBytes(cell === undefined ? undefined : String(cell));
    offsets.push(offset);
  }
  return offsets;
}

/** A table, or a member of a family of them. Block 0 is the header. `offsets` where rows are not equally long. */
export function tableFile(
  item: TableItem | TableFamilyItem,
  encoder: TableEncoder,
  offsets: readonly number[] | undefined,
  member?: number,
): BlockFile {
  const { columns, rowCount, path } = item;
  const header = encoder.header(columns);
  const rowBytes = encoder.paddedBytes(columns);
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
      return encoder.lines(columns, rows, 'padded');
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
