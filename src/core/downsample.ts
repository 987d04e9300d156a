import { type Dtype, fromBytes, itemSizeBytes, type TypedArray } from './nd-array.ts';

/** How a level is made of the one above it: of the mean of two by two pixels, or of the first of them. */
export type Downsampling = 'mean' | 'nearest';

/** A plane, or a part of one, as little-endian pixels in C order. */
export interface PlanePixels {
  readonly height: number;
  readonly width: number;
  readonly bytes: Uint8Array;
}

type Numbers = Exclude<TypedArray, BigInt64Array | BigUint64Array>;

/** Sums of four fit 32 bits. */
const isSmall = (dtype: Dtype): boolean =>
  dtype === 'uint8' || dtype === 'int8' || dtype === 'uint16' || dtype === 'int16';

const isFloat = (dtype: Dtype): boolean => dtype.startsWith('float');

/** Means of whole numbers of up to 16 bits, rounded half up. */
function meanSmall(source: Numbers, height: number, width: number, target: Numbers): void {
  let out = 0;
  const pairs = width >> 1;
  for (let y = 0; y < height; y += 2) {
    let above = y * width;
    let below = y + 1 < height ? above + width : above;
    for (let x = 0; x < pairs; x += 1, above += 2, below += 2) {
      const sum =
        (source[above] as number) +
        (source[above + 1] as number) +
        (source[below] as number) +
        (source[below + 1] as number);
      target[out++] = (sum + 2) >> 2;
    }
    if (width & 1) target[out++] = ((source[above] as number) + (source[below] as number) + 1) >> 1;
  }
}

/** Sums of four pixels, in double precision, as `finish` takes them. */
function meanOf(
  source: Numbers,
  height: number,
  width: number,
  target: Numbers,
  finish: (sum: number) => number,
): void {
  let out = 0;
  for (let y = 0; y < height; y += 2) {
    const above = y * width;
    const below = y + 1 < height ? above + width : above;
    for (let x = 0; x < width; x += 2) {
      const right = x + 1 < width ? x + 1 : x;
      const upper = (source[above + x] as number) + (source[above + right] as number);
      const lower = (source[below + x] as number) + (source[below + right] as number);
      target[out++] = finish(upper + lower);
    }
  }
}

/** Of whole numbers of 32 bits, rounded half up: their sums are exact in a double. */
const meanWide = (sum: number): number => Math.floor((sum + 2) / 4);
const meanFloat = (sum: number): number => sum / 4;

const TWO_32 = 2 ** 32;

/** Means of whole numbers of 64 bits, rounded half up, by their halves: BigInt would be a hundred times slower. */
function meanLong(
  low: Uint32Array<ArrayBufferLike>,
  high: Uint32Array<ArrayBufferLike> | Int32Array<ArrayBufferLike>,
  height: number,
  width: number,
  target: Uint32Array,
): void {
  let out = 0;
  for (let y = 0; y < height; y += 2) {
    const above = y * width;
    const below = y + 1 < height ? above + width : above;
    for (let x = 0; x < width; x += 2) {
      const right = x + 1 < width ? x + 1 : x;
      const [a, b, c, d] = [2 * (above + x), 2 * (above + right), 2 * (below + x), 2 * (below + right)];
      const lows = (low[a] as number) + (low[b] as number) + (low[c] as number) + (low[d] as number) + 2;
      const carry = Math.floor(lows / TWO_32);
      const highs =
        (high[a + 1] as number) +
        (high[b + 1] as number) +
        (high[c + 1] as number) +
        (high[d + 1] as number) +
        carry;
      const quarter = Math.floor(highs / 4);
      target[out++] = Math.floor(((highs - 4 * quarter) * TWO_32 + (lows - carry * TWO_32)) / 4);
      target[out++] = quarter;
    }
  }
}

/** The first pixel of every two by two. */
function first(source: Numbers, height: number, width: number, target: Numbers): void {
  let out = 0;
  for (let y = 0; y < height; y += 2)
    for (let x = 0; x < width; x += 2) target[out++] = source[y * width + x] as number;
}

function firstLong(source: TypedArray, height: number, width: number, target: TypedArray): void {
  const from = source as BigInt64Array;
  const to = target as BigInt64Array;
  let out = 0;
  for (let y = 0; y < height; y += 2)
    for (let x = 0; x < width; x += 2) to[out++] = from[y * width + x] as bigint;
}

/**
 * A plane at half the resolution, extents rounded up. `mean`: of two by two pixels, in whole numbers rounded half up
 * (towards +∞), else in double precision; at an odd edge, of the pixels there are. `nearest`: the first of them, for
 * labels, which no mean makes sense of.
 */
export function halve(plane: PlanePixels, dtype: Dtype, downsampling: Downsampling): PlanePixels {
  const { height, width } = plane;
  const source = fromBytes(dtype, [height, width], plane.bytes).data;
  const half = { height: Math.ceil(height / 2), width: Math.ceil(width / 2) };
  const bytes = new Uint8Array(half.height * half.width * itemSizeBytes(dtype));
  const target = fromBytes(dtype, [half.height, half.width], bytes).data;
  if (dtype === 'int64' || dtype === 'uint64') {
    if (downsampling === 'nearest') firstLong(source, height, width, target);
    else {
      const { buffer, byteOffset, length } = source;
      const low = new Uint32Array(buffer, byteOffset, 2 * length);
      meanLong(
        low,
        dtype === 'int64' ? new Int32Array(buffer, byteOffset, 2 * length) : low,
        height,
        width,
        new Uint32Array(bytes.buffer),
      );
    }
  } else if (downsampling === 'nearest') first(source as Numbers, height, width, target as Numbers);
  else if (isSmall(dtype)) meanSmall(source as Numbers, height, width, target as Numbers);
  else meanOf(source as Numbers, height, width, target as Numbers, isFloat(dtype) ? meanFloat : meanWide);
  return { ...half, bytes };
}
