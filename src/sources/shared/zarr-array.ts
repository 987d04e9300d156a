import { CancelledError } from '../../core/errors.ts';
import { fromBytes, type NdArray } from '../../core/nd-array.ts';
import { isInside, type Region } from '../../core/region.ts';
import type { ArrayInfo, ArraySource, ByteWindow } from '../../sources.ts';
import type { ZarrLayout } from './zarr-planes.ts';

/** A Zarr array as a source; chunk files are opened when they are read. */
export class ZarrArray implements ArraySource {
  readonly info: ArrayInfo;
  readonly chunkShape: readonly number[];
  readonly #layout: ZarrLayout;

  constructor(layout: ZarrLayout) {
    this.#layout = layout;
    this.info = layout.info;
    this.chunkShape = layout.decodedShape;
  }

  async read(region: Region, signal: AbortSignal): Promise<NdArray> {
    this.#check(region);
    const bytes = new Uint8Array(this.#layout.regionBytes(region));
    const checkSignal = (): void => {
      if (signal.aborted)
        throw new CancelledError(`reading ${this.#layout.metadata.path} was cancelled`, {
          cause: signal.reason,
        });
    };
    checkSignal();
    this.#layout.readRegion(region, bytes, checkSignal);
    return fromBytes(this.info.dtype, region.shape, bytes);
  }

  window(region: Region): ByteWindow | undefined {
    this.#check(region);
    return this.#layout.window(region);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Nothing is held open.
  }

  #check(region: Region): void {
    if (isInside(region, this.info.shape)) return;
    const { path } = this.#layout.metadata;
    throw new RangeError(
      `[${region.start}] + [${region.shape}] is not inside [${this.info.shape}] of ${path}`,
    );
  }
}
