/** So many words can be summed before a sum of 32 bits overflows. */
const RUN_WORDS = 360;

const fold = (sum: number): number => (sum & 0xffff) + (sum >>> 16);

/** The checksum of HDF5's Fletcher-32 filter: of big-endian words, an odd byte counts as a word's high one. */
export function fletcher32(bytes: Uint8Array): number {
  let low = 0;
  let high = 0;
  const evenBytes = bytes.length - (bytes.length % 2);
  for (let start = 0; start < evenBytes; start += 2 * RUN_WORDS) {
    const end = Math.min(start + 2 * RUN_WORDS, evenBytes);
    for (let at = start; at < end; at += 2) {
      low += ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
      high += low;
    }
    low = fold(low);
    high = fold(high);
  }
  if (evenBytes < bytes.length) {
    low += (bytes[evenBytes] ?? 0) << 8;
    high += low;
    low = fold(low);
    high = fold(high);
  }
  low = fold(low);
  high = fold(high);
  return ((high << 16) | low) >>> 0;
}

/** The same as early writers on little-endian machines computed it: bytes of either half swapped. */
export function swappedFletcher32(checksum: number): number {
  return (((checksum & 0x00ff00ff) << 8) | ((checksum >>> 8) & 0x00ff00ff)) >>> 0;
}
