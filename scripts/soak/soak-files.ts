/** What the soak writes: planes of 2048² pixels of 16 bits, one file each, and one BigTIFF that grows page by page. */
const SIDE = 2048;
export const PLANE_BYTES = SIDE * SIDE * 2;
/** Pixels of every plane are a stretch of this: signal in the high bits, a camera's noise in the low ones. */
const NOISE_BYTES = 64 * 2 ** 20;
/** Planes begin at odd places of the noise, so that no two neighbours are alike. */
const STEP_BYTES = 2 * 1_048_573;

const SHORT = 3;
const LONG = 4;
const LONG8 = 16;
const CLASSIC_HEAD_BYTES = 256;
const BIG_HEAD_BYTES = 16;
const PAGE_HEAD_BYTES = 256;
const PAGE_BYTES = PAGE_HEAD_BYTES + PLANE_BYTES;

/** Fills shared memory with the noise that all threads cut planes from. */
export function makeNoise(): SharedArrayBuffer {
  const memory = new SharedArrayBuffer(NOISE_BYTES);
  const pixels = new Uint16Array(memory);
  let state = 1;
  for (let index = 0; index < pixels.length; index++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    pixels[index] = 200 + (state >>> 25) + ((index >> 9) & 0x1ff);
  }
  return memory;
}

/** The pixels of a plane: a view. */
export function planePixels(noise: SharedArrayBuffer, plane: number): Uint8Array {
  const start = (plane * STEP_BYTES) % (NOISE_BYTES - PLANE_BYTES);
  return new Uint8Array(noise, start - (start % 2), PLANE_BYTES);
}

type Tag = readonly [tag: number, type: number, value: number];

const tagsOf = (pixelsAt: number, offsetType: number): Tag[] => [
  [256, SHORT, SIDE],
  [257, SHORT, SIDE],
  [258, SHORT, 16],
  [259, SHORT, 1],
  [262, SHORT, 1],
  [273, offsetType, pixelsAt],
  [277, SHORT, 1],
  [278, LONG, SIDE],
  [279, LONG, PLANE_BYTES],
];

/** Bytes before the pixels of a file of one plane: a classic TIFF, directory first. */
export function classicHead(): Buffer {
  const head = Buffer.alloc(CLASSIC_HEAD_BYTES);
  head.write('II');
  head.writeUInt16LE(42, 2);
  head.writeUInt32LE(8, 4);
  const tags = tagsOf(CLASSIC_HEAD_BYTES, LONG);
  head.writeUInt16LE(tags.length, 8);
  tags.forEach(([tag, type, value], index) => {
    const at = 10 + 12 * index;
    head.writeUInt16LE(tag, at);
    head.writeUInt16LE(type, at + 2);
    head.writeUInt32LE(1, at + 4);
    head.writeUInt32LE(value, at + 8);
  });
  return head;
}

/** Bytes before a page's pixels in the growing BigTIFF: for the first also the file's header. */
export function pageHead(page: number, pages: number): Buffer {
  const lead = page === 0 ? BIG_HEAD_BYTES : 0;
  const head = Buffer.alloc(lead + PAGE_HEAD_BYTES);
  if (page === 0) {
    head.write('II');
    head.writeUInt16LE(43, 2);
    head.writeUInt16LE(8, 4);
    head.writeBigUInt64LE(BigInt(BIG_HEAD_BYTES), 8);
  }
  const tags = tagsOf(pagePixelsAt(page), LONG8);
  head.writeBigUInt64LE(BigInt(tags.length), lead);
  tags.forEach(([tag, type, value], index) => {
    const at = lead + 8 + 20 * index;
    head.writeUInt16LE(tag, at);
    head.writeUInt16LE(type, at + 2);
    head.writeBigUInt64LE(1n, at + 4);
    if (type === LONG8) head.writeBigUInt64LE(BigInt(value), at + 12);
    else head.writeUInt32LE(value, at + 12);
  });
  const next = page + 1 < pages ? BIG_HEAD_BYTES + (page + 1) * PAGE_BYTES : 0;
  head.writeBigUInt64LE(BigInt(next), lead + 8 + 20 * tags.length);
  return head;
}

/** Where the pixels of a file of one plane begin. */
export const PLANE_PIXELS_AT = CLASSIC_HEAD_BYTES;

/** Where a page's pixels begin in the BigTIFF. */
export const pagePixelsAt = (page: number): number => BIG_HEAD_BYTES + page * PAGE_BYTES + PAGE_HEAD_BYTES;

const WELLS = 96;
/** `A01_s001_w1_z001_t0001.tif`, well by well. */
export function planeName(number: number): string {
  const well = number % WELLS;
  const row = String.fromCharCode(65 + Math.floor(well / 12));
  const column = String((well % 12) + 1).padStart(2, '0');
  return `${row}${column}_s001_w1_z001_t${String(Math.floor(number / WELLS) + 1).padStart(4, '0')}.tif`;
}

/** Folder and file of the mount that are written. */
export const RUN_FOLDER = 'run';
export const HUGE_NAME = 'huge.tif';
