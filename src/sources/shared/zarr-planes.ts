import { dirname } from 'node:path';
import { BadZarrError, UnsupportedZarrError } from '../../core/errors.ts';
import { elementCount, itemSizeBytes } from '../../core/nd-array.ts';
import type { Region } from '../../core/region.ts';
import type { ArrayInfo, ByteWindow, PlaneGrain } from '../../sources.ts';
import { type ArrayMetadata, readArrayMetadata } from '../../zarr/array-metadata.ts';
import { contiguousStrides } from '../../zarr/box.ts';
import { keptChunks } from '../../zarr/decoded-chunks.ts';
import { decodedShape } from '../../zarr/decoded-shape.ts';
import {
  type ChunkBox,
  fillPart,
  forEachChunk,
  partDecoder,
  readChunkBox,
  storedRun,
} from '../../zarr/read-chunk.ts';
import { type ChunkOpener, chunksInFolder } from '../../zarr/store.ts';
import type { OpenBytes } from '../../zarr/stored-bytes.ts';

/** What is read at once has to be in memory whole, and a few hundred bytes of metadata can ask for anything. */
const MAX_READ_BYTES = 2 ** 30;
/** Chunks looked for in one read: at some 10 µs for one that is not there, a limit in seconds. */
const MAX_CHUNKS_PER_READ = 1_000_000;

/** Letters of the axes that OME-NGFF orders so, outermost first. */
const NGFF_AXES = 'tczyx';
/** For axes beyond five. */
const MORE_AXES = 'abdefghijklmnopqruvwABDEFGHIJKLMNOPQRUVW';

/** One array's metadata with its shapes as they are read: lanes of complex numbers and text are a last axis `s`. */
export class ZarrLayout {
  readonly metadata: ArrayMetadata;
  readonly info: ArrayInfo;
  /** With lanes. */
  readonly chunkShape: readonly number[];
  readonly #openChunk: ChunkOpener;

  /** @throws UnsupportedZarrError for text of variable length; a structured element is its bytes. */
  constructor(metadata: ArrayMetadata, openChunk: ChunkOpener) {
    const { shape, chunkShape, element } = metadata;
    if (element.kind === 'string')
      throw new UnsupportedZarrError(metadata.path, 'text of variable length is no array of numbers');
    this.#openChunk = openChunk;
    const lanes = element.lanes > 1 ? [element.lanes] : [];
    this.metadata = metadata;
    this.chunkShape = [...chunkShape, ...lanes];
    this.info = {
      shape: [...shape, ...lanes],
      dtype: element.dtype,
      axes: axesOf(metadata) + (lanes.length > 0 ? 's' : ''),
    };
  }

  /** @throws UnreadableSourceError, BadZarrError, UnsupportedZarrError */
  static read(path: string): ZarrLayout {
    return ZarrLayout.inFolder(readArrayMetadata(path));
  }

  /** Of an array whose chunks lie beside its metadata file. */
  static inFolder(metadata: ArrayMetadata): ZarrLayout {
    return new ZarrLayout(metadata, chunksInFolder(dirname(metadata.path)));
  }

  get #chunkItems() {
    const { element, fill } = this.metadata;
    return { itemBytes: itemSizeBytes(element.dtype), fill };
  }

  /** Number of axes before the planes'. */
  get leadingRank(): number {
    return Math.max(0, this.metadata.shape.length - 2);
  }

  /** Number of planes. */
  get planeCount(): number {
    return elementCount(this.metadata.shape.slice(0, this.leadingRank));
  }

  /** Shape, dtype and axes of one plane: the last two axes, and lanes. */
  get planeInfo(): ArrayInfo {
    const { shape, dtype, axes } = this.info;
    const planeShape = shape.slice(this.leadingRank);
    const lanes = axes.endsWith('s') ? 's' : '';
    return { shape: planeShape, dtype, axes: 'yx'.slice(2 - (planeShape.length - lanes.length)) + lanes };
  }

  /** The region of plane `page` in C order over the leading axes. @throws BadZarrError when there is none. */
  planeRegion(page: number): Region {
    const { shape } = this.info;
    const { path } = this.metadata;
    if (!(Number.isSafeInteger(page) && page >= 0 && page < this.planeCount))
      throw new BadZarrError(path, `plane ${page} is wanted, but there are ${this.planeCount}`);
    const start = shape.map(() => 0);
    let rest = page;
    for (let axis = this.leadingRank - 1; axis >= 0; axis--) {
      const extent = shape[axis] ?? 1;
      start[axis] = rest % extent;
      rest = Math.floor(rest / extent);
    }
    return { start, shape: shape.map((extent, axis) => (axis < this.leadingRank ? 1 : extent)) };
  }

  #chunkAt(position: readonly number[]): OpenBytes | undefined {
    const { shape, chain } = this.metadata;
    const isReadInParts = chain.shard !== undefined && chain.steps.length === 0;
    const keys = this.metadata.chunkKeys(position.slice(0, shape.length));
    return this.#openChunk(keys, isReadInParts ? 'parts' : 'whole');
  }

  /** Bytes of a region. @throws UnsupportedZarrError when it is too much to be read at once. */
  regionBytes({ start, shape }: Region): number {
    const { path } = this.metadata;
    const sizeBytes = elementCount(shape) * itemSizeBytes(this.info.dtype);
    if (sizeBytes > MAX_READ_BYTES)
      throw new UnsupportedZarrError(
        path,
        `[${shape}] elements at once are ${sizeBytes} bytes, more than ${MAX_READ_BYTES}`,
        { advice: 'read a smaller region, or a level of lower resolution' },
      );
    const chunks = shape.reduce((count, extent, axis) => {
      const chunk = this.chunkShape[axis] ?? 1;
      const from = start[axis] ?? 0;
      return count * (Math.floor((from + extent - 1) / chunk) - Math.floor(from / chunk) + 1);
    }, 1);
    if (sizeBytes > 0 && chunks > MAX_CHUNKS_PER_READ)
      throw new UnsupportedZarrError(path, `[${shape}] elements lie in ${chunks} chunks`, {
        advice: 'read a smaller region, or store the array in larger chunks',
      });
    return sizeBytes;
  }

  /**
   * Decodes a region, which lies inside the array, into `bytes` of exactly its size. Only the chunks it touches are
   * read; `beforeChunk` is called before each.
   * @returns how many chunks are not there: their part is fill value.
   * @throws BadZarrError, UnsupportedZarrError, UnreadableSourceError
   */
  readRegion(region: Region, bytes: Uint8Array, beforeChunk: () => void = () => {}): number {
    return this.readBox(
      { ...region, target: { bytes, offset: 0, strides: contiguousStrides(region.shape) } },
      beforeChunk,
    );
  }

  /** {@link readRegion} to where the box's target says. */
  readBox(whole: ChunkBox, beforeChunk: () => void = () => {}): number {
    const { chunkShape } = this;
    const items = this.#chunkItems;
    keptChunks.readInTurn(this.#decodedBytes(whole));
    let missing = 0;
    forEachChunk(whole, chunkShape, (position, part) => {
      beforeChunk();
      using file = this.#chunkAt(position);
      if (file) readChunkBox(file, this.metadata.chain, chunkShape, items, part);
      else {
        missing += 1;
        fillPart(part, items);
      }
    });
    return missing;
  }

  /** Bytes that are decoded for a box; 0 where most of them are wanted. */
  #decodedBytes({ start, shape }: Pick<ChunkBox, 'start' | 'shape'>): number {
    const pieces = this.decodedShape;
    const decoded = shape.reduce((items, extent, axis) => {
      const piece = pieces[axis] ?? 1;
      const from = start[axis] ?? 0;
      return items * piece * (Math.floor((from + extent - 1) / piece) - Math.floor(from / piece) + 1);
    }, 1);
    return decoded > 2 * elementCount(shape) ? decoded * this.#chunkItems.itemBytes : 0;
  }

  /** Files of the chunks that a region touches, be they there or not, of an array in a local folder. */
  filesOf(region: Region): string[] {
    this.regionBytes(region);
    const { path, shape } = this.metadata;
    const folder = dirname(path);
    const files: string[] = [];
    const nowhere = { bytes: new Uint8Array(0), offset: 0, strides: contiguousStrides(region.shape) };
    forEachChunk({ ...region, target: nowhere }, this.chunkShape, (position) => {
      for (const key of this.metadata.chunkKeys(position.slice(0, shape.length)))
        files.push(`${folder}/${key}`);
    });
    return files;
  }

  /** Where a region's bytes lie verbatim in one chunk's file. @throws BadZarrError when that has a wrong size. */
  window(region: Region): ByteWindow | undefined {
    const { chunkShape } = this;
    const { chain } = this.metadata;
    if (chain.steps.length > 0 || region.shape.includes(0)) return undefined;
    const position = region.start.map((at, axis) => Math.floor(at / (chunkShape[axis] ?? 1)));
    const start = region.start.map((at, axis) => at % (chunkShape[axis] ?? 1));
    const inside = start.every((at, axis) => at + (region.shape[axis] ?? 0) <= (chunkShape[axis] ?? 0));
    if (!inside) return undefined;
    using file = this.#chunkAt(position);
    return file && storedRun(file, chain, chunkShape, this.#chunkItems, { start, shape: region.shape });
  }

  /** Every codec's name, those around a shard before those in it. */
  get #codecNames(): string[] {
    const names: string[] = [];
    for (let { chain }: Pick<ArrayMetadata, 'chain'> = this.metadata; ; chain = chain.shard.inner) {
      names.push(...chain.steps.map(({ name }) => name));
      if (!chain.shard) return names;
    }
  }

  /** The codecs' names, `none` when the bytes lie as they are. */
  get compression(): string {
    return this.#codecNames.filter((name) => name !== 'big-endian').join('+') || 'none';
  }

  get byteOrder(): 'little' | 'big' {
    return this.#codecNames.includes('big-endian') ? 'big' : 'little';
  }

  /** How planes are read in parts, where that decodes no other plane; `rows` for chunks that are files only. */
  planeGrain(areFiles: boolean): PlaneGrain | undefined {
    const rank = this.metadata.shape.length;
    if (rank < 2 || this.metadata.element.lanes !== 1) return undefined;
    const { decodedShape } = this;
    const [height = 1, width = 1] = decodedShape.slice(-2);
    if (areFiles && this.#decodesRows) return 'rows';
    return decodedShape.slice(0, -2).every((extent) => extent === 1) ? { height, width } : undefined;
  }

  /** Whether chunks are as wide as the array, and decoded part by part. */
  get #decodesRows(): boolean {
    let { chain, chunkShape }: Pick<ArrayMetadata, 'chain' | 'chunkShape'> = this.metadata;
    while (chain.shard && chain.steps.length === 0 && chain.order === undefined) {
      chunkShape = chain.shard.innerShape;
      chain = chain.shard.inner;
    }
    return chunkShape.at(-1) === this.metadata.shape.at(-1) && partDecoder(chain) !== undefined;
  }

  /** {@link decodedShape}, with lanes. */
  get decodedShape(): readonly number[] {
    const { chain } = this.metadata;
    return decodedShape({ shape: this.info.shape, chunkShape: this.chunkShape, chain });
  }
}

function axesOf({ shape, dimensionNames, element }: ArrayMetadata): string {
  const rank = shape.length;
  const named = dimensionNames?.join('') ?? '';
  const letters = element.lanes > 1 ? `${named}s` : named;
  const areLetters =
    dimensionNames?.every((name) => /^[a-zA-Z]$/.test(name)) && new Set(letters).size === letters.length;
  if (areLetters) return named;
  return rank <= NGFF_AXES.length
    ? NGFF_AXES.slice(NGFF_AXES.length - rank)
    : MORE_AXES.slice(0, rank - NGFF_AXES.length) + NGFF_AXES;
}
