import { type Hdf5Bytes, type Hdf5Cursor, NotUnderstood, UNDEFINED_ADDRESS } from './hdf5-bytes.ts';
import { CHECKSUM_BYTES, type EntryFormat, entryFormat, readEntry } from './hdf5-chunk-array.ts';
import type { ChunkIndex, StoredChunk } from './hdf5-chunk-btree.ts';

/** Secondary blocks whose addresses are kept of one dataset. */
const KEPT_BLOCKS = 256;
/** Bits of an element's number that numbers here hold. */
const MAX_NUMBER_BITS = 52;

/** How chunks of a dataset that grows along one axis are numbered. */
export interface GrowingGrid {
  /** The axis without limit. */
  readonly axis: number;
  /** Chunks along each axis at most; that of `axis` is not looked at. */
  readonly extents: readonly number[];
  readonly chunkBytes: number;
}

/** A run of data blocks of one size: the array's super block, whether or not it has a block of its own. */
interface Run {
  readonly blocks: number;
  readonly blockEntries: number;
  readonly firstEntry: number;
  readonly firstBlock: number;
}

interface SuperBlock {
  readonly addresses: readonly number[];
  /** One bit per page, highest first. */
  readonly pageBits: Buffer;
}

/** The extensible array of a dataset with one unlimited axis (HDF5 File Format Specification 3.0, VII.D). */
export class ExtensibleArrayChunks implements ChunkIndex {
  readonly #file: Hdf5Bytes;
  readonly #grid: GrowingGrid;
  readonly #headerAddress: number;
  readonly #client: number;
  readonly #format: EntryFormat;
  readonly #pageEntries: number;
  readonly #offsetBytes: number;
  readonly #minEntries: number;
  readonly #runs: readonly Run[];
  /** Runs whose blocks the index block names itself. */
  readonly #directRuns: number;
  readonly #first: readonly (StoredChunk | undefined)[];
  readonly #blockAddresses: readonly number[];
  readonly #superAddresses: readonly number[];
  readonly #superBlocks = new Map<number, SuperBlock>();

  /** @throws NotUnderstood, BadHdf5Error, UnreadableSourceError */
  constructor(file: Hdf5Bytes, address: number, grid: GrowingGrid) {
    this.#file = file;
    this.#grid = grid;
    this.#headerAddress = address;
    const header = file.block(address, 12 + 6 * file.lengthBytes + file.offsetBytes);
    header.expect('EAHD');
    if (header.u8() !== 0) throw new NotUnderstood('an extensible array of a later version');
    this.#client = header.u8();
    this.#format = entryFormat(file, this.#client, header.u8());
    const numberBits = header.u8();
    const indexEntries = header.u8();
    this.#minEntries = header.u8();
    const minPointers = header.u8();
    this.#pageEntries = 2 ** header.u8();
    header.skip(6 * file.lengthBytes);
    const indexAddress = header.address();
    const minBits = Math.log2(this.#minEntries);
    const pointerBits = Math.log2(minPointers);
    if (
      !Number.isInteger(minBits) ||
      !Number.isInteger(pointerBits) ||
      numberBits > MAX_NUMBER_BITS ||
      numberBits < minBits
    )
      throw new NotUnderstood('an extensible array of unusual sizes');
    this.#offsetBytes = Math.ceil(numberBits / 8);
    this.#runs = runsOf(1 + numberBits - minBits, this.#minEntries);
    this.#directRuns = 2 * pointerBits;
    const isEmpty = indexAddress === UNDEFINED_ADDRESS;
    const directBlocks = 2 * (minPointers - 1);
    const superBlocks = Math.max(0, this.#runs.length - this.#directRuns);
    const { offsetBytes } = file;
    const index = isEmpty
      ? undefined
      : this.#block(
          indexAddress,
          'EAIB',
          0,
          indexEntries * this.#format.entryBytes + (directBlocks + superBlocks) * offsetBytes,
        );
    this.#first = listOf(index && indexEntries, () => index && this.#entry(index));
    this.#blockAddresses = listOf(index && directBlocks, () => index?.address() ?? UNDEFINED_ADDRESS);
    this.#superAddresses = listOf(index && superBlocks, () => index?.address() ?? UNDEFINED_ADDRESS);
  }

  #entry(cursor: Hdf5Cursor): StoredChunk | undefined {
    return readEntry(cursor, this.#format, this.#file.offsetBytes, this.#grid.chunkBytes);
  }

  /** A block's content behind its prefix: signature, version, client, the header's address, its own offset. */
  #block(address: number, signature: string, offsetBytes: number, contentBytes: number): Hdf5Cursor {
    const cursor = this.#file.block(address, this.#prefixBytes(offsetBytes) + contentBytes);
    cursor.expect(signature);
    if (cursor.u8() !== 0 || cursor.u8() !== this.#client || cursor.address() !== this.#headerAddress)
      throw new NotUnderstood('a block of another array');
    cursor.skip(offsetBytes);
    return cursor;
  }

  #prefixBytes(offsetBytes: number): number {
    return 6 + this.#file.offsetBytes + offsetBytes;
  }

  /** @throws NotUnderstood, BadHdf5Error, UnreadableSourceError */
  find(gridPosition: readonly number[]): StoredChunk | undefined {
    const number = this.#numberOf(gridPosition);
    if (number < this.#first.length) return this.#first[number];
    const behind = number - this.#first.length;
    const runNumber = Math.floor(Math.log2(Math.floor(behind / this.#minEntries) + 1));
    const run = this.#runs[runNumber];
    if (run === undefined) return undefined;
    const block = Math.floor((behind - run.firstEntry) / run.blockEntries);
    const entry = (behind - run.firstEntry) % run.blockEntries;
    if (runNumber < this.#directRuns)
      return this.#findIn(this.#blockAddresses[run.firstBlock + block], run, entry, () => true);
    const superAddress = this.#superAddresses[runNumber - this.#directRuns] ?? UNDEFINED_ADDRESS;
    if (superAddress === UNDEFINED_ADDRESS) return undefined;
    const { addresses, pageBits } = this.#superBlock(superAddress, run);
    const pages = Math.floor(run.blockEntries / this.#pageEntries);
    return this.#findIn(addresses[block], run, entry, (page) => {
      const bit = block * pages + page;
      return ((pageBits[bit >> 3] ?? 0) & (0x80 >> (bit & 7))) !== 0;
    });
  }

  /** The axis that grows counts slowest. */
  #numberOf(gridPosition: readonly number[]): number {
    const { axis: growing, extents } = this.#grid;
    let number = gridPosition[growing] ?? 0;
    for (const [axis, extent] of extents.entries())
      if (axis !== growing) number = number * extent + (gridPosition[axis] ?? 0);
    return number;
  }

  #findIn(
    address: number | undefined,
    { blockEntries }: Run,
    entry: number,
    isWritten: (page: number) => boolean,
  ): StoredChunk | undefined {
    if (address === undefined || address === UNDEFINED_ADDRESS) return undefined;
    const { entryBytes } = this.#format;
    const isPaged = blockEntries > this.#pageEntries;
    const page = isPaged ? Math.floor(entry / this.#pageEntries) : 0;
    if (isPaged && !isWritten(page)) return undefined;
    this.#block(address, 'EADB', this.#offsetBytes, 0);
    // Pages have a checksum each, and the prefix one, too.
    const checksums = isPaged ? (page + 1) * CHECKSUM_BYTES : 0;
    const at = address + this.#prefixBytes(this.#offsetBytes) + entry * entryBytes + checksums;
    return this.#entry(this.#file.block(at, entryBytes));
  }

  #superBlock(address: number, run: Run): SuperBlock {
    const kept = this.#superBlocks.get(address);
    if (kept !== undefined) return kept;
    const isPaged = run.blockEntries > this.#pageEntries;
    const pageBytes = isPaged
      ? run.blocks * Math.ceil(Math.floor(run.blockEntries / this.#pageEntries) / 8)
      : 0;
    const cursor = this.#block(
      address,
      'EASB',
      this.#offsetBytes,
      pageBytes + run.blocks * this.#file.offsetBytes,
    );
    const pageBits = cursor.slice(pageBytes);
    const block = { pageBits, addresses: listOf(run.blocks, () => cursor.address()) };
    if (this.#superBlocks.size >= KEPT_BLOCKS) this.#superBlocks.clear();
    this.#superBlocks.set(address, block);
    return block;
  }
}

const listOf = <T>(length: number | undefined, make: () => T): T[] =>
  Array.from({ length: length ?? 0 }, make);

/** Sizes of the data blocks: they double, and then their number does. */
function runsOf(count: number, minEntries: number): Run[] {
  const runs: Run[] = [];
  let firstEntry = 0;
  let firstBlock = 0;
  for (let run = 0; run < count; run++) {
    const blocks = 2 ** Math.floor(run / 2);
    const blockEntries = 2 ** Math.floor((run + 1) / 2) * minEntries;
    runs.push({ blocks, blockEntries, firstEntry, firstBlock });
    firstEntry += blocks * blockEntries;
    firstBlock += blocks;
  }
  return runs;
}
