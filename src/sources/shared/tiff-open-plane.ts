import { itemSizeBytes } from '../../core/nd-array.ts';
import type { ArrayInfo, OpenPlane, PlaneBox } from '../../sources.ts';
import { decodeBox } from './tiff-decode.ts';
import { TiffFile } from './tiff-file.ts';
import type { TiffPage } from './tiff-page.ts';

/** One page of an open TIFF, read strip by strip or tile by tile. */
export class OpenTiffPlane implements OpenPlane {
  readonly info: ArrayInfo;
  readonly block: { readonly height: number; readonly width: number };
  readonly #file: TiffFile;
  readonly #page: TiffPage;
  readonly #itemBytes: number;

  /** @throws BadTiffError, UnreadableSourceError; RangeError when pixels have several samples. */
  constructor(path: string, pageIndex: number) {
    const file = new TiffFile(path);
    try {
      const page = file.page(pageIndex);
      if (page.samples !== 1) throw new RangeError(`${path}: page ${pageIndex} has ${page.samples} samples`);
      this.#file = file;
      this.#page = page;
      this.info = { shape: page.shape, dtype: page.dtype, axes: page.axes };
      this.#itemBytes = itemSizeBytes(page.dtype);
      // Rows that lie uncompressed in one run are read by themselves.
      const isRun = page.contiguousOffset() !== undefined;
      this.block = {
        height: isRun ? 1 : Math.min(page.segmentHeight, page.height),
        width: isRun ? page.width : Math.min(page.segmentWidth, page.width),
      };
    } catch (error) {
      file[Symbol.dispose]();
      throw error;
    }
  }

  readBox(box: PlaneBox, into: Uint8Array): void {
    const wantedBytes = box.height * box.width * this.#itemBytes;
    if (into.length !== wantedBytes)
      throw new RangeError(`a box of ${this.#file.path} has ${wantedBytes} bytes, not ${into.length}`);
    // Predictors work on items, which must lie where items may lie.
    if (into.byteOffset % this.#itemBytes === 0) decodeBox(this.#file.fd, this.#page, box, into);
    else into.set(decodeBox(this.#file.fd, this.#page, box));
  }

  [Symbol.dispose](): void {
    this.#file[Symbol.dispose]();
  }
}
