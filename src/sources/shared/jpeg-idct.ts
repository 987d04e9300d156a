/**
 * The inverse DCT that every common decoder uses by default (IJG's "slow" integer transform, after Loeffler, Ligtenberg
 * and Moschytz, 1989): bit for bit, so that pixels are those of libtiff. Constants are times 2^13.
 */
const workspace = new Int32Array(64);

/** One pass over eight values that lie `stride` apart, from `from` to `to`, scaled down by 2^`shift` with rounding. */
function pass(from: Int32Array, to: Int32Array, at: number, stride: number, shift: number): void {
  const v0 = from[at] as number;
  const v1 = from[at + stride] as number;
  const v2 = from[at + 2 * stride] as number;
  const v3 = from[at + 3 * stride] as number;
  const v4 = from[at + 4 * stride] as number;
  const v5 = from[at + 5 * stride] as number;
  const v6 = from[at + 6 * stride] as number;
  const v7 = from[at + 7 * stride] as number;

  const rotated = (v2 + v6) * 4433;
  const even2 = rotated - v6 * 15137;
  const even3 = rotated + v2 * 6270;
  const even0 = (v0 + v4) * 8192;
  const even1 = (v0 - v4) * 8192;

  const z5 = (v7 + v3 + v5 + v1) * 9633;
  const z1 = (v7 + v1) * -7373;
  const z2 = (v5 + v3) * -20995;
  const z3 = (v7 + v3) * -16069 + z5;
  const z4 = (v5 + v1) * -3196 + z5;
  const odd0 = v7 * 2446 + z1 + z3;
  const odd1 = v5 * 16819 + z2 + z4;
  const odd2 = v3 * 25172 + z2 + z3;
  const odd3 = v1 * 12299 + z1 + z4;

  const half = 1 << (shift - 1);
  to[at] = (even0 + even3 + odd3 + half) >> shift;
  to[at + 7 * stride] = (even0 + even3 - odd3 + half) >> shift;
  to[at + stride] = (even1 + even2 + odd2 + half) >> shift;
  to[at + 6 * stride] = (even1 + even2 - odd2 + half) >> shift;
  to[at + 2 * stride] = (even1 - even2 + odd1 + half) >> shift;
  to[at + 5 * stride] = (even1 - even2 - odd1 + half) >> shift;
  to[at + 3 * stride] = (even0 - even3 + odd0 + half) >> shift;
  to[at + 4 * stride] = (even0 - even3 - odd0 + half) >> shift;
}

/**
 * @param block 64 dequantized coefficients in row order; changed.
 * @param into samples are written here from `at`, rows `stride` apart.
 */
export function inverseDct(block: Int32Array, into: Uint8ClampedArray, at: number, stride: number): void {
  for (let column = 0; column < 8; column++) pass(block, workspace, column, 8, 11);
  for (let row = 0; row < 8; row++) {
    pass(workspace, block, row * 8, 1, 18);
    const start = at + row * stride;
    for (let i = 0; i < 8; i++) into[start + i] = (block[row * 8 + i] as number) + 128;
  }
}
