import type { JpegComponent, JpegImage } from './jpeg-decode.ts';

/**
 * Chroma that was stored at half the width or height is interpolated between its neighbours, three parts of the
 * nearer and one of the farther, rounded as IJG's decoder rounds: what libtiff and every program over it shows.
 * Other ratios are repeated.
 */
function fullRow(
  component: JpegComponent,
  y: number,
  width: number,
  most: { h: number; v: number },
  row: Int32Array,
): void {
  const { h, v, samples, stride } = component;
  const across = most.h / h;
  const down = most.v / v;
  const inRow = Math.min(Math.floor(y / down), component.height - 1);
  const smoothAcross = across === 2 && component.width > 2;
  const smoothDown = down === 2 && (across === 1 || (across === 2 && smoothAcross));
  const other = y % 2 === 0 ? Math.max(0, inRow - 1) : Math.min(component.height - 1, inRow + 1);
  const at = inRow * stride;
  const beside = other * stride;
  if (smoothDown && across === 1) {
    const bias = y % 2 === 0 ? 1 : 2;
    for (let x = 0; x < width; x++)
      row[x] = (3 * (samples[at + x] as number) + (samples[beside + x] as number) + bias) >> 2;
    return;
  }
  if (!smoothAcross || (down !== 1 && down !== 2)) {
    for (let x = 0; x < width; x++) row[x] = samples[at + Math.floor(x / across)] as number;
    return;
  }
  const last = component.width - 1;
  const [scale, shift, early, late] = smoothDown ? [3, 4, 8, 7] : [1, 2, 1, 2];
  const value = (x: number): number =>
    smoothDown
      ? scale * (samples[at + x] as number) + (samples[beside + x] as number)
      : (samples[at + x] as number);
  for (let x = 0; x < width; x++) {
    const inside = x >> 1;
    const own = value(inside);
    const far =
      x % 2 === 0 ? (inside === 0 ? own : value(inside - 1)) : inside === last ? own : value(inside + 1);
    row[x] = (3 * own + far + (x % 2 === 0 ? early : late)) >> shift;
  }
}

/**
 * The first rows of a stream's image, its components side by side.
 * @param toRgb the components are Y, Cb and Cr (ITU-R BT.601, full range, as JFIF has it), red, green and blue are wanted.
 */
export function interleave(image: JpegImage, rows: number, toRgb: boolean, target: Uint8Array): void {
  const { components, width } = image;
  const most = { h: Math.max(...components.map(({ h }) => h)), v: Math.max(...components.map(({ v }) => v)) };
  const line = components.map(() => new Int32Array(width));
  const clamp = (value: number): number => (value < 0 ? 0 : value > 255 ? 255 : value);
  const count = components.length;
  for (let y = 0, to = 0; y < rows; y++) {
    for (const [i, component] of components.entries())
      fullRow(component, y, width, most, line[i] as Int32Array);
    const [first, second, third] = line;
    if (toRgb && first && second && third) {
      for (let x = 0; x < width; x++, to += 3) {
        const luma = first[x] as number;
        const blue = (second[x] as number) - 128;
        const red = (third[x] as number) - 128;
        target[to] = clamp(luma + ((91881 * red + 32768) >> 16));
        target[to + 1] = clamp(luma + ((-22554 * blue - 46802 * red + 32768) >> 16));
        target[to + 2] = clamp(luma + ((116130 * blue + 32768) >> 16));
      }
      continue;
    }
    for (let x = 0; x < width; x++)
      for (let i = 0; i < count; i++) target[to++] = (line[i] as Int32Array)[x] as number;
  }
}
