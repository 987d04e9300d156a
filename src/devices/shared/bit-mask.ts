import type { NumberPixels } from './pixel-types.ts';

/**
 * A mask with one bit per pixel: pixel x of row y is bit `x & 31` of word `y * wordsPerRow + (x >> 5)`. Bits
 * from `width` to the end of a row's last word are undefined.
 */
export interface BitMask {
  readonly width: number;
  readonly height: number;
  readonly wordsPerRow: number;
  readonly words: Int32Array;
}

/** Every pixel that is not 0 becomes a set bit. */
export function packMask(pixels: NumberPixels, width: number, height: number): BitMask {
  const wordsPerRow = (width + 31) >>> 5;
  const words = new Int32Array(wordsPerRow * height);
  for (let y = 0; y < height; y++) {
    const rowStart = y * width;
    for (let w = 0; w < wordsPerRow; w++) {
      const first = rowStart + (w << 5);
      const count = Math.min(32, width - (w << 5));
      let word = 0;
      for (let bit = 0; bit < count; bit++) {
        if (pixels[first + bit] !== 0) word |= 1 << bit;
      }
      words[y * wordsPerRow + w] = word;
    }
  }
  return { width, height, wordsPerRow, words };
}

/** A byte of 0 or 1 for every pixel. */
export function unpackMask({ width, height, wordsPerRow, words }: BitMask): Uint8Array<ArrayBuffer> {
  const pixels = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    const rowStart = y * width;
    for (let w = 0; w < wordsPerRow; w++) {
      let word = words[y * wordsPerRow + w] as number;
      if (word === 0) continue;
      const first = rowStart + (w << 5);
      const count = Math.min(32, width - (w << 5));
      for (let bit = 0; bit < count; bit++) {
        pixels[first + bit] = word & 1;
        word >>>= 1;
      }
    }
  }
  return pixels;
}
