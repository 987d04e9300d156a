import type { ArrayInfo, OpenPlane, PlaneBlock, PlaneBox } from '../../sources.ts';
import { ZarrLayout } from './zarr-planes.ts';

/** One plane of a Zarr array. Chunks that hold several planes are kept where chunks are decoded. */
export class OpenZarrPlane implements OpenPlane {
  readonly info: ArrayInfo;
  readonly block?: PlaneBlock;
  readonly isExact: boolean;
  readonly #layout: ZarrLayout;
  readonly #start: readonly number[];
  readonly #path: string;

  /** @throws what `ZarrLayout.read` throws; RangeError when elements have several lanes. */
  constructor(path: string, page: number) {
    const layout = ZarrLayout.read(path);
    if (layout.metadata.element.lanes !== 1)
      throw new RangeError(`${path}: elements of ${layout.metadata.element.lanes} lanes`);
    this.#path = path;
    this.#layout = layout;
    this.#start = layout.planeRegion(page).start;
    this.info = layout.planeInfo;
    const grain = layout.planeGrain(true);
    this.isExact = grain === 'rows';
    if (grain !== undefined && grain !== 'rows') this.block = grain;
  }

  readBox({ y, x, height, width }: PlaneBox, into: Uint8Array): void {
    // An array of one axis is one row.
    const inPlane = [
      { at: y, extent: height },
      { at: x, extent: width },
    ].slice(2 - this.info.shape.length);
    const leading = this.#start.length - inPlane.length;
    const region = {
      start: this.#start.map((at, axis) => at + (inPlane[axis - leading]?.at ?? 0)),
      shape: this.#start.map((_, axis) => inPlane[axis - leading]?.extent ?? 1),
    };
    const wantedBytes = this.#layout.regionBytes(region);
    if (into.length !== wantedBytes)
      throw new RangeError(`a box of ${this.#path} has ${wantedBytes} bytes, not ${into.length}`);
    this.#layout.readRegion(region, into);
  }

  [Symbol.dispose](): void {
    // Chunk files are opened when they are read.
  }
}
