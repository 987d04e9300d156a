import type { Dtype, NdArray } from './core/nd-array.ts';
import type { Region } from './core/region.ts';

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
  /** `none`, `lzw`, `deflate`, `zstd`, `packbits`; other names are of codecs that can't be decoded here. */
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
}
