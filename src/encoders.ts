import { FsRefusal } from './core/errors.ts';
import type { Dtype } from './core/nd-array.ts';
import type { Region } from './core/region.ts';
import type { ImageInfo, PlaneLookup } from './model/image.ts';
import type { SparseEntries, TableColumn, TableRows } from './sources.ts';

/**
 * Fills `target` with the little-endian pixels of a region, in C order; `target` is exactly as long.
 * @throws whatever the source throws.
 */
export type PixelReader = (region: Region, target: Uint8Array) => void;

/**
 * A piece of a virtual file: literal bytes; the little-endian pixels of a region of the image or array; or bytes that
 * are made of pixels.
 */
export type Segment =
  | {
      readonly kind: 'bytes';
      readonly offsetBytes: number;
      readonly bytes: Uint8Array;
    }
  | {
      readonly kind: 'pixels';
      readonly offsetBytes: number;
      readonly sizeBytes: number;
      readonly region: Region;
    }
  | {
      readonly kind: 'derived';
      readonly offsetBytes: number;
      readonly sizeBytes: number;
      /** All pixels it asks for lie in it: a plane, or a part of one. */
      readonly region: Region;
      /**
       * Makes the piece, exactly as long, of the pixels it asks for: whole planes, or some rows of one where a plane is
       * large. Equal pixels give equal bytes.
       */
      derive(read: PixelReader): Uint8Array;
    };

/**
 * A virtual file before any pixel is read. Segments are gapless and in order; together they are exactly
 * `sizeBytes` long.
 */
export interface FileLayout {
  readonly sizeBytes: number;
  /** The pixel type that the file has, where the image's is another. */
  readonly shownDtype?: Dtype;
  /** The segments that touch `[offsetBytes, offsetBytes + sizeBytes)`, whole (not cut to the range). */
  segments(offsetBytes: number, sizeBytes: number): readonly Segment[];
}

/** Port: one file format an image can be shown as. Pure: does no I/O. */
export interface ImageEncoder {
  readonly takes: 'image';
  /** Stable lower-case id, equal to the file's name. */
  readonly id: string;
  /** Extension of the files it lays out, with the dot: `.tif`, `.ome.tif`. */
  readonly extension: string;
  /**
   * @param planes what is known of each plane; absent where nothing is known of any.
   * @throws FsRefusal `not-supported` when the format can't hold such an image.
   */
  layout(image: ImageInfo, planes?: PlaneLookup): FileLayout;
}

/**
 * How numbers are written. `exact`: as short as they read back; a line's length is known when its cells are.
 * `padded`: numbers and booleans have blanks before them up to the longest of their type, so that a line's length
 * follows from its text cells alone, and that of a file of numbers from its rows.
 */
export type NumberWidth = 'exact' | 'padded';

/**
 * Port: one text format a table can be shown as. Pure. A file is `header`, then the lines of all rows in order:
 * rows can be written in pieces of any size. UTF-8 without a mark. A number reads back as the same number of its
 * type, a whole float with `.0`; text cells are exact, never padded; a missing value is an empty cell (blanks, where
 * padded).
 */
export interface TableEncoder {
  /** Stable lower-case id, equal to the file's name. */
  readonly id: string;
  /** With the dot: `.csv`. */
  readonly extension: string;
  /** The first line, with its end. */
  header(columns: readonly TableColumn[]): Uint8Array;
  /** The lines of some rows, each with its end. @throws RangeError when `rows` has not a list for every column. */
  lines(columns: readonly TableColumn[], rows: TableRows, width: NumberWidth): Uint8Array;
  /** Bytes of a padded line that are no text: delimiters, numbers, booleans, the line's end. */
  paddedBytes(columns: readonly TableColumn[]): number;
  /** Bytes that a text cell takes, with its quotes. A padded line has `paddedBytes` and the sum of these. */
  textBytes(text: string | undefined): number;
}

/** What a sparse matrix's file is laid out from. */
export interface SparseMatrix {
  readonly shape: readonly [rows: number, columns: number];
  readonly dtype: Dtype;
  /** Stored entries, explicit zeros among them. */
  readonly entryCount: number;
}

/**
 * Port: one text format a sparse matrix can be shown as. Pure. A file is `header`, then all entries in the order the
 * source keeps them, each `entryBytes` long: where the n-th stands follows by arithmetic, whatever the size.
 */
export interface SparseEncoder {
  /** Stable lower-case id, equal to the file's name. */
  readonly id: string;
  /** With the dot: `.mtx`. */
  readonly extension: string;
  header(matrix: SparseMatrix): Uint8Array;
  /** Length of every entry's line, with its end. */
  entryBytes(matrix: SparseMatrix): number;
  /** The lines of some entries. @throws RangeError when one is not inside the matrix. */
  lines(matrix: SparseMatrix, entries: SparseEntries): Uint8Array;
}

/** What an encoder needs to know of an array that need not be an image. */
export interface ArrayDescription {
  /** For messages. */
  readonly name: string;
  /** Outermost axis first; none for a single number. An extent may be 0. */
  readonly shape: readonly number[];
  readonly dtype: Dtype;
  /** The numbers are truth values, each a byte 0 or 1 (`dtype` is then `uint8`). */
  readonly isBoolean?: boolean;
  /** The smallest piece the source decodes at once: segments keep to its edges. Single elements unless set. */
  readonly chunkShape?: readonly number[];
}

/** Port: one file format any array can be shown as. Pure: does no I/O. Regions are in the array's own axes. */
export interface ArrayEncoder {
  readonly takes: 'array';
  /** Stable lower-case id, equal to the file's name. */
  readonly id: string;
  /** Extension of the files it lays out, with the dot: `.npy`. */
  readonly extension: string;
  /** @throws FsRefusal `not-supported` when the format can't hold such an array. */
  layout(array: ArrayDescription): FileLayout;
}

/** Whatever lies in `encoders/`. */
export type Encoder = ImageEncoder | ArrayEncoder;

/** The encoders of images among all. */
export const imageEncoders = (encoders: readonly Encoder[]): ImageEncoder[] =>
  encoders.filter((encoder) => encoder.takes === 'image');

/**
 * The pixel type that images of a type have in an encoder's files; undefined where it refuses them.
 * @param float64As as {@link ImageInfo.float64As}.
 */
export function shownDtype(
  encoder: ImageEncoder,
  dtype: Dtype,
  float64As: ImageInfo['float64As'],
): Dtype | undefined {
  const image: ImageInfo = { name: '', shape: [1, 1, 1, 1, 1], dtype, channels: [] };
  try {
    return encoder.layout(float64As === undefined ? image : { ...image, float64As }).shownDtype ?? dtype;
  } catch (error) {
    if (error instanceof FsRefusal) return undefined;
    throw error;
  }
}
