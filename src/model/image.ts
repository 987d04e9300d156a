import type { Dtype } from '../core/nd-array.ts';

/** What an encoder needs to know of an image; extents in the order t, c, z, y, x. Absent means unknown. */
export interface ImageInfo {
  readonly name: string;
  readonly shape: readonly [t: number, c: number, z: number, y: number, x: number];
  readonly dtype: Dtype;
  readonly pixelSizeUm?: { readonly x: number; readonly y: number };
  readonly zSpacingUm?: number;
  readonly timeIntervalS?: number;
  /** When its first plane was acquired, Unix time. */
  readonly acquiredAtMs?: number;
  /** One per channel of the c axis, or empty. */
  readonly channels: readonly ImageChannel[];
  /** What the user wants files to hold where the pixels are float64. As they are unless set. */
  readonly float64As?: 'float32';
}

export interface ImageChannel {
  readonly name?: string;
  readonly emissionNm?: number;
  readonly excitationNm?: number;
  /** In which the source shows it: hexadecimal RGB, `00FFFF`. */
  readonly color?: string;
}

/** What is known of one plane of an image. Absent means unknown. */
export interface ImagePlane {
  readonly xUm?: number;
  readonly yUm?: number;
  readonly zUm?: number;
  /** Seconds since the image's `acquiredAtMs`, or, where that is absent, since the plate's first plane. */
  readonly elapsedS?: number;
}

/** The parts of a colour, 0 to 255 each; undefined where it is none. */
export function colourParts(color: string | undefined): readonly [number, number, number] | undefined {
  if (color === undefined || !/^[0-9a-f]{6}$/i.test(color)) return undefined;
  const value = Number.parseInt(color, 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}

/** Looks up what is known of a plane, by its indices. */
export type PlaneLookup = (t: number, c: number, z: number) => ImagePlane | undefined;
