import type { NdArray, TypedArray } from '../../core/nd-array.ts';

/** The distinct buffers of some views that can be moved to another thread: those that are not shared memory. */
export function ownedBuffers(views: readonly TypedArray[]): ArrayBuffer[] {
  const buffers = new Set<ArrayBuffer>();
  for (const { buffer } of views) if (buffer instanceof ArrayBuffer) buffers.add(buffer);
  return [...buffers];
}

/** The array itself if it fills its buffer or lies in shared memory, else a copy that can be moved away. */
export function movable(array: NdArray): NdArray {
  const { data } = array;
  const whole = data.byteLength === data.buffer.byteLength;
  return whole || data.buffer instanceof SharedArrayBuffer ? array : { ...array, data: data.slice() };
}
