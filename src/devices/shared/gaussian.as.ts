// AssemblyScript, compiled by scripts/gen-kernels.ts into gaussian.generated.ts. The host lays memory out.

/** Pixels per step: four SIMD registers of four float32 each. */
const BLOCK: i32 = 16;

/** Sample that stands at position p of a row of n when borders reflect between pixels, for any p. */
function reflect(p: i32, n: i32): i32 {
  const period = 2 * n;
  let q = p % period;
  if (q < 0) q += period;
  return q < n ? q : period - 1 - q;
}

/**
 * Symmetric correlation at one block: weights[0] is the centre's, weights[j] belongs to the samples `j * step`
 * bytes before and after `centre`.
 */
// @ts-ignore: decorator
@inline
function correlateBlock(centre: usize, step: usize, weights: usize, radius: i32, out: usize): void {
  const w0 = v128.load32_splat(weights);
  let a0 = f32x4.mul(w0, v128.load(centre));
  let a1 = f32x4.mul(w0, v128.load(centre, 16));
  let a2 = f32x4.mul(w0, v128.load(centre, 32));
  let a3 = f32x4.mul(w0, v128.load(centre, 48));
  let before = centre;
  let after = centre;
  let weight = weights;
  for (let j = 0; j < radius; j++) {
    before -= step;
    after += step;
    weight += 4;
    const w = v128.load32_splat(weight);
    a0 = f32x4.add(a0, f32x4.mul(w, f32x4.add(v128.load(before), v128.load(after))));
    a1 = f32x4.add(a1, f32x4.mul(w, f32x4.add(v128.load(before, 16), v128.load(after, 16))));
    a2 = f32x4.add(a2, f32x4.mul(w, f32x4.add(v128.load(before, 32), v128.load(after, 32))));
    a3 = f32x4.add(a3, f32x4.mul(w, f32x4.add(v128.load(before, 48), v128.load(after, 48))));
  }
  v128.store(out, a0);
  v128.store(out, a1, 16);
  v128.store(out, a2, 32);
  v128.store(out, a3, 48);
}

/**
 * Blurs a band of rows. `source` holds rowCount + 2 * radius float32 rows (the host has reflected them), each
 * `pitch` bytes apart, a multiple of 64 and at least width * 4. `row` is scratch of 2 * radius * 4 + pitch
 * bytes. `weights` are radius + 1 float32. Writes rowCount rows of `pitch` bytes to `out`; pixels from `width`
 * on are meaningless.
 */
export function blurRows(
  source: usize,
  row: usize,
  out: usize,
  weights: usize,
  radius: i32,
  width: i32,
  rowCount: i32,
  pitch: usize,
): void {
  const inner = row + ((<usize>radius) << 2);
  for (let y = 0; y < rowCount; y++) {
    const centre = source + <usize>(y + radius) * pitch;
    for (let x = 0; x < width; x += BLOCK) {
      const offset = (<usize>x) << 2;
      correlateBlock(centre + offset, pitch, weights, radius, inner + offset);
    }
    for (let x = 0; x < radius; x++) {
      const left = reflect(x - radius, width);
      const right = reflect(width + x, width);
      store<f32>(row + ((<usize>x) << 2), load<f32>(inner + ((<usize>left) << 2)));
      store<f32>(inner + ((<usize>(width + x)) << 2), load<f32>(inner + ((<usize>right) << 2)));
    }
    const target = out + <usize>y * pitch;
    for (let x = 0; x < width; x += BLOCK) {
      const offset = (<usize>x) << 2;
      correlateBlock(inner + offset, 4, weights, radius, target + offset);
    }
  }
}
