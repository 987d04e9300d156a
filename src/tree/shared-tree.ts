import { fieldStarts, type PlateAxes, plateAxes } from '../model/plate-axes.ts';
import type { PlateIndex } from '../model/plate-index.ts';

/** What every thread of a mount holds the same copy of. Plain data over shared memory. */
export interface SharedTree {
  readonly index: PlateIndex;
  readonly axes: PlateAxes;
  readonly fieldStarts: Uint32Array;
  /** Per field two entries, of the z-stack and of the projections; filled by whoever looks first. */
  readonly widths: Uint32Array;
  readonly heights: Uint32Array;
  readonly dtypes: Uint8Array;
  readonly mountedAtMs: number;
}

/** Lays out what threads share. */
export function shareTree(index: PlateIndex, mountedAtMs: number): SharedTree {
  const starts = fieldStarts(index);
  const entries = Math.max(0, starts.length - 1) * 2;
  const shared = (bytes: number): SharedArrayBuffer => new SharedArrayBuffer(bytes);
  const sharedStarts = new Uint32Array(shared(starts.byteLength));
  sharedStarts.set(starts);
  return {
    index,
    axes: plateAxes(index),
    fieldStarts: sharedStarts,
    widths: new Uint32Array(shared(entries * 4)),
    heights: new Uint32Array(shared(entries * 4)),
    dtypes: new Uint8Array(shared(entries)),
    mountedAtMs,
  };
}
