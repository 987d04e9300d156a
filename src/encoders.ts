import type { Dtype } from './core/nd-array.ts';
import type { Region } from './core/region.ts';
import type { ImageInfo, PlaneLookup } from './model/image.ts';

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
