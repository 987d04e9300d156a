import type { Dtype, NdArray, TypedArray } from './core/nd-array.ts';
import type { Region } from './core/region.ts';
import type { ItemPath, SourceCatalog } from './model/source-catalog.ts';

export type {
  ArrayItem,
  ImageItem,
  ImageLevel,
  ItemPath,
  SourceCatalog,
  SourceItem,
  SparseItem,
  TableColumn,
  TableFamilyItem,
  TableItem,
  TextItem,
} from './model/source-catalog.ts';

/** What is known of an array before any pixel is read. */
export interface ArrayInfo {
  readonly shape: readonly number[];
  readonly dtype: Dtype;
  /** One letter per axis (`tczyx`), outermost first. */
  readonly axes: string;
  /** Size of a pixel in micrometres, where the file says it. */
  readonly pixelSizeUm?: { readonly x: number; readonly y: number };
}

/** Where an array's bytes lie when they lie in one piece, little-endian, C order: a window to serve undecoded. */
export interface ByteWindow {
  readonly path: string;
  readonly offsetBytes: number;
  readonly sizeBytes: number;
}

/**
 * An array that can be read piece by piece. Pixels are exact or the read throws; never filled in.
 */
export interface ArraySource extends AsyncDisposable {
  readonly info: ArrayInfo;
  /** The smallest piece that is decoded at once. */
  readonly chunkShape: readonly number[];
  /** The region as a fresh C-order array. @throws a typed error that names the file. */
  read(region: Region, signal: AbortSignal): Promise<NdArray>;
  /** The bytes of a region where the file holds them verbatim, else undefined. */
  window?(region: Region): ByteWindow | undefined;
}

/** What the first look at one image of a file tells, before any pixel is read. */
export interface PlaneProbe {
  /** Shape, dtype and axes (`yx`, `yxs`, `syx`) of this image alone; samples as stored. */
  readonly info: ArrayInfo;
  readonly width: number;
  readonly height: number;
  /** Samples per pixel: 1 for grey, 3 for RGB. */
  readonly samples: number;
  /** `none`, `lzw`, `deflate`, `zstd`, `packbits`, `jpeg`, `lerc`; other names are of codecs that can't be decoded here. */
  readonly compression: string;
  readonly byteOrder: 'little' | 'big';
  /** The pixels' bytes, when the file holds them verbatim. */
  readonly window?: ByteWindow;
  /** The text the writer left (OME-XML, ImageJ, MetaMorph), undecoded. */
  readonly description?: string;
  /** Size of the file when it was looked at. */
  readonly fileSizeBytes: number;
}

/** One decoded image: little-endian bytes in C order, `info.shape` of `info.dtype`. */
export interface PlaneBytes {
  readonly info: ArrayInfo;
  readonly bytes: Uint8Array;
}

/** Rows and columns of an image, which lie inside it. */
export interface PlaneBox {
  readonly y: number;
  readonly x: number;
  readonly height: number;
  readonly width: number;
}

/** Rows and columns of a plane. */
export interface PlaneBlock {
  readonly height: number;
  readonly width: number;
}

/**
 * How planes are best read in parts: by blocks that are decoded at once, each of which whoever reads a part of it reads
 * whole and keeps; or, for `rows`, exactly as far as wanted, since any rows cost little more than they hold.
 */
export type PlaneGrain = PlaneBlock | 'rows';

/**
 * One image of a file, held open by one thread and read in parts. It goes on showing the file that was opened,
 * whatever takes its name.
 */
export interface OpenPlane extends Disposable {
  /** `yx`: one sample per pixel. */
  readonly info: ArrayInfo;
  /**
   * What is decoded at once: a strip, a tile. Whoever reads parts of one reads it whole and keeps it. Absent where
   * the driver keeps what it decoded itself: then exactly what is wanted is asked for.
   */
  readonly block?: PlaneBlock;
  /** Whether any rows cost little more than they hold: nothing is gained by one thread reading all of them. */
  readonly isExact?: boolean;
  /**
   * Fills `into`, exactly as long, with a box: little-endian, C order. Only the strips, tiles or chunks that it
   * touches are decoded. After an error `into` holds nothing of worth.
   * @throws what `readPlaneSync` throws.
   */
  readBox(box: PlaneBox, into: Uint8Array): void;
}

/** Cells of some rows, a column after the other; `undefined` is a missing value. */
export interface TableRows {
  readonly columns: readonly (readonly (number | bigint | string | boolean | undefined)[])[];
}

/** Entries `first … first + count` of a sparse matrix, in the order the source keeps them, counted from 0. */
export interface SparseEntries {
  readonly rows: Float64Array;
  readonly columns: Float64Array;
  readonly values: TypedArray;
}

/**
 * A source held open by one thread, all calls synchronous. Whatever can't be read exactly throws a typed error that
 * names the file and what stands in it. A source that changed on disk since its catalog was made throws
 * SourceChangedError; one that is being written SourceBusyError; one whose library damaged data broke, which is loaded
 * anew, SourceNotReadyError.
 */
export interface OpenSource extends Disposable {
  /**
   * Fills `target` with a region of an image or of one of its levels, in its five axes, or of an array in its own:
   * little-endian, C order, exactly as long. A missing chunk is the fill value the format names.
   */
  readRegion(path: ItemPath, region: Region, target: Uint8Array): void;
  /** Where a region's bytes lie verbatim, little-endian and in C order, else undefined. */
  window(path: ItemPath, region: Region): ByteWindow | undefined;
  /**
   * Every file, or object on a server, that an item's bytes depend on, or those of a region of it, be they there or not: as long as each
   * of them is what it was, reading gives the same. Undefined, or absent, where only the source as a whole is known.
   * Asked with a region of images, their levels and arrays of sources that are folders; without one of all others.
   */
  filesOf?(path: ItemPath, region?: Region): readonly string[] | undefined;
  /**
   * Tells what a path of {@link filesOf} stands for on a server from what stands there at other times, by asking the
   * server. Undefined where that tells no versions apart. Absent where sources are never on a server.
   * @throws UnreadableSourceError
   */
  identityNow?(file: string): string | undefined;
  /**
   * How planes, the last two axes, of an image or of an array of `rank` axes are read in parts; undefined where that
   * would decode other planes as well. Absent where the catalog's chunks tell.
   */
  planeGrain?(path: ItemPath, rank: number): PlaneGrain | undefined;
  /**
   * Rows of a table, or of one member of a family. Of a family without `member`: the text columns, which all members
   * share; the other columns are empty lists, and nothing of them is read.
   * @throws RangeError when the source has no such table, member or rows.
   */
  readRows(path: ItemPath, firstRow: number, rowCount: number, member?: number): TableRows;
  readEntries(path: ItemPath, first: number, count: number): SparseEntries;
  /** Names of a family's members, in their order, as stored: they need not be fit for file names nor unique. */
  memberNames(path: ItemPath, first: number, count: number): readonly string[];
}

/** Port: one kind of file or store that holds arrays. */
export interface SourceDriver {
  /** Stable lower-case id, equal to the file's name. */
  readonly id: string;
  /** By name alone; cheap. */
  canOpen(path: string): boolean;
  /** @throws UnreadableSourceError, BadTiffError, UnsupportedTiffError … naming the file. */
  openArray(path: string, signal: AbortSignal): Promise<ArraySource>;
  /**
   * Looks at one image of the file (default: the first) and closes the file again: one open and one or two
   * reads, for threads that must not wait on a promise. Absent where a driver can't do it synchronously.
   * @param page index of the image in the file's own order, from 0.
   * @throws what `openArray` throws.
   */
  probeSync?(path: string, page?: number): PlaneProbe;
  /**
   * Whether the file holds every byte that its own directories promise: false while it is still being written, and
   * when it was cut short. True where the file can't tell. Reads no pixels.
   * @throws the system's error when the file can't be opened.
   */
  isWholeSync?(path: string): boolean;
  /**
   * Reads and decodes one image on the calling thread.
   * @param page index of the image in the file's own order, from 0.
   * @param into memory of exactly the image's size to decode into (it is then `bytes`); without it the bytes
   *   are fresh and own their buffer, so they can be transferred. After an error `into` holds nothing of worth.
   * @throws what `openArray` throws; RangeError when `into` has another size.
   */
  readPlaneSync?(path: string, page: number, into?: Uint8Array): PlaneBytes;
  /**
   * Opens one image of one sample per pixel to be read in parts. Absent where a driver can only decode an image
   * whole.
   * @param page index of the image in the file's own order, from 0.
   * @throws what `readPlaneSync` throws; RangeError for an image of several samples.
   */
  openPlaneSync?(path: string, page: number): OpenPlane;
  /**
   * The files that hold one image's pixels, be they there or not; absent where it is the file of that path alone.
   * @throws what `readPlaneSync` throws.
   */
  planeFilesSync?(path: string, page: number): readonly string[];
  /**
   * Looks into a file or store that is no plate: what it holds, without reading pixels. Absent where a driver only
   * reads planes that a format found.
   * @param path absolute path, or an URL where the driver's `canOpen` takes one.
   * @returns undefined when it turns out not to be this driver's after all.
   * @throws UnreadableSourceError, BadMetadataError, SourceBusyError … naming the file.
   */
  catalog?(path: string, options: CatalogOptions, signal: AbortSignal): Promise<SourceCatalog | undefined>;
  /**
   * Loads what `openSync` needs (a WebAssembly module, an index), once per thread, before its first call.
   * @param path the source that is to be opened; without it, what any may need.
   */
  prepare?(path?: string): Promise<void>;
  /**
   * Opens what `catalog` described, on a thread that must not wait on a promise.
   * @throws what `catalog` throws; SourceChangedError when it is no longer what was described.
   */
  openSync?(path: string, catalog: SourceCatalog): OpenSource;
}

export interface CatalogOptions {
  /** Nothing outside this folder is opened, whatever links say. */
  readonly root: string;
}
