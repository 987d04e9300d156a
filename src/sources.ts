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

/** Port: one kind of file or store that holds arrays. */
export interface SourceDriver {
  /** Stable lower-case id, equal to the file's name. */
  readonly id: string;
  /** By name alone; cheap. */
  canOpen(path: string): boolean;
  /** @throws UnreadableSourceError, BadTiffError, UnsupportedTiffError … naming the file. */
  openArray(path: string, signal: AbortSignal): Promise<ArraySource>;
}
