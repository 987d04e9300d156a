import { HookFailedError } from '../../core/errors.ts';
import type { Dtype, NdArray, TypedArrayOf } from '../../core/nd-array.ts';

/** Every pixel type whose values are JavaScript numbers. */
export type NumberDtype = Exclude<Dtype, 'int64' | 'uint64'>;
export type NumberPixels = TypedArrayOf[NumberDtype];

export interface NumberPlane {
  readonly height: number;
  readonly width: number;
  readonly dtype: NumberDtype;
  readonly pixels: NumberPixels;
}

/** A 2-D array as kernels take it. @throws HookFailedError for 64-bit integers, another rank, or no pixels. */
export function planeOf(array: NdArray): NumberPlane {
  const [height, width] = array.shape;
  if (height === undefined || width === undefined || array.shape.length !== 2 || height * width === 0) {
    throw new HookFailedError(`kernels take one plane (y, x), not an array of shape [${array.shape}]`);
  }
  const { dtype, data } = array;
  if (
    dtype === 'int64' ||
    dtype === 'uint64' ||
    data instanceof BigInt64Array ||
    data instanceof BigUint64Array
  ) {
    throw new HookFailedError(`${dtype} pixels can't be computed with; save the image as int32 or float32`);
  }
  return { height, width, dtype, pixels: data };
}

/** @throws HookFailedError when a float plane holds NaN, which has no rank. */
export function refuseNaN({ dtype, pixels, width }: NumberPlane, operation: string): void {
  if (!dtype.startsWith('float')) return;
  for (let i = 0; i < pixels.length; i++) {
    if (Number.isNaN(pixels[i])) {
      throw new HookFailedError(
        `${operation}: the image holds NaN, first at y ${Math.floor(i / width)}, x ${i % width}`,
      );
    }
  }
}
