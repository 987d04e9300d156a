import { crc32 as zlibCrc32 } from 'node:zlib';

/** CRC-32 of zlib. */
export function crc32(bytes: Uint8Array): number {
  return zlibCrc32(bytes);
}

const MODULUS = 65_521;
/** So many bytes can be summed before a 32-bit sum overflows (zlib's `NMAX`). */
const RUN_BYTES = 5552;

/** Adler-32 (RFC 1950, 8.2). */
export function adler32(bytes: Uint8Array): number {
  let low = 1;
  let high = 0;
  for (let start = 0; start < bytes.length; start += RUN_BYTES) {
    const end = Math.min(start + RUN_BYTES, bytes.length);
    for (let at = start; at < end; at++) {
      low += bytes[at] ?? 0;
      high += low;
    }
    low %= MODULUS;
    high %= MODULUS;
  }
  return ((high << 16) | low) >>> 0;
}
