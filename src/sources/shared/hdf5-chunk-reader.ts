import { countDecoded } from '../../core/decode-count.ts';
import { BadHdf5Error, UnsupportedHdf5Error } from '../../core/errors.ts';
import { elementCount } from '../../core/nd-array.ts';
import type { Region } from '../../core/region.ts';
import {
  contiguousStrides,
  copyBox,
  fillBox,
  forEachPosition,
  type Items,
  isOneRun,
  offsetOf,
} from '../../zarr/box.ts';
import { scratchBytes } from '../../zarr/codec/scratch-bytes.ts';
import { DecodedChunks } from '../../zarr/decoded-chunks.ts';
import { type Hdf5Bytes, NotUnderstood, UNDEFINED_ADDRESS } from './hdf5-bytes.ts';
import { FixedArrayChunks, ImplicitChunks, SingleChunk } from './hdf5-chunk-array.ts';
import { ChunkBtree, type ChunkIndex, type StoredChunk } from './hdf5-chunk-btree.ts';
import { ExtensibleArrayChunks } from './hdf5-chunk-growing-array.ts';
import type { Hdf5Dataset } from './hdf5-dataset.ts';
import { BadChunk, canUndo, undoFilters } from './hdf5-pipeline.ts';
import { readStoredBox } from './hdf5-span.ts';
import type { DatasetStorage, StoredLayout } from './hdf5-storage.ts';

type Chunked = Extract<StoredLayout, { kind: 'chunked' }>;

/** What a chunk may decode to: it has to be in memory whole. */
const MAX_CHUNK_BYTES = 1024 * 1024 * 1024;
/** No filter makes more of a chunk than this times its bytes, and so many beyond. */
const MAX_GROWTH = 2;
const MAX_STORED_EXCESS_BYTES = 1024 * 1024;
/** Chunks of one read: at some 10 µs each, a limit in seconds. */
const MAX_CHUNKS_PER_READ = 1_000_000;

/** The chunks this thread decoded last. */
const decodedChunks = new DecodedChunks(32 * 1024 * 1024);

/** Reads chunks without the HDF5 library. Bytes come out as the file has them: its byte order, its bits. */
export class ChunkReader {
  readonly #bytes: Hdf5Bytes;
  readonly #dataset: Hdf5Dataset;
  readonly #storage: DatasetStorage;
  readonly #layout: Chunked;
  readonly #index: ChunkIndex;
  /** With the axes of the element's array type. */
  readonly #chunkShape: readonly number[];
  readonly #itemBytes: number;
  readonly #fill: Uint8Array;

  /** @throws NotUnderstood when the library has to read this dataset. */
  constructor(
    bytes: Hdf5Bytes,
    dataset: Hdf5Dataset,
    storage: DatasetStorage,
    layout: Chunked,
    itemBytes: number,
  ) {
    const inner = dataset.shape.slice(dataset.shape.length - dataset.innerRank);
    if (layout.chunkShape.length !== dataset.shape.length - dataset.innerRank)
      throw new NotUnderstood('chunks of another rank');
    if (layout.elementBytes !== elementCount(inner) * itemBytes)
      throw new NotUnderstood('elements of another size');
    if (!canUndo(storage.filters)) throw new NotUnderstood('filters of the library');
    this.#bytes = bytes;
    this.#dataset = dataset;
    this.#storage = storage;
    this.#layout = layout;
    this.#itemBytes = itemBytes;
    this.#chunkShape = [...layout.chunkShape, ...inner];
    this.#fill = fillPattern(storage, layout.elementBytes);
    if (this.#fill.length > itemBytes) throw new NotUnderstood('a fill value that is an array');
    this.#index = indexOf(bytes, dataset, layout);
  }

  get #chunkBytes(): number {
    return elementCount(this.#chunkShape) * this.#itemBytes;
  }

  /** @throws BadHdf5Error, UnsupportedHdf5Error, UnreadableSourceError, NotUnderstood */
  read(region: Region, target: Uint8Array): void {
    const first = region.start.map((at, axis) => Math.floor(at / (this.#chunkShape[axis] ?? 1)));
    const count = region.start.map(
      (at, axis) =>
        Math.floor((at + (region.shape[axis] ?? 1) - 1) / (this.#chunkShape[axis] ?? 1)) -
        (first[axis] ?? 0) +
        1,
    );
    if (elementCount(count) > MAX_CHUNKS_PER_READ)
      throw this.#unsupported(`[${region.shape}] elements lie in ${elementCount(count)} chunks`);
    const strides = contiguousStrides(region.shape);
    forEachPosition(first, count, (position) => {
      const from = position.map((at, axis) =>
        Math.max(at * (this.#chunkShape[axis] ?? 1), region.start[axis] ?? 0),
      );
      const shape = position.map((at, axis) => {
        const end = Math.min(
          (at + 1) * (this.#chunkShape[axis] ?? 1),
          (region.start[axis] ?? 0) + (region.shape[axis] ?? 0),
        );
        return end - (from[axis] ?? 0);
      });
      const offset = offsetOf(
        from.map((at, axis) => at - (region.start[axis] ?? 0)),
        strides,
      );
      const inChunk = from.map((at, axis) => at - (position[axis] ?? 0) * (this.#chunkShape[axis] ?? 1));
      this.#readPart(position, inChunk, shape, { bytes: target, offset, strides });
    });
  }

  #readPart(
    position: readonly number[],
    start: readonly number[],
    shape: readonly number[],
    target: Items,
  ): void {
    const chunk = this.#find(position);
    if (chunk === undefined) {
      fillBox(shape, target, this.#itemBytes, this.#fill, 0);
      return;
    }
    if (this.#isVerbatim(chunk, position)) {
      if (chunk.storedBytes !== this.#chunkBytes)
        throw this.#bad(`a chunk of ${chunk.storedBytes} bytes instead of ${this.#chunkBytes}`);
      const stored = { address: chunk.address, shape: this.#chunkShape, itemBytes: this.#itemBytes };
      readStoredBox(this.#bytes, stored, start, shape, target);
      return;
    }
    const strides = contiguousStrides(this.#chunkShape);
    const isWhole = shape.every((extent, axis) => extent === this.#chunkShape[axis]);
    if (isWhole && isOneRun(shape, target.strides)) {
      const from = target.offset * this.#itemBytes;
      const into = target.bytes.subarray(from, from + this.#chunkBytes);
      const decoded = decodedChunks.get(this.#keyOf(chunk)) ?? this.#decode(chunk, into);
      if (decoded !== into) into.set(decoded);
      return;
    }
    const bytes = isWhole
      ? (decodedChunks.get(this.#keyOf(chunk)) ?? this.#decode(chunk))
      : this.#decoded(chunk);
    copyBox(shape, { bytes, offset: offsetOf(start, strides), strides }, target, this.#itemBytes);
  }

  #find(position: readonly number[]): StoredChunk | undefined {
    return this.#index.find(position.slice(0, this.#layout.chunkShape.length));
  }

  /** Whether no filter was applied to a chunk. */
  #isVerbatim(chunk: StoredChunk, position: readonly number[]): boolean {
    const { filters } = this.#storage;
    if (filters.every((_, index) => (chunk.filterMask >>> index) & 1)) return true;
    if (!this.#layout.keepsEdgesPlain) return false;
    return position.some(
      (at, axis) => (at + 1) * (this.#chunkShape[axis] ?? 1) > (this.#dataset.shape[axis] ?? 0),
    );
  }

  #keyOf(chunk: StoredChunk): string {
    return `${this.#dataset.file.identity}:${chunk.address}`;
  }

  /** Kept, since more of it will be asked for. */
  #decoded(chunk: StoredChunk): Uint8Array {
    const key = this.#keyOf(chunk);
    let decoded = decodedChunks.get(key);
    if (decoded === undefined) {
      // Copied where a filter gave back the memory of the stored bytes.
      const into = new Uint8Array(this.#chunkBytes);
      decoded = this.#decode(chunk, into);
      if (decoded !== into) into.set(decoded);
      decoded = into;
      decodedChunks.set(key, decoded);
    }
    return decoded;
  }

  /** A chunk without its filters: in `into` where they can do that, else in memory that is valid until the next one. */
  #decode(chunk: StoredChunk, into?: Uint8Array): Uint8Array {
    if (this.#chunkBytes > MAX_CHUNK_BYTES)
      throw this.#unsupported(`chunks of ${this.#chunkBytes} bytes, more than ${MAX_CHUNK_BYTES}`);
    if (chunk.storedBytes > MAX_GROWTH * this.#chunkBytes + MAX_STORED_EXCESS_BYTES)
      throw this.#bad(`the chunk at ${chunk.address}: ${chunk.storedBytes} bytes for ${this.#chunkBytes}`);
    this.#bytes.positionOf(chunk.address, chunk.storedBytes);
    const stored = scratchBytes(chunk.storedBytes);
    this.#bytes.readInto(stored, chunk.address);
    countDecoded(this.#chunkBytes);
    try {
      return undoFilters(stored, this.#storage.filters, chunk.filterMask, this.#chunkBytes, into);
    } catch (cause) {
      if (cause instanceof BadChunk) throw this.#bad(`the chunk at ${chunk.address}: ${cause.message}`);
      throw cause;
    }
  }

  /** Where a region lies when it is one run of one chunk without filters. */
  runOf(region: Region): { readonly address: number; readonly offsetItems: number } | undefined {
    const position = region.start.map((at, axis) => Math.floor(at / (this.#chunkShape[axis] ?? 1)));
    const start = region.start.map((at, axis) => at % (this.#chunkShape[axis] ?? 1));
    if (!start.every((at, axis) => at + (region.shape[axis] ?? 0) <= (this.#chunkShape[axis] ?? 0)))
      return undefined;
    const chunk = this.#find(position);
    if (chunk === undefined || !this.#isVerbatim(chunk, position) || chunk.storedBytes !== this.#chunkBytes)
      return undefined;
    return { address: chunk.address, offsetItems: offsetOf(start, contiguousStrides(this.#chunkShape)) };
  }

  get chunkShape(): readonly number[] {
    return this.#chunkShape;
  }

  #bad(detail: string): BadHdf5Error {
    return new BadHdf5Error(this.#dataset.file.path, `${this.#dataset.at}: ${detail}`, {
      advice: 'the file is damaged; the original may still be whole',
    });
  }

  #unsupported(detail: string): UnsupportedHdf5Error {
    return new UnsupportedHdf5Error(this.#dataset.file.path, `${this.#dataset.at}: ${detail}`, {
      advice: 'read a smaller region',
    });
  }
}

/** An element that was never written, in the file's byte order. @throws NotUnderstood */
export function fillPattern({ fill }: DatasetStorage, elementBytes: number): Uint8Array {
  if (fill === undefined || fill.length === 0) return new Uint8Array(1).fill(0);
  if (fill.length !== elementBytes) throw new NotUnderstood('a fill value of another size');
  return fill;
}

function indexOf(bytes: Hdf5Bytes, dataset: Hdf5Dataset, layout: Chunked): ChunkIndex {
  const { address, index, chunkShape } = layout;
  const chunkBytes = elementCount(chunkShape) * layout.elementBytes;
  // No chunk was ever written.
  if (address === UNDEFINED_ADDRESS) return { find: () => undefined };
  switch (index.kind) {
    case 'btree-1':
      return new ChunkBtree(bytes, address, chunkShape);
    case 'single': {
      const { storedBytes = chunkBytes, filterMask } = index;
      return new SingleChunk({ address, storedBytes, filterMask });
    }
    case 'implicit':
      return new ImplicitChunks(address, { extents: largestGrid(dataset, chunkShape), chunkBytes });
    case 'fixed-array':
      return new FixedArrayChunks(bytes, address, { extents: largestGrid(dataset, chunkShape), chunkBytes });
    case 'extensible-array':
      return new ExtensibleArrayChunks(bytes, address, { ...growingGrid(dataset, chunkShape), chunkBytes });
    default:
      throw new NotUnderstood(`chunk index ${index.kind}`);
  }
}

/** The one axis without limit, and chunks along the others. */
function growingGrid(
  { metadata }: Hdf5Dataset,
  chunkShape: readonly number[],
): { readonly axis: number; readonly extents: readonly number[] } {
  const extents = chunkShape.map((chunk, axis) => Math.ceil((metadata.maxshape?.[axis] ?? 0) / chunk));
  const unlimited = (metadata.maxshape ?? []).map((extent) => !Number.isSafeInteger(extent));
  if (unlimited.filter(Boolean).length !== 1) throw new NotUnderstood('an array that grows along other axes');
  return { axis: unlimited.indexOf(true), extents };
}

/** Chunks along each axis when the dataset has grown as far as it may: arrays of chunks are laid out for that. */
function largestGrid({ metadata }: Hdf5Dataset, chunkShape: readonly number[]): number[] {
  return chunkShape.map((chunk, axis) => {
    const extent = metadata.maxshape?.[axis] ?? metadata.shape?.[axis] ?? 0;
    if (!Number.isSafeInteger(extent)) throw new NotUnderstood('an array of chunks without a limit');
    return Math.ceil(extent / chunk);
  });
}
