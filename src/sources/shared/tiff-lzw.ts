const CLEAR = 256;
const END = 257;
const FIRST_FREE = 258;
const TABLE_SIZE = 4096;

const positions = new Uint32Array(TABLE_SIZE);
const lengths = new Uint16Array(TABLE_SIZE);

/**
 * TIFF's LZW (TIFF 6.0 section 13: most significant bit first, codes widen one entry early). An entry of the
 * table is not a string but the place in the output where that string was written: the string that a code
 * adds is its predecessor's output and the one byte after it, which lies there already.
 * @returns bytes written, fewer than `target` holds when the stream ends early; -1 for a code that can't be.
 */
export function decodeLzw(source: Uint8Array, target: Uint8Array): number {
  const sourceEnd = source.length;
  const targetEnd = target.length;
  let at = 0;
  let out = 0;
  let accumulator = 0;
  let bits = 0;
  let width = 9;
  let next = FIRST_FREE;
  let previous = 0;
  let previousLength = 0;
  while (out < targetEnd) {
    while (bits < width) {
      if (at >= sourceEnd) return out;
      accumulator = (accumulator << 8) | (source[at++] as number);
      bits += 8;
    }
    bits -= width;
    const code = (accumulator >>> bits) & ((1 << width) - 1);
    if (code === CLEAR) {
      width = 9;
      next = FIRST_FREE;
      previousLength = 0;
      continue;
    }
    if (code === END) return out;
    if (previousLength > 0 && next < TABLE_SIZE) {
      positions[next] = previous;
      lengths[next] = previousLength + 1;
      next++;
      if (next === (1 << width) - 1 && width < 12) width++;
    }
    previous = out;
    if (code < CLEAR) {
      target[out++] = code;
      previousLength = 1;
      continue;
    }
    if (code >= next || next === FIRST_FREE) return -1;
    let from = positions[code] as number;
    const length = Math.min(lengths[code] as number, targetEnd - out);
    previousLength = length;
    const end = out + length;
    // Forward byte by byte: the newest string may overlap what it writes.
    if (length > 64 && from + length <= out) {
      target.copyWithin(out, from, from + length);
      out = end;
    } else {
      while (out < end) target[out++] = target[from++] as number;
    }
  }
  return out;
}
