/**
 * PackBits (TIFF 6.0 section 9).
 * @returns bytes written, fewer than `target` holds when the stream ends early.
 */
export function decodePackBits(source: Uint8Array, target: Uint8Array): number {
  let at = 0;
  let out = 0;
  while (at < source.length && out < target.length) {
    const head = source[at++] as number;
    if (head === 128) continue;
    if (head < 128) {
      const length = Math.min(head + 1, source.length - at, target.length - out);
      target.set(source.subarray(at, at + length), out);
      at += head + 1;
      out += length;
    } else {
      if (at >= source.length) return out;
      const length = Math.min(257 - head, target.length - out);
      target.fill(source[at++] as number, out, out + length);
      out += length;
    }
  }
  return out;
}
