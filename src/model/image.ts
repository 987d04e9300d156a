import type { Dtype } from '../core/nd-array.ts';

/** The axes of every image inside PlateFS, in this order. */
export const AXES = ['t', 'c', 'z', 'y', 'x'] as const;

/** What an encoder needs to know of an image; extents in the order of {@link AXES}. Absent means unknown. */
export interface ImageInfo {
  readonly name: string;
  readonly shape: readonly [t: number, c: number, z: number, y: number, x: number];
  readonly dtype: Dtype;
  readonly pixelSizeUm?: { readonly x: number; readonly y: number };
  readonly zSpacingUm?: number;
  readonly timeIntervalS?: number;
  /** One per channel of the c axis, or empty. */
  readonly channels: readonly {
    readonly name?: string;
    readonly emissionNm?: number;
  }[];
}
