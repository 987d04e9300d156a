import lz4 from 'lz4-napi';

/** A block this many times smaller than its content is long matches, which JavaScript's `fill` does faster. */
const REPETITIVE_RATIO = 16;

/**
 * Expands the raw LZ4 block of `packedBytes` at `position` of `encoded` into `output`; false when it is damaged or
 * does not fill `output` exactly. The four bytes before the block are overwritten.
 */
export function decodeLz4Block(
  encoded: Buffer,
  position: number,
  packedBytes: number,
  output: Uint8Array,
): boolean {
  const end = position + packedBytes;
  if (packedBytes * REPETITIVE_RATIO < output.length)
    return expandRepetitive(encoded.subarray(position, end), output);
  // The native decoder wants the decoded size before the block.
  encoded.writeUInt32LE(output.length, position - 4);
  let decoded: Buffer;
  try {
    decoded = lz4.uncompressSync(encoded.subarray(position - 4, end));
  } catch {
    // It throws plain text for any damage; the caller names the file.
    return false;
  }
  if (decoded.length !== output.length) return false;
  output.set(decoded);
  return true;
}

/**
 * Expands one raw LZ4 block (lz4 `lz4_Block_format.md`) into `output`; false when the block is damaged or does not
 * fill `output` exactly. Meant for streams of long matches, such as the upper bytes of camera data: each match is
 * one `fill` or a few `copyWithin`.
 */
function expandRepetitive(block: Uint8Array, output: Uint8Array): boolean {
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
