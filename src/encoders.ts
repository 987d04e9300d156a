import type { Region } from './core/region.ts';
import type { ImageInfo } from './model/image.ts';

/** A piece of a virtual file: literal bytes, or the little-endian pixels of a region of the image. */
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
    };

/**
 * A virtual file before any pixel is read. Segments are gapless and in order; together they are exactly
 * `sizeBytes` long.
 */
export interface FileLayout {
  readonly sizeBytes: number;
  /** The segments that touch `[offsetBytes, offsetBytes + sizeBytes)`, whole (not cut to the range). */
  segments(offsetBytes: number, sizeBytes: number): readonly Segment[];
}

/** Port: one file format an image can be shown as. Pure: does no I/O. */
export interface ImageEncoder {
  /** Stable lower-case id, equal to the file's name. */
  readonly id: string;
  /** Extension of the files it lays out, with the dot: `.tif`, `.ome.tif`. */
  readonly extension: string;
  /** @throws NotSupportedError-tagged FsRefusal when the format can't hold such an image. */
  layout(image: ImageInfo): FileLayout;
}
