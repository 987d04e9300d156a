import { allocate, type NdArray } from '../../core/nd-array.ts';
import { type FootprintShape, footprintOffsets, halfWidths } from './footprint.ts';
import { BAND_BYTES, kernelFunction, kernelMemory } from './kernel-memory.ts';
import { medianNetwork } from './median-network.ts';
import { type NumberPlane, planeOf, refuseNaN } from './pixel-types.ts';
import { reflectedIndex } from './reflection.ts';
import { slidingMedian } from './sliding-median.ts';

const VECTOR_BYTES = 16;
/** A network's work grows with the square of the footprint; above this a sliding histogram is faster. */
const MAX_NETWORK_PIXELS = 121;
/** Networks kept compiled; one is for one footprint, pixel type and image width. */
const MAX_NETWORKS = 8;

const networks = new Map<string, WebAssembly.Module>();

function networkFor(
  shape: FootprintShape,
  radius: number,
  { dtype, pixels }: NumberPlane,
  pitch: number,
): WebAssembly.Module {
  const key = `${shape} ${radius} ${dtype} ${pitch}`;
  let network = networks.get(key);
  if (network === undefined) {
    const offsets = footprintOffsets(shape, radius).map(
      ([dy, dx]) => (dy + radius) * pitch + (dx + radius) * pixels.BYTES_PER_ELEMENT,
    );
    network = medianNetwork(offsets, dtype);
    if (networks.size >= MAX_NETWORKS) networks.delete(networks.keys().next().value ?? '');
    networks.set(key, network);
  }
  return network;
}

const alignUp = (bytes: number): number => Math.ceil(bytes / VECTOR_BYTES) * VECTOR_BYTES;

function medianByNetwork(plane: NumberPlane, shape: FootprintShape, radius: number): NdArray {
  const { height, width, pixels, dtype } = plane;
  const itemBytes = pixels.BYTES_PER_ELEMENT;
  const outPitch = alignUp(width * itemBytes);
  const pitch = alignUp(outPitch + 2 * radius * itemBytes);
  const bandRows = Math.min(height, Math.max(radius, Math.floor(BAND_BYTES / pitch / 2) - 2 * radius));
  const paddedRows = bandRows + 2 * radius;
  const outAt = paddedRows * pitch;
  const buffer = kernelMemory(outAt + bandRows * outPitch);
  const medianRow = kernelFunction(networkFor(shape, radius, plane, pitch), 'medianRow');
  const filtered = allocate(dtype, [height, width]);
  const target = new Uint8Array(filtered.data.buffer);
  const bytes = new Uint8Array(buffer);
  const padded = new (pixels.constructor as new (memory: ArrayBuffer) => typeof pixels)(buffer);

  for (let top = 0; top < height; top += bandRows) {
    const rows = Math.min(bandRows, height - top);
    for (let row = 0; row < rows + 2 * radius; row++) {
      const from = reflectedIndex(top + row - radius, height) * width;
      const start = (row * pitch) / itemBytes;
      (padded as Float32Array).set((pixels as Float32Array).subarray(from, from + width), start + radius);
      for (let x = 0; x < radius; x++) {
        padded[start + x] = pixels[from + reflectedIndex(x - radius, width)] as number;
        padded[start + radius + width + x] = pixels[from + reflectedIndex(width + x, width)] as number;
      }
    }
    for (let row = 0; row < rows; row++) {
      const outRow = outAt + row * outPitch;
      medianRow(row * pitch, outRow, outRow + outPitch);
      target.set(bytes.subarray(outRow, outRow + width * itemBytes), (top + row) * width * itemBytes);
    }
  }
  return filtered;
}

/** `scipy.ndimage.median_filter`, exact, in the input's type. @throws HookFailedError when there is a NaN. */
export function medianFilter(array: NdArray, shape: FootprintShape, radius: number): NdArray {
  const plane = planeOf(array);
  refuseNaN(plane, 'median');
  const reaches = halfWidths(shape, radius);
  const footprintPixels = reaches.reduce((sum, half) => sum + 2 * half + 1, 0);
  // half floats have no SIMD lanes
  if (footprintPixels <= MAX_NETWORK_PIXELS && plane.dtype !== 'float16') {
    return medianByNetwork(plane, shape, radius);
  }
  const { height, width, pixels, dtype } = plane;
  return { dtype, shape: [height, width], data: slidingMedian(pixels, width, height, reaches) } as NdArray;
}
