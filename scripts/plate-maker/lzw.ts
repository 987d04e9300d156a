/**
 * LZW as TIFF 6.0, section 13: codes from 9 to 12 bits, highest bit first, clear code 256, end code 257,
 * widened one code early.
 */
const CLEAR = 256;
const END = 257;
const FIRST_FREE = 258;
const LAST_CODE = 4094;
const TABLE_SIZE = 1 << 14;

/** Encodes one strip. */
export function encodeLzw(input: Uint8Array): Uint8Array {
  const keys = new Int32Array(TABLE_SIZE).fill(-1);
  const codes = new Uint16Array(TABLE_SIZE);
  const output = new Uint8Array(Math.ceil(input.length * 1.6) + 16);
  let length = 0;
  let held = 0;
  let heldBits = 0;
  let width = 9;
  let next = FIRST_FREE;
  const emit = (code: number): void => {
    held = (held << width) | code;
    heldBits += width;
    while (heldBits >= 8) {
      heldBits -= 8;
      output[length] = (held >>> heldBits) & 0xff;
      length += 1;
    }
    held &= (1 << heldBits) - 1;
  };
  emit(CLEAR);
  let prefix = input[0] ?? -1;
  for (let i = 1; i < input.length; i += 1) {
    const byte = input[i] ?? 0;
    const key = (prefix << 8) | byte;
    let slot = Math.imul(key, 0x9e3779b1) >>> 18;
    while (keys[slot] !== -1 && keys[slot] !== key) slot = (slot + 1) & (TABLE_SIZE - 1);
    if (keys[slot] === key) {
      prefix = codes[slot] ?? 0;
      continue;
    }
    emit(prefix);
    prefix = byte;
    keys[slot] = key;
    codes[slot] = next;
    next += 1;
    // The decoder is one entry behind, so the width grows when the next code would be the last of its width.
    if (next > LAST_CODE) {
      emit(CLEAR);
      keys.fill(-1);
      next = FIRST_FREE;
      width = 9;
    } else if (next === 512 || next === 1024 || next === 2048) width += 1;
  }
  if (prefix >= 0) {
    emit(prefix);
    next += 1;
    if (next === 512 || next === 1024 || next === 2048) width += 1;
  }
  emit(END);
  if (heldBits > 0) {
    output[length] = (held << (8 - heldBits)) & 0xff;
    length += 1;
  }
  return output.subarray(0, length);
}
