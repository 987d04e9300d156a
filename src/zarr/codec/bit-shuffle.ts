/**
 * Undoes the bit shuffle of Blosc 1 (bitshuffle's `bshuf_trans_bit_elem`): row `8k + i` holds bit `i` of byte `k` of
 * every element, eight elements to a byte, lowest bit first. c-blosc copies a block whose elements are no multiple of
 * eight as it is (`shuffle.c`), and so does this.
 */
export function bitUnshuffle(block: Uint8Array, typeSizeBytes: number, output: Uint8Array): void {
  const count = Math.floor(block.length / typeSizeBytes);
  if (count % 8 !== 0) {
    output.set(block);
    return;
  }
  const rowBytes = count / 8;
  for (let byte = 0; byte < typeSizeBytes; byte++) {
    const first = byte * 8 * rowBytes;
    for (let group = 0; group < rowBytes; group++) {
      const at = first + group;
      // Row i in bits 8i … 8i + 7: `low` has rows 0 … 3, `high` rows 4 … 7.
      let low =
        (block[at] ?? 0) |
        ((block[at + rowBytes] ?? 0) << 8) |
        ((block[at + 2 * rowBytes] ?? 0) << 16) |
        ((block[at + 3 * rowBytes] ?? 0) << 24);
      let high =
        (block[at + 4 * rowBytes] ?? 0) |
        ((block[at + 5 * rowBytes] ?? 0) << 8) |
        ((block[at + 6 * rowBytes] ?? 0) << 16) |
        ((block[at + 7 * rowBytes] ?? 0) << 24);
      // Transposes the 8 by 8 bits: swaps single bits, then pairs, then fours.
      let swap = (low ^ (low >>> 7)) & 0x00aa00aa;
      low ^= swap ^ (swap << 7);
      swap = (high ^ (high >>> 7)) & 0x00aa00aa;
      high ^= swap ^ (swap << 7);
      swap = (low ^ (low >>> 14)) & 0x0000cccc;
      low ^= swap ^ (swap << 14);
      swap = (high ^ (high >>> 14)) & 0x0000cccc;
      high ^= swap ^ (swap << 14);
      const first4 = (low & 0x0f0f0f0f) | ((high & 0x0f0f0f0f) << 4);
      const last4 = ((low >>> 4) & 0x0f0f0f0f) | (high & 0xf0f0f0f0);
      let target = group * 8 * typeSizeBytes + byte;
      for (let element = 0; element < 4; element++, target += typeSizeBytes)
        output[target] = first4 >>> (8 * element);
      for (let element = 0; element < 4; element++, target += typeSizeBytes)
        output[target] = last4 >>> (8 * element);
    }
  }
  output.set(block.subarray(count * typeSizeBytes), count * typeSizeBytes);
}
