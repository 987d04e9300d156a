import { crc32 } from 'node:zlib';

/**
 * Checksums of stretches of a file, 64 KiB each: the CRC-32 of the bytes, what lies past the end being zeros, XOR that
 * of as many zeros. So a hole has 0; a file that grows keeps its sums; and since CRC-32 is linear, the sum after a
 * write follows from the sum before, the bytes written and the bytes they replace, however small a part they are.
 */
export const UNIT_BYTES = 65_536;

/** The reversed polynomial of CRC-32 (IEEE 802.3). */
const POLYNOMIAL = 0xedb8_8320;
const zeros = Buffer.alloc(UNIT_BYTES);

/** The product of two polynomials modulo that of CRC-32; bit 31 is the coefficient of 1. */
function product(one: number, other: number): number {
  let result = 0;
  let shifted = other;
  for (let bits = one | 0; bits !== 0; bits <<= 1) {
    if (bits < 0) result ^= shifted;
    shifted = shifted & 1 ? (shifted >>> 1) ^ POLYNOMIAL : shifted >>> 1;
  }
  return result;
}

/** x to the power of 8·n, for numbers of bytes that came up. */
const powers = new Uint32Array(UNIT_BYTES + 1);
powers[0] = 0x8000_0000;
powers[1] = 0x0080_0000;

function power(bytes: number): number {
  const known = powers[bytes] ?? 0;
  if (known !== 0) return known;
  const half = power(bytes >> 1);
  const even = product(half, half);
  const value = (bytes & 1 ? product(even, power(1)) : even) >>> 0;
  powers[bytes] = value;
  return value;
}

/** What a difference of CRCs becomes when so many bytes follow. */
const shifted = (difference: number, bytes: number): number =>
  difference === 0 || bytes === 0 ? difference >>> 0 : product(power(bytes), difference) >>> 0;

const zeroCrcs = new Map<number, number>();

function crcOfZeros(bytes: number): number {
  let known = zeroCrcs.get(bytes);
  if (known === undefined) {
    known = crc32(zeros.subarray(0, bytes));
    if (zeroCrcs.size < 4096) zeroCrcs.set(bytes, known);
  }
  return known;
}

/** The sum of a unit that holds these bytes and then zeros. */
export const unitSum = (bytes: Uint8Array): number =>
  shifted(crc32(bytes) ^ crcOfZeros(bytes.length), UNIT_BYTES - bytes.length);

/**
 * The sum of a unit once bytes in it are replaced.
 * @param atBytes - Where they lie in the unit.
 * @param before - As many bytes that are there; undefined: zeros.
 * @param after - Undefined: zeros.
 */
export function changedSum(
  sum: number,
  atBytes: number,
  sizeBytes: number,
  before: Uint8Array | undefined,
  after: Uint8Array | undefined,
): number {
  const old = before === undefined ? crcOfZeros(sizeBytes) : crc32(before);
  const next = after === undefined ? crcOfZeros(sizeBytes) : crc32(after);
  return (sum ^ shifted(old ^ next, UNIT_BYTES - atBytes - sizeBytes)) >>> 0;
}

/** The CRC-32 of whole units, one after another, from their sums. */
export function crcOfUnits(sums: Uint32Array): number {
  let crc = 0;
  for (const [index, sum] of sums.entries()) {
    const own = sum ^ crcOfZeros(UNIT_BYTES);
    crc = index === 0 ? own : shifted(crc, UNIT_BYTES) ^ own;
  }
  return crc >>> 0;
}

/** The sums of a stretch of a file, from a unit on. */
export interface SumsOfUnits {
  readonly firstUnit: number;
  readonly sums: Uint32Array;
}

/** The units that hold a stretch of bytes: the first, and the one behind the last. */
export const unitsOf = (offsetBytes: number, sizeBytes: number): { first: number; end: number } => ({
  first: Math.floor(offsetBytes / UNIT_BYTES),
  end: Math.ceil((offsetBytes + sizeBytes) / UNIT_BYTES),
});

const scratch = Buffer.allocUnsafeSlow(UNIT_BYTES);

/**
 * Compares bytes that were read with their sums.
 * @param target - The bytes from `offsetBytes` on.
 * @param fileSizeBytes - Where the file ends.
 * @param read - Reads a stretch of the file anew: of a unit of which only a part was asked for.
 * @returns the first unit that is not what was written, or undefined.
 */
export function damagedUnit(
  { firstUnit, sums }: SumsOfUnits,
  target: Uint8Array,
  offsetBytes: number,
  fileSizeBytes: number,
  read: (offsetBytes: number, into: Uint8Array) => void,
): number | undefined {
  const { first, end } = unitsOf(offsetBytes, target.length);
  for (let unit = first; unit < end; unit++) {
    const start = unit * UNIT_BYTES;
    const sizeBytes = Math.min(UNIT_BYTES, fileSizeBytes - start);
    if (sizeBytes <= 0) return undefined;
    const from = start - offsetBytes;
    let bytes: Uint8Array;
    if (from >= 0 && from + sizeBytes <= target.length) bytes = target.subarray(from, from + sizeBytes);
    else {
      bytes = scratch.subarray(0, sizeBytes);
      read(start, bytes);
    }
    if (unitSum(bytes) !== (sums[unit - firstUnit] ?? 0)) return unit;
  }
  return undefined;
}
