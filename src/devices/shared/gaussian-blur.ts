import type { NdArray } from '../../core/nd-array.ts';
import { GAUSSIAN_WASM } from './gaussian.generated.ts';
import { BAND_BYTES, kernelFunction, kernelMemory } from './kernel-memory.ts';
import { planeOf } from './pixel-types.ts';
import { reflectedIndex } from './reflection.ts';

/** scipy's default: the kernel ends at four standard deviations. */
const TRUNCATE = 4;
/** Bytes per step of the kernel: sixteen float32. */
const BLOCK_BYTES = 64;

let compiled: WebAssembly.Module | undefined;

/** Centre weight first, then outwards; they sum to 1 over the whole symmetric kernel. */
function gaussianWeights(sigma: number): Float32Array<ArrayBuffer> {
  const radius = Math.trunc(TRUNCATE * sigma + 0.5);
  const weights = Float64Array.from({ length: radius + 1 }, (_, j) => Math.exp((-0.5 * j * j) / sigma ** 2));
  let sum = weights[0] ?? 1;
  for (let j = 1; j <= radius; j++) sum += 2 * (weights[j] ?? 0);
  return Float32Array.from(weights, (weight) => weight / sum);
}

const alignUp = (bytes: number, to: number): number => Math.ceil(bytes / to) * to;

/** `scipy.ndimage.gaussian_filter` as float32, by SIMD over bands of rows. */
export function gaussianBlur(array: NdArray, sigma: number): NdArray<'float32'> {
  const { height, width, pixels } = planeOf(array);
  const weights = gaussianWeights(sigma);
  const radius = weights.length - 1;
  const pitch = alignUp(width * 4, BLOCK_BYTES);
  const fixedRows = 2 * radius;
  const bandRows = Math.min(
    height,
    Math.max(Math.ceil(fixedRows / 2), 1, Math.floor(BAND_BYTES / pitch / 2) - fixedRows),
  );

  const weightsAt = 0;
  const rowAt = alignUp(weights.byteLength, BLOCK_BYTES);
  const sourceAt = rowAt + alignUp(fixedRows * 4, BLOCK_BYTES) + pitch;
  const outAt = sourceAt + (bandRows + fixedRows) * pitch;
  const buffer = kernelMemory(outAt + bandRows * pitch);
  const floats = new Float32Array(buffer);
  compiled ??= new WebAssembly.Module(Buffer.from(GAUSSIAN_WASM, 'base64'));
  const blurRows = kernelFunction(compiled, 'blurRows');

  floats.set(weights, weightsAt / 4);
  const blurred = new Float32Array(height * width);
  for (let top = 0; top < height; top += bandRows) {
    const rows = Math.min(bandRows, height - top);
    for (let row = 0; row < rows + fixedRows; row++) {
      const y = reflectedIndex(top + row - radius, height);
      floats.set(pixels.subarray(y * width, (y + 1) * width), (sourceAt + row * pitch) / 4);
    }
    blurRows(sourceAt, rowAt, outAt, weightsAt, radius, width, rows, pitch);
    for (let row = 0; row < rows; row++) {
      const from = (outAt + row * pitch) / 4;
      blurred.set(floats.subarray(from, from + width), (top + row) * width);
    }
  }
  return { dtype: 'float32', shape: [height, width], data: blurred };
}
