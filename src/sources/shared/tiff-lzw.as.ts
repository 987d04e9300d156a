// AssemblyScript, compiled by scripts/gen-kernels.ts into tiff-lzw.generated.ts. The host lays memory out and holds the
// addresses; `tiff-lzw.ts` says what they are.
//
// TIFF's LZW (TIFF 6.0 section 13: most significant bit first, codes widen one entry early).

const CLEAR: u32 = 256;
const END: u32 = 257;
const FIRST_FREE: u32 = 258;
const TABLE_SIZE: u32 = 4096;
const MOST_WIDTH: u32 = 12;
/** More than the longest string has: it grows by a byte per entry of the table. */
const STRING_BYTES: usize = 4096;

/** Why {@link decode} returned. */
const FULL: u32 = 0;
const STARVED: u32 = 1;
const ENDED: u32 = 2;
const IMPOSSIBLE: u32 = 3;

/** Entry `code` of the table, 8 bytes: where its string lies, and how long it is. */
let table: usize = 0;
/** The output's memory. Before it lies room for one string, behind it room for one and a vector. */
let area: usize = 0;
/** Strings that are needed when the output's memory is used again: behind it, to the end of all memory. */
let kept: usize = 0;
let keptEnd: usize = 0;
let out: usize = 0;
/** In bits, from the start of the stored bytes that are there. */
let position: u32 = 0;
let next: u32 = FIRST_FREE;

// @ts-ignore: decorator
@inline
function setEntry(code: u32, start: usize, length: u32): void {
  const entry = table + ((<usize>code) << 3);
  store<u32>(entry, <u32>start);
  store<u32>(entry, length, 4);
}

/** Says where everything lies; once. */
export function place(tableAt: usize, literalsAt: usize, areaAt: usize, keptAt: usize): void {
  table = tableAt;
  area = areaAt;
  kept = keptAt;
  for (let code: u32 = 0; code < CLEAR; code++) {
    store<u8>(literalsAt + code, <u8>code);
    setEntry(code, literalsAt + code, 1);
  }
}

/** Before the first {@link decode} of a strip or tile. */
export function begin(): void {
  next = FIRST_FREE;
  keptEnd = kept;
  out = area;
  position = 0;
}

/** Where the output ends; it begins with the output's memory. */
export function outputEnd(): usize {
  return out;
}

/** How many stored bytes are used up: the next are expected to begin behind them. */
export function dropUsedBytes(): u32 {
  const bytes = position >> 3;
  position &= 7;
  return bytes;
}

/** Whether a string of the table lies where output is written. */
// @ts-ignore: decorator
@inline
function isInOutput(start: usize): bool {
  return start >= area - STRING_BYTES && start < kept;
}

/** Where {@link reuse} would end writing. */
export function reuseEnd(): usize {
  let end = keptEnd;
  for (let code = FIRST_FREE; code < next; code++) {
    const entry = table + ((<usize>code) << 3);
    if (isInOutput(<usize>load<u32>(entry))) end += <usize>load<u32>(entry, 4);
  }
  return end;
}

/**
 * Lets the output's memory be written again from its start: strings of the table are kept elsewhere. The newest one
 * lacks its last byte, which is the next that is written: so it comes to lie right before that.
 */
export function reuse(): void {
  for (let code = FIRST_FREE; code < next; code++) {
    const entry = table + ((<usize>code) << 3);
    const start = <usize>load<u32>(entry);
    if (!isInOutput(start)) continue;
    const length = <usize>load<u32>(entry, 4);
    if (start + length > out) {
      memory.copy(area + 1 - length, start, length - 1);
      store<u32>(entry, <u32>(area + 1 - length));
    } else {
      memory.copy(keptEnd, start, length);
      store<u32>(entry, <u32>keptEnd);
      keptEnd += length;
    }
  }
  out = area;
}

/**
 * Decodes until the output reaches `limit` (it goes up to a string beyond) or, once it reaches `restAt`, the table is
 * cleared, when reuse costs nothing; or until no whole code is left of the `storedBytes` bytes at `stored`.
 */
export function decode(stored: usize, storedBytes: u32, restAt: usize, limit: usize): u32 {
  const endBits = storedBytes << 3;
  let at = out;
  let bits = position;
  let free = next;
  let width = min(MOST_WIDTH, 32 - <u32>clz(free));
  let why = FULL;
  while (at < limit) {
    const bitsAfter = bits + width;
    if (bitsAfter > endBits) {
      why = STARVED;
      break;
    }
    const word = bswap(load<u32>(stored + (bits >> 3)));
    const code = (word << (bits & 7)) >> (32 - width);
    bits = bitsAfter;
    if ((code & ~1) == CLEAR) {
      if (code == END) {
        why = ENDED;
        break;
      }
      free = FIRST_FREE;
      width = 9;
      keptEnd = kept;
      if (at >= restAt) break;
      continue;
    }
    if (code >= free) {
      why = IMPOSSIBLE;
      break;
    }
    const entry = table + ((<usize>code) << 3);
    const from = <usize>load<u32>(entry);
    const length = load<u32>(entry, 4);
    v128.store(at, v128.load(from));
    for (let done: usize = 16; done < length; done += 16) v128.store(at + done, v128.load(from + done));
    // Of the newest string this byte is the first that was just written.
    store<u8>(at + length - 1, load<u8>(from + length - 1));
    if (free <= TABLE_SIZE) {
      setEntry(free, at, length + 1);
      free++;
      if ((free & (free - 1)) == 0 && free < TABLE_SIZE) width++;
    }
    at += length;
  }
  out = at;
  position = bits;
  next = free;
  return why;
}
