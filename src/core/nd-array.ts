/** Element types PlateFS computes with, named as numpy names them. */
export type Dtype =
  | 'uint8'
  | 'int8'
  | 'uint16'
  | 'int16'
  | 'uint32'
  | 'int32'
  | 'uint64'
  | 'int64'
  | 'float16'
  | 'float32'
  | 'float64';

/** The view a dtype's values live in, little-endian as every supported machine is. */
export type TypedArrayOf = {
  uint8: Uint8Array;
  int8: Int8Array;
  uint16: Uint16Array;
  int16: Int16Array;
  uint32: Uint32Array;
  int32: Int32Array;
  uint64: BigUint64Array;
  int64: BigInt64Array;
  float16: Float16Array;
  float32: Float32Array;
  float64: Float64Array;
};

export type TypedArray = TypedArrayOf[Dtype];

/** An n-dimensional array in C order without gaps. `data.length` is the product of `shape`. */
export interface NdArray<D extends Dtype = Dtype> {
  readonly dtype: D;
  readonly shape: readonly number[];
  readonly data: TypedArrayOf[D];
}

const ITEM_SIZE_BYTES: Record<Dtype, number> = {
  uint8: 1,
  int8: 1,
  uint16: 2,
  int16: 2,
  uint32: 4,
  int32: 4,
  uint64: 8,
  int64: 8,
  float16: 2,
  float32: 4,
  float64: 8,
};

/** Bytes of one element. */
export function itemSizeBytes(dtype: Dtype): number {
  return ITEM_SIZE_BYTES[dtype];
}

/** Number of elements of a shape; 1 for a scalar. */
export function elementCount(shape: readonly number[]): number {
  let count = 1;
  for (const extent of shape) count *= extent;
  return count;
}

type ViewConstructor<D extends Dtype> = {
  new (buffer: ArrayBufferLike, byteOffset?: number, length?: number): TypedArrayOf[D];
  new (length: number): TypedArrayOf[D];
};

const VIEWS: { readonly [D in Dtype]: ViewConstructor<D> } = {
  uint8: Uint8Array,
  int8: Int8Array,
  uint16: Uint16Array,
  int16: Int16Array,
  uint32: Uint32Array,
  int32: Int32Array,
  uint64: BigUint64Array,
  int64: BigInt64Array,
  float16: Float16Array,
  float32: Float32Array,
  float64: Float64Array,
};

/** A zeroed array. */
export function allocate<D extends Dtype>(dtype: D, shape: readonly number[]): NdArray<D> {
  const View: ViewConstructor<D> = VIEWS[dtype];
  return { dtype, shape, data: new View(elementCount(shape)) };
}

/**
 * An array over `bytes` (little-endian, C order). Shares memory when `bytes` is aligned for the dtype,
 * copies when it is not.
 * @throws RangeError when `bytes` is not exactly as long as the shape needs.
 */
export function fromBytes<D extends Dtype>(
  dtype: D,
  shape: readonly number[],
  bytes: Uint8Array,
): NdArray<D> {
  const sizeBytes = elementCount(shape) * itemSizeBytes(dtype);
  if (bytes.byteLength !== sizeBytes) {
    throw new RangeError(`${dtype}[${shape.join(',')}] needs ${sizeBytes} bytes, got ${bytes.byteLength}`);
  }
  const aligned = bytes.byteOffset % itemSizeBytes(dtype) === 0 ? bytes : bytes.slice();
  const View: ViewConstructor<D> = VIEWS[dtype];
  return {
    dtype,
    shape,
    data: new View(aligned.buffer, aligned.byteOffset, elementCount(shape)),
  };
}

/** The bytes of an array, sharing its memory. */
export function bytesOf(array: NdArray): Uint8Array {
  return new Uint8Array(array.data.buffer, array.data.byteOffset, array.data.byteLength);
}

/**
 * Gives an array's memory back now instead of at some later garbage collection; its view is empty afterwards.
 * Shared memory is left alone. Only for the one owner of the whole buffer.
 */
export function release({ data }: NdArray): void {
  if (data.buffer instanceof ArrayBuffer && !data.buffer.detached) data.buffer.transfer(0);
}
