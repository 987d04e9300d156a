/** Where the pixels of a {@link planeFile} begin. */
export const HEADER_BYTES = 8 + 2 + 10 * 12 + 4;

/** A 16-bit plane like a camera's (background, noise, blobs) in a TIFF of one strip. */
export function planeFile(sizePx: number, seed: number): Buffer {
  const file = Buffer.alloc(HEADER_BYTES + sizePx * sizePx * 2);
  const pixelBytes = sizePx * sizePx * 2;
  file.write('II*\0', 0, 'latin1');
  file.writeUInt32LE(8, 4);
  const tags: [number, number, number][] = [
    [256, 4, sizePx],
    [257, 4, sizePx],
    [258, 3, 16],
    [259, 3, 1],
    [262, 3, 1],
    [273, 4, HEADER_BYTES],
    [277, 3, 1],
    [278, 4, sizePx],
    [279, 4, pixelBytes],
    [339, 3, 1],
  ];
  file.writeUInt16LE(tags.length, 8);
  tags.forEach(([tag, type, value], index) => {
    const at = 10 + 12 * index;
    file.writeUInt16LE(tag, at);
    file.writeUInt16LE(type, at + 2);
    file.writeUInt32LE(1, at + 4);
    file.writeUInt32LE(value, at + 8);
  });
  let state = seed * 2654435761;
  for (let pixel = 0; pixel < sizePx * sizePx; pixel++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const noise = ((state >>> 8) & 31) + ((state >>> 16) & 31);
    const x = pixel % sizePx;
    const y = Math.floor(pixel / sizePx);
    const blob = ((x >> 5) + (y >> 5) + seed) % 7 === 0 ? 600 : 0;
    file.writeUInt16LE(180 + noise + blob, HEADER_BYTES + 2 * pixel);
  }
  return file;
}
