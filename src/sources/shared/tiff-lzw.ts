const CLEAR = 256;
const END = 257;
const FIRST_FREE = 258;
const TABLE_SIZE = 4096;
/** More entries than the table has. */
const NEVER = 8192;

/**
 * Where the output of each code since the last clear begins. Code 258 + j stands for the output of the j-th
 * code since the clear and the one byte after it, so its length follows from its neighbour.
 */
const starts = new Uint32Array(TABLE_SIZE + 2);

/**
 * TIFF's LZW (TIFF 6.0 section 13: most significant bit first, codes widen one entry early). The table holds
 * no strings but the places in the output where they were written: the string that a code adds is its
 * predecessor's output and the one byte after it, which lies there already.
 * @returns bytes written, fewer than `target` holds when the stream ends early; -1 for a code that can't be.
 */
export function decodeLzw(source: Uint8Array, target: Uint8Array): number {
  const sourceEnd = source.length;
  const targetEnd = target.length;
  const table = starts;
  let at = 0;
  /** Bits of `source[at]` used already. */
  let used = 0;
  let out = 0;
  let width = 9;
  let next = FIRST_FREE;
  let widenAt = 512;
  while (out < targetEnd) {
    const end = used + width;
    let three = 0;
    if (at + 2 < sourceEnd) {
      three = ((source[at] as number) << 16) | ((source[at + 1] as number) << 8) | (source[at + 2] as number);
    } else {
      if (at + ((end + 7) >> 3) > sourceEnd) return out;
      three = ((source[at] as number) << 16) | ((source[at + 1] ?? 0) << 8);
    }
    const code = (three >>> (24 - end)) & ((1 << width) - 1);
    at += end >> 3;
    used = end & 7;
    if (code < CLEAR) {
      if (next <= TABLE_SIZE) table[next++] = out;
      target[out++] = code;
    } else if (code >= FIRST_FREE) {
      if (code >= next) return -1;
      if (next <= TABLE_SIZE) table[next++] = out;
      let from = table[code] as number;
      let length = (table[code + 1] as number) - from + 1;
      if (length <= 4 && out + 4 <= targetEnd) {
        // Most strings are short: four bytes without asking how many, the next code overwrites the surplus.
        target[out] = target[from] as number;
        target[out + 1] = target[from + 1] as number;
        target[out + 2] = target[from + 2] as number;
        target[out + 3] = target[from + 3] as number;
        out += length;
      } else {
        if (out + length > targetEnd) length = targetEnd - out;
        if (length > 48 && from + length <= out) {
          target.copyWithin(out, from, from + length);
          out += length;
        } else {
          // Forward byte by byte: the newest string may overlap what it writes.
          const stop = out + length;
          while (out < stop) target[out++] = target[from++] as number;
        }
      }
    } else if (code === CLEAR) {
      width = 9;
      next = FIRST_FREE;
      widenAt = 512;
      continue;
    } else {
      return code === END ? out : -1;
    }
    if (next === widenAt) {
      width++;
      widenAt = width === 12 ? NEVER : widenAt << 1;
    }
  }
  return out;
}
