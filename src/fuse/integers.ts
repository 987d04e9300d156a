import { FsRefusal } from '../core/errors.ts';

const TWO_32 = 0x1_0000_0000;
/** The upper half of 2^53. */
const SAFE_HIGH_LIMIT = 0x20_0000;

/**
 * An unsigned 64-bit integer of the wire as a safe integer.
 *
 * @throws FsRefusal 'invalid-argument' (EINVAL) at 2^53 and above.
 */
export function readSafeInteger(view: DataView, at: number): number {
  const high = view.getUint32(at + 4, true);
  if (high >= SAFE_HIGH_LIMIT)
    throw new FsRefusal('invalid-argument', `number of 2^53 or more in a FUSE request at byte ${at}`);
  return high * TWO_32 + view.getUint32(at, true);
}

/** A number that only limits something (a length, a count): what is above 2^53 - 1 is 2^53 - 1. */
export function readCappedInteger(view: DataView, at: number): number {
  const high = view.getUint32(at + 4, true);
  return high >= SAFE_HIGH_LIMIT ? Number.MAX_SAFE_INTEGER : high * TWO_32 + view.getUint32(at, true);
}

/** Writes a non-negative safe integer as an unsigned 64-bit one. */
export function writeSafeInteger(view: DataView, at: number, value: number): void {
  view.setUint32(at, value % TWO_32, true);
  view.setUint32(at + 4, Math.floor(value / TWO_32), true);
}

const NS_PER_SECOND = 1_000_000_000;
const scratch = new DataView(new ArrayBuffer(8));

/**
 * Writes a time as the wire's split pair: signed seconds at `secondsAt` (8 bytes), nanoseconds 0..999,999,999
 * at `nsAt` (4 bytes). Long division over 16-bit digits: no BigInt arithmetic, hence no garbage, for times
 * from 1970 on.
 */
export function writeTime(view: DataView, secondsAt: number, nsAt: number, timeNs: bigint): void {
  scratch.setBigInt64(0, timeNs);
  if (scratch.getInt32(0) < 0) {
    const seconds =
      (timeNs - (((timeNs % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n)) / 1_000_000_000n;
    view.setBigInt64(secondsAt, seconds, true);
    view.setUint32(nsAt, Number(timeNs - seconds * 1_000_000_000n), true);
    return;
  }
  let seconds = 0;
  let rest = 0;
  for (let digit = 0; digit < 8; digit += 2) {
    const part = rest * 65_536 + scratch.getUint16(digit);
    const quotient = Math.floor(part / NS_PER_SECOND);
    rest = part - quotient * NS_PER_SECOND;
    seconds = seconds * 65_536 + quotient;
  }
  writeSafeInteger(view, secondsAt, seconds);
  view.setUint32(nsAt, rest, true);
}

/** Reads a time that {@link writeTime} or the kernel wrote. */
export function readTime(view: DataView, secondsAt: number, nsAt: number): bigint {
  return view.getBigInt64(secondsAt, true) * 1_000_000_000n + BigInt(view.getUint32(nsAt, true));
}

/** Writes a timeout in milliseconds as the wire's split pair; a negative one counts as 0. */
export function writeTimeout(view: DataView, secondsAt: number, nsAt: number, timeoutMs: number): void {
  const boundedMs = Math.max(0, Math.min(timeoutMs, Number.MAX_SAFE_INTEGER));
  const seconds = Math.floor(boundedMs / 1000);
  writeSafeInteger(view, secondsAt, seconds);
  view.setUint32(nsAt, Math.floor((boundedMs - seconds * 1000) * 1_000_000), true);
}
