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

/** Four bytes of 0 or 1 for each number of four bits, lowest bit first. */
const BYTES_OF_BITS = Int32Array.from(
  { length: 16 },
  (_, bits) => (bits & 1) | ((bits & 2) << 7) | ((bits & 4) << 14) | ((bits & 8) << 21),
);
/** Multiplying four bytes of 0 or 1 by this brings them to the top four bits' places, lowest byte first. */
const GATHER_BITS = 0x01020408;
const NOT_ZERO_OR_ONE = ~0x01010101;

/** The pixels in fours, where rows begin at whole fours and memory is aligned. */
function inFours(pixels: NumberPixels, width: number): Int32Array | undefined {
  if (!(pixels instanceof Uint8Array) || (width & 3) !== 0 || (pixels.byteOffset & 3) !== 0) return undefined;
  return new Int32Array(pixels.buffer, pixels.byteOffset, pixels.length >> 2);
}

/** Every pixel that is not 0 becomes a set bit. */
export function packMask(pixels: NumberPixels, width: number, height: number): BitMask {
  const wordsPerRow = (width + 31) >>> 5;
  const words = new Int32Array(wordsPerRow * height);
  const fours = inFours(pixels, width);
  if (fours !== undefined && packFours(fours, words, width >> 2, wordsPerRow)) {
    return { width, height, wordsPerRow, words };
  }
  words.fill(0);
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

/** Packs bytes of 0 and 1 four at a time; false, with `words` half done, when there is any other byte. */
function packFours(fours: Int32Array, words: Int32Array, foursPerRow: number, wordsPerRow: number): boolean {
  let others = 0;
  for (let row = 0, four = 0; four < fours.length; row += wordsPerRow) {
    for (let i = 0; i < foursPerRow; i++, four++) {
      const bytes = fours[four] as number;
      if (bytes === 0) continue;
      others |= bytes & NOT_ZERO_OR_ONE;
      const bits = (Math.imul(bytes, GATHER_BITS) >>> 24) & 15;
      words[row + (i >> 3)] = (words[row + (i >> 3)] as number) | (bits << ((i & 7) << 2));
    }
  }
  return others === 0;
}

/** A byte of 0 or 1 for every pixel. */
export function unpackMask({ width, height, wordsPerRow, words }: BitMask): Uint8Array<ArrayBuffer> {
  const pixels = new Uint8Array(width * height);
  const fours = inFours(pixels, width);
  if (fours !== undefined) {
    const foursPerRow = width >> 2;
    for (let row = 0, four = 0; four < fours.length; row += wordsPerRow) {
      for (let i = 0; i < foursPerRow; i++, four++) {
        const bits = ((words[row + (i >> 3)] as number) >>> ((i & 7) << 2)) & 15;
        if (bits !== 0) fours[four] = BYTES_OF_BITS[bits] as number;
      }
    }
    return pixels;
  }
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
