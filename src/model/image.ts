import type { Dtype } from '../core/nd-array.ts';

/** What an encoder needs to know of an image; extents in the order t, c, z, y, x. Absent means unknown. */
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
    /** In which the source shows it: hexadecimal RGB, `00FFFF`. */
    readonly color?: string;
  }[];
}
