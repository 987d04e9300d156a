import { HookFailedError } from '../../core/errors.ts';
import type { NdArray } from '../../core/nd-array.ts';
import { type BitMask, packMask, unpackMask } from './bit-mask.ts';
import { type FootprintShape, halfWidths } from './footprint.ts';
import { planeOf } from './pixel-types.ts';

const ALL_ONES = -1;

/** `row[i] &= row >> bits`, where what comes in at the end is ones. */
function andWithShifted(row: Int32Array, bits: number): void {
  const wordShift = bits >>> 5;
  const bitShift = bits & 31;
  const count = row.length;
  for (let i = 0; i < count; i++) {
    const low = i + wordShift < count ? (row[i + wordShift] as number) : ALL_ONES;
    if (bitShift === 0) {
      row[i] = (row[i] as number) & low;
      continue;
    }
    const high = i + wordShift + 1 < count ? (row[i + wordShift + 1] as number) : ALL_ONES;
    row[i] = (row[i] as number) & ((low >>> bitShift) | (high << (32 - bitShift)));
  }
}

/**
 * One row of the mask with `marginWords` words of ones on both sides, and ones from the image's edge on.
 */
function loadRow(into: Int32Array, mask: BitMask, y: number, marginWords: number): void {
  const { width, wordsPerRow, words } = mask;
  into.fill(ALL_ONES);
  into.set(words.subarray(y * wordsPerRow, (y + 1) * wordsPerRow), marginWords);
  const tailBits = width & 31;
  if (tailBits !== 0) {
    const last = marginWords + wordsPerRow - 1;
    into[last] = (into[last] as number) | (ALL_ONES << tailBits);
  }
}

/**
 * ANDs every row of the plane, eroded along x by a run of 2 × half + 1 pixels, into the rows of `out` that
 * have it in their footprint, `dys` rows above them or below.
 */
function erodeByRuns(mask: BitMask, half: number, dys: readonly number[], out: Int32Array): void {
  const { height, wordsPerRow } = mask;
  const marginWords = (half + 31) >>> 5;
  const row = new Int32Array(wordsPerRow + 2 * marginWords);
  const length = 2 * half + 1;
  const first = marginWords * 32 - half;
  const wordOffset = first >>> 5;
  const bitOffset = first & 31;
  const eroded = new Int32Array(wordsPerRow);
  for (let y = 0; y < height; y++) {
    loadRow(row, mask, y, marginWords);
    // after each step bit i says whether pixels i … i + covered - 1 are all set
    let covered = 1;
    for (; covered * 2 <= length; covered *= 2) andWithShifted(row, covered);
    if (covered < length) andWithShifted(row, length - covered);
    for (let w = 0; w < wordsPerRow; w++) {
      const low = row[w + wordOffset] as number;
      eroded[w] =
        bitOffset === 0
          ? low
          : (low >>> bitOffset) | ((row[w + wordOffset + 1] as number) << (32 - bitOffset));
    }
    for (const dy of dys) {
      const target = y - dy;
      if (target < 0 || target >= height) continue;
      const start = target * wordsPerRow;
      for (let w = 0; w < wordsPerRow; w++) {
        out[start + w] = (out[start + w] as number) & (eroded[w] as number);
      }
    }
  }
}

/** Erosion with everything outside the image set. `reaches` are the footprint's half widths, top to bottom. */
function erode(mask: BitMask, reaches: readonly number[]): BitMask {
  const radius = (reaches.length - 1) / 2;
  const rowsByReach = new Map<number, number[]>();
  reaches.forEach((reach, row) => {
    const rows = rowsByReach.get(reach) ?? [];
    rows.push(row - radius);
    rowsByReach.set(reach, rows);
  });
  const words = new Int32Array(mask.words.length).fill(ALL_ONES);
  for (const [reach, rows] of rowsByReach) erodeByRuns(mask, reach, rows, words);
  return { ...mask, words };
}

function complement(mask: BitMask): BitMask {
  return { ...mask, words: mask.words.map((word) => ~word) };
}

/**
 * Dilation with everything outside the image clear: the complement's erosion, as the footprints are symmetric
 * and the outside is complemented too.
 */
function dilate(mask: BitMask, reaches: readonly number[]): BitMask {
  return complement(erode(complement(mask), reaches));
}

type Morphology = (mask: BitMask, reaches: readonly number[]) => BitMask;

const OPERATIONS: Readonly<Record<string, Morphology>> = {
  'binary-erosion': erode,
  'binary-dilation': dilate,
  'binary-opening': (mask, reaches) => dilate(erode(mask, reaches), reaches),
  'binary-closing': (mask, reaches) => erode(dilate(mask, reaches), reaches),
};

/** `skimage.morphology.binary_*` on whatever is not 0; a mask of 0 and 1. */
export function binaryMorphology(
  array: NdArray,
  operation: string,
  shape: FootprintShape,
  radius: number,
): NdArray<'uint8'> {
  const { height, width, pixels } = planeOf(array);
  const apply = OPERATIONS[operation];
  if (apply === undefined) throw new HookFailedError(`${operation} is no binary morphology`);
  const result = apply(packMask(pixels, width, height), halfWidths(shape, radius));
  return { dtype: 'uint8', shape: [height, width], data: unpackMask(result) };
}
