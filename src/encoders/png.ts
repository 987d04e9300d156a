import { FsRefusal } from '../core/errors.ts';
import { itemSizeBytes } from '../core/nd-array.ts';
import type { Region } from '../core/region.ts';
import type { FileLayout, ImageEncoder, PixelReader, Segment } from '../encoders.ts';
import type { ImageInfo } from '../model/image.ts';
import {
  PNG_SIGNATURE,
  pngChunk,
  pngHeader,
  pngPixelSize,
  pngText,
  storedImage,
  storedImageBytes,
} from './shared/png-file.ts';
import { BoxMeans, contrastOf, shade } from './shared/preview.ts';

/** Most pixels of a preview's side. */
const MOST_SIDE = 1024;
/** Largest plane: of a larger one, whoever lists a folder with pictures would wait for minutes. */
const MOST_PLANE_BYTES = 2 ** 30;
/** Pixels of the source that are held at once; a longer row is held whole. */
const BAND_BYTES = 64 * 1024 * 1024;
/** Longest of a double with nine digits: `-1.23456789e+308`. */
const NUMBER_LENGTH = 16;

/** Which values the shades stand for, in a text of one length. */
function shownRange(black: number, white: number): Uint8Array {
  const number = (value: number): string => value.toPrecision(9).padStart(NUMBER_LENGTH);
  return pngText(
    'Description',
    `Preview, not data. 0 is ${number(black)} or less, 255 is ${number(white)} or more.`,
  );
}

class PngLayout implements FileLayout {
  readonly sizeBytes: number;
  readonly #image: ImageInfo;
  readonly #head: Uint8Array;
  readonly #factor: number;
  readonly #bodyBytes: number;
  readonly #derive = (read: PixelReader): Uint8Array => this.#body(read);

  constructor(image: ImageInfo) {
    this.#image = image;
    const [, , , height, width] = image.shape;
    this.#factor = Math.ceil(Math.max(width, height) / MOST_SIDE);
    const shown = { width: Math.ceil(width / this.#factor), height: Math.ceil(height / this.#factor) };
    const { pixelSizeUm } = image;
    const pixelSize = pixelSizeUm && pngPixelSize(pixelSizeUm.x * this.#factor, pixelSizeUm.y * this.#factor);
    this.#head = Buffer.concat([
      PNG_SIGNATURE,
      pngHeader(shown.width, shown.height),
      ...(pixelSize ? [pixelSize] : []),
    ]);
    this.#bodyBytes =
      shownRange(0, 0).length +
      storedImageBytes(shown.height * (shown.width + 1)) +
      pngChunk('IEND', new Uint8Array(0)).length;
    this.sizeBytes = this.#head.length + this.#bodyBytes;
  }

  segments(offsetBytes: number, sizeBytes: number): readonly Segment[] {
    const from = Math.max(0, offsetBytes);
    const to = Math.min(this.sizeBytes, offsetBytes + sizeBytes);
    const headBytes = this.#head.length;
    const found: Segment[] = [];
    if (from >= to) return found;
    if (from < headBytes) found.push({ kind: 'bytes', offsetBytes: 0, bytes: this.#head });
    if (to > headBytes)
      found.push({
        kind: 'derived',
        offsetBytes: headBytes,
        sizeBytes: this.#bodyBytes,
        region: this.#rows(0, this.#image.shape[3]),
        derive: this.#derive,
      });
    return found;
  }

  /** The text, the scanlines and the end. */
  #body(read: PixelReader): Uint8Array {
    const means = this.#means(read);
    const { width, height } = means;
    const values = means.means();
    const contrast = contrastOf(values) ?? { black: Number.NaN, white: Number.NaN };
    const raw = new Uint8Array(height * (width + 1));
    for (let y = 0; y < height; y += 1)
      for (let x = 0; x < width; x += 1)
        raw[y * (width + 1) + 1 + x] = shade(values[y * width + x] ?? Number.NaN, contrast);
    return Buffer.concat([
      shownRange(contrast.black, contrast.white),
      storedImage(raw),
      pngChunk('IEND', new Uint8Array(0)),
    ]);
  }

  /** Rows of the plane that is shown. */
  #rows(first: number, count: number): Region {
    const [, , slices, , width] = this.#image.shape;
    return { start: [0, 0, Math.floor(slices / 2), first, 0], shape: [1, 1, 1, count, width] };
  }

  #means(read: PixelReader): BoxMeans {
    const { shape, dtype } = this.#image;
    const [, , , height, width] = shape;
    const means = new BoxMeans(width, height, this.#factor);
    const rowBytes = width * itemSizeBytes(dtype);
    const bandRows = Math.max(1, Math.floor(BAND_BYTES / rowBytes));
    for (let row = 0; row < height; row += bandRows) {
      const rows = Math.min(bandRows, height - row);
      const band = new Uint8Array(rows * rowBytes);
      read(this.#rows(row, rows), band);
      means.addRows(dtype, row, width, band);
    }
    return means;
  }
}

/**
 * Preview of one plane in 8-bit grey: of the first time point and channel, the slice in the middle. At most 1024
 * pixels a side, each the mean of a square of as few of the plane's as make it so; black and white at the 0.2nd and
 * 99.8th percentile of these means (`shared/preview`), told in the file. Its pixels are not compressed: so the size
 * follows from the shape.
 */
const png: ImageEncoder = {
  takes: 'image',
  id: 'png',
  extension: '.png',

  layout(image: ImageInfo): FileLayout {
    if (image.shape.some((extent) => !Number.isSafeInteger(extent) || extent < 1))
      throw new FsRefusal('not-supported', `${image.name}: no preview of ${image.shape.join(' × ')} pixels`);
    const [, , , height, width] = image.shape;
    if (height * width * itemSizeBytes(image.dtype) > MOST_PLANE_BYTES)
      throw new FsRefusal('not-supported', `${image.name}: no preview of a plane over 1 GiB`, {
        advice: 'open its OME-Zarr, which has lower resolutions',
      });
    return new PngLayout(image);
  },
};

export default png;
