import { type Hdf5Bytes, type Hdf5Cursor, NotUnderstood, UNDEFINED_ADDRESS } from './hdf5-bytes.ts';
import type { ChunkIndex, StoredChunk } from './hdf5-chunk-btree.ts';

/** The chunk grid an array index is laid out by. */
export interface ChunkGrid {
  /** Chunks along each axis. */
  readonly extents: readonly number[];
  /** Bytes of a chunk before filters. */
  readonly chunkBytes: number;
}

/** Number of a chunk in C order over the grid; undefined outside it. */
function numberOf(gridPosition: readonly number[], extents: readonly number[]): number | undefined {
  let number = 0;
  for (let axis = 0; axis < extents.length; axis++) {
    const at = gridPosition[axis] ?? 0;
    const extent = extents[axis] ?? 0;
    if (at >= extent) return undefined;
    number = number * extent + at;
  }
  return number;
}

/** All chunks one after the other, without filters (HDF5 File Format Specification 3.0, VII.B). */
export class ImplicitChunks implements ChunkIndex {
  readonly #address: number;
  readonly #grid: ChunkGrid;

  constructor(address: number, grid: ChunkGrid) {
    this.#address = address;
    this.#grid = grid;
  }

  find(gridPosition: readonly number[]): StoredChunk | undefined {
    const number = numberOf(gridPosition, this.#grid.extents);
    if (number === undefined || this.#address === UNDEFINED_ADDRESS) return undefined;
    const storedBytes = this.#grid.chunkBytes;
    return { address: this.#address + number * storedBytes, storedBytes, filterMask: 0 };
  }
}

/** One chunk that is the whole dataset (VII.A). */
export class SingleChunk implements ChunkIndex {
  readonly #chunk: StoredChunk;

  constructor(chunk: StoredChunk) {
    this.#chunk = chunk;
  }

  find(gridPosition: readonly number[]): StoredChunk | undefined {
    const isThere = this.#chunk.address !== UNDEFINED_ADDRESS && gridPosition.every((at) => at === 0);
    return isThere ? this.#chunk : undefined;
  }
}

/** Widths of an array index's entries. */
export interface EntryFormat {
  readonly isFiltered: boolean;
  readonly entryBytes: number;
}

const CLIENT_PLAIN = 0;
const CLIENT_FILTERED = 1;

export function entryFormat(file: Hdf5Bytes, client: number, entryBytes: number): EntryFormat {
  const isFiltered = client === CLIENT_FILTERED;
  const isGood = isFiltered
    ? entryBytes > file.offsetBytes + 4 && entryBytes <= file.offsetBytes + 12
    : client === CLIENT_PLAIN && entryBytes === file.offsetBytes;
  if (!isGood) throw new NotUnderstood('array entries of unusual size');
  return { isFiltered, entryBytes };
}

export function readEntry(
  cursor: Hdf5Cursor,
  format: EntryFormat,
  offsetBytes: number,
  chunkBytes: number,
): StoredChunk | undefined {
  const address = cursor.address();
  const storedBytes = format.isFiltered ? cursor.unsigned(format.entryBytes - offsetBytes - 4) : chunkBytes;
  const filterMask = format.isFiltered ? cursor.u32() : 0;
  return address === UNDEFINED_ADDRESS ? undefined : { address, storedBytes, filterMask };
}

export const CHECKSUM_BYTES = 4;

/** A fixed array of chunks, in pages when it is long (HDF5 File Format Specification 3.0, VII.C). */
export class FixedArrayChunks implements ChunkIndex {
  readonly #file: Hdf5Bytes;
  readonly #grid: ChunkGrid;
  readonly #format: EntryFormat;
  readonly #count: number;
  readonly #pageEntries: number;
  readonly #entriesAt: number;
  /** One bit per page, highest first; undefined when the array has no pages. */
  readonly #pageBits: Buffer | undefined;
  readonly #isEmpty: boolean;

  /** @throws NotUnderstood, BadHdf5Error, UnreadableSourceError */
  constructor(file: Hdf5Bytes, address: number, grid: ChunkGrid) {
    this.#file = file;
    this.#grid = grid;
    const header = file.block(address, 8 + file.lengthBytes + file.offsetBytes);
    header.expect('FAHD');
    if (header.u8() !== 0) throw new NotUnderstood('a fixed array of a later version');
    const client = header.u8();
    this.#format = entryFormat(file, client, header.u8());
    const pageBits = header.u8();
    this.#count = header.length();
    const blockAddress = header.address();
    this.#isEmpty = blockAddress === UNDEFINED_ADDRESS;
    this.#pageEntries = 2 ** pageBits;
    const isPaged = this.#count > this.#pageEntries;
    const pageMapBytes = isPaged ? Math.ceil(Math.ceil(this.#count / this.#pageEntries) / 8) : 0;
    const prefixBytes = 6 + file.offsetBytes + pageMapBytes + (isPaged ? CHECKSUM_BYTES : 0);
    this.#entriesAt = blockAddress + prefixBytes;
    if (this.#isEmpty) return;
    const prefix = file.block(blockAddress, prefixBytes);
    prefix.expect('FADB');
    if (prefix.u8() !== 0 || prefix.u8() !== client || prefix.address() !== address)
      throw new NotUnderstood('a data block of another array');
    if (isPaged) this.#pageBits = prefix.slice(pageMapBytes);
  }

  /** @throws BadHdf5Error, UnreadableSourceError */
  find(gridPosition: readonly number[]): StoredChunk | undefined {
    const number = numberOf(gridPosition, this.#grid.extents);
    if (number === undefined || this.#isEmpty || number >= this.#count) return undefined;
    const { entryBytes } = this.#format;
    const page = Math.floor(number / this.#pageEntries);
    if (this.#pageBits !== undefined && ((this.#pageBits[page >> 3] ?? 0) & (0x80 >> (page & 7))) === 0)
      return undefined;
    const checksums = this.#pageBits === undefined ? 0 : page * CHECKSUM_BYTES;
    const cursor = this.#file.block(this.#entriesAt + number * entryBytes + checksums, entryBytes);
    return readEntry(cursor, this.#format, this.#file.offsetBytes, this.#grid.chunkBytes);
  }
}
