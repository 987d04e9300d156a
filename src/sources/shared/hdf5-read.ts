import { BadHdf5Error, UnsupportedHdf5Error } from '../../core/errors.ts';
import { elementCount } from '../../core/nd-array.ts';
import { isInside, type Region } from '../../core/region.ts';
import type { ByteWindow } from '../../sources.ts';
import { contiguousStrides, copyBox, fillBox, isOneRun, offsetOf } from '../../zarr/box.ts';
import { swapItems } from '../../zarr/codec/swap-items.ts';
import { type Hdf5Bytes, NotUnderstood, UNDEFINED_ADDRESS } from './hdf5-bytes.ts';
import { ChunkReader, fillPattern } from './hdf5-chunk-reader.ts';
import { type Hdf5Dataset, itemBytesOf } from './hdf5-dataset.ts';
import { readWithLibrary } from './hdf5-library-read.ts';
import { widenBits } from './hdf5-number-type.ts';
import { readStoredBox } from './hdf5-span.ts';
import type { DatasetStorage } from './hdf5-storage.ts';

/** What is read at once has to be in memory whole, and a few hundred bytes of a file can ask for anything. */
const MAX_READ_BYTES = 2 ** 30;

/** Reads numbers of one dataset: from the file's bytes where its storage is understood, else through the library. */
export class NumberReader {
  readonly dataset: Hdf5Dataset;
  readonly itemBytes: number;
  #chunks: ChunkReader | undefined;
  #storage: DatasetStorage | undefined;

  /** @throws UnsupportedHdf5Error when the dataset can't be read, and says why. */
  constructor(dataset: Hdf5Dataset, options: { readonly onlyLibrary?: boolean } = {}) {
    if (dataset.unreadable !== undefined)
      throw new UnsupportedHdf5Error(dataset.file.path, `${dataset.at}: ${dataset.unreadable}`, {
        advice: 'the file itself is reachable under source/',
      });
    this.dataset = dataset;
    this.itemBytes = itemBytesOf(dataset);
    this.#storage = options.onlyLibrary === true ? undefined : dataset.storage;
  }

  /** Whether the HDF5 library is needed to read this. */
  get needsLibrary(): boolean {
    return this.#storage === undefined;
  }

  /**
   * Fills `target`, little-endian and in C order.
   * @throws RangeError, BadHdf5Error, UnsupportedHdf5Error, SourceChangedError, UnreadableSourceError
   */
  read(region: Region, target: Uint8Array): void {
    this.#check(region, target);
    if (target.length === 0) return;
    const { dataset } = this;
    const storage = this.#storage;
    if (storage !== undefined && storage.number !== undefined) {
      try {
        this.#readBytes(storage, region, target);
        if (storage.number.isBigEndian)
          swapItems(Buffer.from(target.buffer, target.byteOffset, target.length), this.itemBytes);
        if (storage.number.bits !== undefined)
          widenBits(target, this.itemBytes, dataset.base.signed, storage.number.bits);
        return;
      } catch (error) {
        if (!(error instanceof NotUnderstood)) throw error;
        this.#storage = undefined;
      }
    }
    readWithLibrary(dataset, region, target, this.itemBytes);
    const bits = dataset.storage?.number?.bits;
    if (bits !== undefined) widenBits(target, this.itemBytes, dataset.base.signed, bits);
  }

  #check(region: Region, target: Uint8Array): void {
    const { shape, file, at } = this.dataset;
    if (!isInside(region, shape))
      throw new RangeError(
        `[${region.start}] + [${region.shape}] is not inside [${shape}] of ${file.path}:${at}`,
      );
    const sizeBytes = elementCount(region.shape) * this.itemBytes;
    if (sizeBytes !== target.length)
      throw new RangeError(
        `[${region.shape}] of ${file.path}:${at} needs ${sizeBytes} bytes, not ${target.length}`,
      );
    if (sizeBytes > MAX_READ_BYTES)
      throw new UnsupportedHdf5Error(
        file.path,
        `${at}: ${sizeBytes} bytes at once are more than ${MAX_READ_BYTES}`,
        {
          advice: 'read a smaller region',
        },
      );
  }

  #readBytes(storage: DatasetStorage, region: Region, target: Uint8Array): void {
    const { shape, file } = this.dataset;
    const { layout } = storage;
    const { bytes } = file;
    const { itemBytes } = this;
    if (bytes === undefined) throw new NotUnderstood('no superblock');
    if (layout.kind === 'chunked') {
      this.#chunkReader(bytes, storage).read(region, target);
      return;
    }
    if (layout.kind === 'virtual') throw new NotUnderstood('a virtual dataset');
    const items = { bytes: target, offset: 0, strides: contiguousStrides(region.shape) };
    const wholeBytes = elementCount(shape) * itemBytes;
    if (layout.kind === 'compact') {
      if (layout.bytes.length < wholeBytes) throw this.#tooShort(layout.bytes.length, wholeBytes);
      const strides = contiguousStrides(shape);
      const source = { bytes: layout.bytes, offset: offsetOf(region.start, strides), strides };
      copyBox(region.shape, source, items, itemBytes);
      return;
    }
    if (layout.address === UNDEFINED_ADDRESS) {
      const fill = fillPattern(storage, itemBytes);
      if (fill.length === 1) target.fill(fill[0] ?? 0);
      else fillBox(region.shape, items, itemBytes, fill, 0);
      return;
    }
    if (layout.sizeBytes < wholeBytes) throw this.#tooShort(layout.sizeBytes, wholeBytes);
    readStoredBox(bytes, { address: layout.address, shape, itemBytes }, region.start, region.shape, items);
  }

  #tooShort(haveBytes: number, needBytes: number): BadHdf5Error {
    const { file, at } = this.dataset;
    return new BadHdf5Error(file.path, `${at}: ${haveBytes} bytes are stored where ${needBytes} are needed`);
  }

  #chunkReader(bytes: Hdf5Bytes, storage: DatasetStorage): ChunkReader {
    if (this.#chunks === undefined) {
      if (storage.layout.kind !== 'chunked') throw new NotUnderstood('no chunks');
      this.#chunks = new ChunkReader(bytes, this.dataset, storage, storage.layout, this.itemBytes);
    }
    return this.#chunks;
  }

  /**
   * Where a region's bytes lie verbatim: little-endian, whole numbers of their type, in one run.
   * @throws BadHdf5Error when they lie outside the file.
   */
  window(region: Region): ByteWindow | undefined {
    const { shape, file } = this.dataset;
    const storage = this.#storage;
    const { bytes } = file;
    if (storage?.number === undefined || bytes === undefined || region.shape.includes(0)) return undefined;
    if (storage.number.isBigEndian || storage.number.bits !== undefined || !isInside(region, shape))
      return undefined;
    const sizeBytes = elementCount(region.shape) * this.itemBytes;
    const windowAt = (address: number, offsetItems: number): ByteWindow => ({
      path: file.path,
      offsetBytes: bytes.positionOf(address + offsetItems * this.itemBytes, sizeBytes),
      sizeBytes,
    });
    const { layout } = storage;
    if (layout.kind === 'contiguous') {
      const strides = contiguousStrides(shape);
      if (layout.address === UNDEFINED_ADDRESS || !isOneRun(region.shape, strides)) return undefined;
      if (layout.sizeBytes < elementCount(shape) * this.itemBytes) return undefined;
      return windowAt(layout.address, offsetOf(region.start, strides));
    }
    if (layout.kind !== 'chunked') return undefined;
    try {
      const chunks = this.#chunkReader(bytes, storage);
      if (!isOneRun(region.shape, contiguousStrides(chunks.chunkShape))) return undefined;
      const run = chunks.runOf(region);
      return run && windowAt(run.address, run.offsetItems);
    } catch (error) {
      if (error instanceof NotUnderstood) return undefined;
      throw error;
    }
  }
}
