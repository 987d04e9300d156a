// AssemblyScript, part of blosc-block.as.ts.

/** LZ4 (lz4 `lz4_Block_format.md`): the last match starts 12 bytes before the end, the last 5 bytes are literals. */
const MATCH_MARGIN: usize = 12;
const LITERAL_MARGIN: usize = 5;
const MIN_MATCH: usize = 4;
const MAX_DISTANCE: usize = 65535;
/** 4096 positions of 32 bits: the host gives `table` this room. */
const TABLE_BYTES: usize = 16384;
/** Bits a position is skipped by after so many failed searches: noise is passed quickly. */
const SKIP_SHIFT: u32 = 6;

// @ts-ignore: decorator
@inline
function slotOf(position: usize, table: usize): usize {
  return table + (((load<u32>(position) * 2654435761) >>> 20) << 2);
}

/** Bytes from `a` and `b` on that are equal, `a` not beyond `end`. */
// @ts-ignore: decorator
@inline
export function equalBytes(a: usize, b: usize, end: usize): usize {
  const start = a;
  while (a + 16 <= end) {
    const differing = i8x16.bitmask(i8x16.ne(v128.load(a), v128.load(b)));
    if (differing != 0) return a - start + <usize>ctz(differing);
    a += 16;
    b += 16;
  }
  while (a < end && load<u8>(a) == load<u8>(b)) {
    a++;
    b++;
  }
  return a - start;
}

/** Writes what a length has above the 15 of its token. */
// @ts-ignore: decorator
@inline
function storeLength(rest: usize, target: usize): usize {
  while (rest >= 255) {
    store<u8>(target++, 255);
    rest -= 255;
  }
  store<u8>(target++, <u8>rest);
  return target;
}

/** Copies in steps of 16 bytes, up to 15 too many; what is copied was there before. */
// @ts-ignore: decorator
@inline
function copyBytes(target: usize, source: usize, sizeBytes: usize): void {
  if (sizeBytes > 256) {
    memory.copy(target, source, sizeBytes);
    return;
  }
  for (let at: usize = 0; at < sizeBytes; at += 16) v128.store(target + at, v128.load(source + at));
}

/** Compresses into at most `capacity` bytes; 0 when they don't suffice. */
export function compress(source: usize, sizeBytes: usize, target: usize, capacity: usize, table: usize): usize {
  const end = source + sizeBytes;
  const limit = target + capacity;
  let out = target;
  let anchor = source;
  if (sizeBytes > MATCH_MARGIN) {
    memory.fill(table, 0, TABLE_BYTES);
    const lastStart = end - MATCH_MARGIN;
    const matchEnd = end - LITERAL_MARGIN;
    let next = source + 1;
    for (;;) {
      let at = next;
      let match: usize = 0;
      let tries: u32 = 1 << SKIP_SHIFT;
      for (;;) {
        at = next;
        next += tries++ >> SKIP_SHIFT;
        if (at > lastStart) break;
        const slot = slotOf(at, table);
        match = source + load<u32>(slot);
        store<u32>(slot, at - source);
        if (at - match <= MAX_DISTANCE && load<u32>(match) == load<u32>(at)) break;
      }
      if (at > lastStart) break;
      while (at > anchor && match > source && load<u8>(at - 1) == load<u8>(match - 1)) {
        at--;
        match--;
      }
      const literals = at - anchor;
      const more = equalBytes(at + MIN_MATCH, match + MIN_MATCH, matchEnd);
      if (out + literals + literals / 255 + more / 255 + 8 > limit) return 0;
      const token = out++;
      if (literals >= 15) out = storeLength(literals - 15, out);
      copyBytes(out, anchor, literals);
      out += literals;
      store<u16>(out, <u16>(at - match));
      out += 2;
      if (more >= 15) out = storeLength(more - 15, out);
      store<u8>(token, <u8>((min(literals, 15) << 4) | min(more, 15)));
      next = at + MIN_MATCH + more;
      anchor = next;
      if (next > lastStart) break;
      store<u32>(slotOf(next - 2, table), next - 2 - source);
    }
  }
  const literals = end - anchor;
  if (out + literals + literals / 255 + 2 > limit) return 0;
  const token = out++;
  if (literals >= 15) out = storeLength(literals - 15, out);
  store<u8>(token, <u8>(min(literals, 15) << 4));
  copyBytes(out, anchor, literals);
  return out + literals - target;
}

/** For every distance below 16 the lanes of a vector that repeats so many bytes. */
const repeatedLanes: usize = memory.data(256, 16);
for (let distance: usize = 1; distance < 16; distance++) {
  for (let lane: usize = 0; lane < 16; lane++) store<u8>(repeatedLanes + 16 * distance + lane, <u8>(lane % distance));
}

/** Copies a match, which may overlap what it produces; up to 15 bytes too many. */
// @ts-ignore: decorator
@inline
function copyMatch(target: usize, distance: usize, sizeBytes: usize): void {
  const source = target - distance;
  if (distance >= 16) {
    v128.store(target, v128.load(source));
    for (let at: usize = 16; at < sizeBytes; at += 16) v128.store(target + at, v128.load(source + at));
    return;
  }
  if (distance == 1 && sizeBytes > 64) {
    memory.fill(target, load<u8>(source), sizeBytes);
    return;
  }
  const repeated = v128.swizzle(v128.load(source), v128.load(repeatedLanes + 16 * distance));
  // As many whole distances as fit into a vector: the next one begins with the same byte.
  const step: usize = 16 - (16 % distance);
  v128.store(target, repeated);
  for (let at = step; at < sizeBytes; at += step) v128.store(target + at, repeated);
}

/** Whether the block from `source` on decodes to exactly `sizeBytes` bytes. */
export function expand(source: usize, packedBytes: usize, target: usize, sizeBytes: usize): bool {
  const end = source + packedBytes;
  const limit = target + sizeBytes;
  let at = source;
  let out = target;
  while (at < end) {
    const token = <usize>load<u8>(at++);
    let literals = token >> 4;
    if (literals == 15) {
      let byte: usize = 255;
      while (byte == 255) {
        if (at >= end || literals > sizeBytes) return false;
        byte = load<u8>(at++);
        literals += byte;
      }
    }
    if (literals > end - at || literals > limit - out) return false;
    // Most are at most a vector: without a loop.
    v128.store(out, v128.load(at));
    if (literals > 16) copyBytes(out + 16, at + 16, literals - 16);
    at += literals;
    out += literals;
    if (at == end) return out == limit;
    if (end - at < 2) return false;
    const distance = <usize>load<u16>(at);
    at += 2;
    let length = token & 15;
    if (length == 15) {
      let byte: usize = 255;
      while (byte == 255) {
        if (at >= end || length > sizeBytes) return false;
        byte = load<u8>(at++);
        length += byte;
      }
    }
    length += MIN_MATCH;
    if (distance == 0 || distance > out - target || length > limit - out) return false;
    copyMatch(out, distance, length);
    out += length;
  }
  return false;
}
