/** Swaps the bytes of every item in place. `bytes.length` is a multiple of `itemBytes`. */
export function swapBytes(bytes: Uint8Array, itemBytes: number): void {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (itemBytes === 2) view.swap16();
  else if (itemBytes === 4) view.swap32();
  else if (itemBytes === 8) view.swap64();
}

/** Swaps the outer bytes of every three in place. */
export function swapTriples(bytes: Uint8Array): void {
  for (let at = 0; at + 2 < bytes.length; at += 3) {
    const first = bytes[at] as number;
    bytes[at] = bytes[at + 2] as number;
    bytes[at + 2] = first;
  }
}

/** Reverses the bits of every byte in place: FillOrder 2 (TIFF 6.0 page 32). */
export function reverseBits(bytes: Uint8Array): void {
  for (let index = 0; index < bytes.length; index++) {
    let b = bytes[index] as number;
    b = ((b & 0xf0) >> 4) | ((b & 0x0f) << 4);
    b = ((b & 0xcc) >> 2) | ((b & 0x33) << 2);
    bytes[index] = ((b & 0xaa) >> 1) | ((b & 0x55) << 1);
  }
}

function accumulate(
  row: Uint8Array | Uint16Array | Uint32Array | BigUint64Array,
  rowItems: number,
  samples: number,
): void {
  if (row instanceof BigUint64Array) {
    for (let start = 0; start < row.length; start += rowItems) {
      for (let i = start + samples; i < start + rowItems; i++) {
        row[i] = (row[i] as bigint) + (row[i - samples] as bigint);
      }
    }
    return;
  }
  if (samples === 1) {
    for (let start = 0; start < row.length; start += rowItems) {
      const end = start + rowItems;
      let sum = row[start] as number;
      for (let i = start + 1; i < end; i++) {
        sum = (sum + (row[i] as number)) | 0;
        row[i] = sum;
      }
    }
    return;
  }
  for (let start = 0; start < row.length; start += rowItems) {
    for (let i = start + samples; i < start + rowItems; i++) {
      row[i] = (row[i] as number) + (row[i - samples] as number);
    }
  }
}

/**
 * Undoes horizontal differencing (predictor 2, TIFF 6.0 section 14) in place. The differences are between
 * sample values, so big-endian data must be byte-swapped before. `bytes` starts on a multiple of `itemBytes`.
 */
export function undoHorizontal(
  bytes: Uint8Array,
  rowBytes: number,
  samples: number,
  itemBytes: 1 | 2 | 4 | 8,
): void {
  const items = bytes.byteLength / itemBytes;
  const { buffer, byteOffset } = bytes;
  const rowItems = rowBytes / itemBytes;
  if (itemBytes === 1) accumulate(bytes, rowItems, samples);
  else if (itemBytes === 2) accumulate(new Uint16Array(buffer, byteOffset, items), rowItems, samples);
  else if (itemBytes === 4) accumulate(new Uint32Array(buffer, byteOffset, items), rowItems, samples);
  else accumulate(new BigUint64Array(buffer, byteOffset, items), rowItems, samples);
}

/**
 * Undoes the floating point predictor (3; Adobe Photoshop TIFF Technical Note 3, 2005) in place: each row is
 * byte-wise differenced and holds all most significant bytes first, in any file. Leaves little-endian items.
 */
export function undoFloatingPoint(
  bytes: Uint8Array,
  rowBytes: number,
  samples: number,
  itemBytes: number,
): void {
  const items = rowBytes / itemBytes;
  const planes = new Uint8Array(rowBytes);
  for (let start = 0; start < bytes.length; start += rowBytes) {
    for (let i = 0; i < rowBytes; i++) {
      const left = i >= samples ? (planes[i - samples] as number) : 0;
      planes[i] = (bytes[start + i] as number) + left;
    }
    for (let byte = 0; byte < itemBytes; byte++) {
      const plane = (itemBytes - 1 - byte) * items;
      let to = start + byte;
      for (let i = 0; i < items; i++, to += itemBytes) bytes[to] = planes[plane + i] as number;
    }
  }
}

/**
 * Unpacks `count` samples of 1 to 31 bits, most significant bit first, from a row that starts at `offset`.
 */
export function unpackBits(
  row: Uint8Array,
  offset: number,
  skip: number,
  count: number,
  bits: number,
  target: Uint8Array | Uint16Array | Uint32Array,
  targetOffset: number,
): void {
  let bitAt = skip * bits;
  for (let i = 0; i < count; i++) {
    let value = 0;
    let left = bits;
    while (left > 0) {
      const inByte = 8 - (bitAt & 7);
      const take = Math.min(inByte, left);
      const piece = ((row[offset + (bitAt >> 3)] as number) >> (inByte - take)) & ((1 << take) - 1);
      value = value * 2 ** take + piece;
      bitAt += take;
      left -= take;
    }
    target[targetOffset + i] = value;
  }
}
