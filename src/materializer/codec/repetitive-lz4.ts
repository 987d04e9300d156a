/**
 * Expands one raw LZ4 block (lz4 `lz4_Block_format.md`) into `output`; false when the block is damaged or does not
 * fill `output` exactly. Meant for streams of long matches, such as the upper bytes of camera data: each match is
 * one `fill` or a few `copyWithin`.
 */
export function expandRepetitive(block: Uint8Array, output: Uint8Array): boolean {
  let input = 0;
  let at = 0;
  const longLength = (length: number): number => {
    if (length !== 15) return length;
    let byte = 255;
    while (byte === 255) {
      if (input >= block.length) return Number.POSITIVE_INFINITY;
      byte = block[input++] ?? 0;
      length += byte;
    }
    return length;
  };
  while (input < block.length) {
    const token = block[input++] ?? 0;
    const literals = longLength(token >> 4);
    if (input + literals > block.length || at + literals > output.length) return false;
    output.set(block.subarray(input, input + literals), at);
    input += literals;
    at += literals;
    if (input === block.length) return at === output.length;
    if (input + 2 > block.length) return false;
    const distance = (block[input] ?? 0) | ((block[input + 1] ?? 0) << 8);
    input += 2;
    const length = longLength(token & 15) + 4;
    if (distance === 0 || distance > at || at + length > output.length) return false;
    const start = at - distance;
    const end = at + length;
    if (distance === 1) {
      output.fill(output[start] ?? 0, at, end);
      at = end;
      continue;
    }
    while (at < end) {
      const piece = Math.min(at - start, end - at);
      output.copyWithin(at, start, start + piece);
      at += piece;
    }
  }
  return false;
}
