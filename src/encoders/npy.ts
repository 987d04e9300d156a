import { FsRefusal } from '../core/errors.ts';
import { type Dtype, itemSizeBytes } from '../core/nd-array.ts';
import type { ArrayDescription, ArrayEncoder, FileLayout, Segment } from '../encoders.ts';
import { ArraySegments } from './shared/array-segments.ts';

/** numpy's names of our dtypes (`numpy.dtype.str`); a byte has no order. */
const DESCRS: { readonly [D in Dtype]: string } = {
  uint8: '|u1',
  int8: '|i1',
  uint16: '<u2',
  int16: '<i2',
  uint32: '<u4',
  int32: '<i4',
  uint64: '<u8',
  int64: '<i8',
  float16: '<f2',
  float32: '<f4',
  float64: '<f8',
};

/** Axes an array may have in numpy before version 2 (NPY_MAXDIMS). */
const MOST_AXES = 32;
/** The file's magic number and version, and the header's length in 16 bits (numpy.lib.format, version 1.0). */
const PREFIX_BYTES = 10;
/** Pixels begin at a multiple of this, so that they can be mapped into memory. */
const ALIGNMENT_BYTES = 64;

/**
 * Magic, version 1.0 and the dictionary, padded with spaces up to a newline. Version 2.0 differs in headers beyond
 * 65,535 bytes, which 32 axes of 16 digits don't come near.
 */
function header({ shape, dtype, isBoolean }: ArrayDescription): Uint8Array {
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`;
  const descr = isBoolean ? '|b1' : DESCRS[dtype];
  const text = `{'descr': '${descr}', 'fortran_order': False, 'shape': ${tuple}, }`;
  const sizeBytes = Math.ceil((PREFIX_BYTES + text.length + 1) / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
  const bytes = Buffer.alloc(sizeBytes, ' ');
  bytes.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0]);
  bytes.writeUInt16LE(sizeBytes - PREFIX_BYTES, 8);
  bytes.write(text, PREFIX_BYTES, 'latin1');
  bytes[sizeBytes - 1] = 0x0a;
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}

class NpyLayout implements FileLayout {
  readonly sizeBytes: number;
  readonly #header: Uint8Array;
  /** Absent for an array of no elements. */
  readonly #elements: ArraySegments | undefined;

  constructor(array: ArrayDescription) {
    this.#header = header(array);
    this.#elements = array.shape.includes(0) ? undefined : new ArraySegments(array);
    this.sizeBytes = this.#header.length + (this.#elements?.sizeBytes ?? 0);
  }

  segments(offsetBytes: number, sizeBytes: number): readonly Segment[] {
    const headerBytes = this.#header.length;
    const from = Math.max(0, offsetBytes);
    const to = Math.min(this.sizeBytes, offsetBytes + sizeBytes);
    const found: Segment[] = [];
    if (from >= to) return found;
    if (from < headerBytes) found.push({ kind: 'bytes', offsetBytes: 0, bytes: this.#header });
    this.#elements?.push(headerBytes, from - headerBytes, to - headerBytes, found);
    return found;
  }
}

/**
 * NumPy's file of one array (numpy.lib.format, NEP 1): little-endian, C order, elements from a multiple of 64. Holds
 * every dtype; `numpy.load(mmap_mode='r')` maps it.
 */
const npy: ArrayEncoder = {
  takes: 'array',
  id: 'npy',
  extension: '.npy',

  layout(array: ArrayDescription): FileLayout {
    const { name, shape, dtype } = array;
    const is = shape.length === 0 ? 'one number' : shape.join(' × ');
    if (shape.length > MOST_AXES)
      throw new FsRefusal(
        'not-supported',
        `${name}: numpy reads arrays of at most ${MOST_AXES} axes, not ${shape.length}`,
      );
    if (shape.some((extent) => !Number.isSafeInteger(extent) || extent < 0))
      throw new FsRefusal('not-supported', `${name}: ${is} is no shape of an array`);
    if (array.isBoolean && dtype !== 'uint8')
      throw new FsRefusal('not-supported', `${name}: truth values are bytes, not ${dtype}`);
    // An empty array is no bytes, whatever its other extents are.
    const sizeBytes = shape.includes(0)
      ? 0
      : shape.reduce((product, extent) => product * extent, itemSizeBytes(dtype));
    if (sizeBytes > Number.MAX_SAFE_INTEGER - 2 ** 20)
      throw new FsRefusal('not-supported', `${name}: an array of ${is} is too large for a file`);
    return new NpyLayout(array);
  },
};

export default npy;
