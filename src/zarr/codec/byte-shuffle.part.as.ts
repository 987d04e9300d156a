// AssemblyScript, part of blosc-block.as.ts.
//
// Byte shuffle (c-blosc `shuffle.c`): byte k of every element, then byte k + 1 of every element …

// @ts-ignore: decorator
@inline
function evens(a: v128, b: v128): v128 {
  return v128.shuffle<u8>(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
}

// @ts-ignore: decorator
@inline
function odds(a: v128, b: v128): v128 {
  return v128.shuffle<u8>(a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
}

// @ts-ignore: decorator
@inline
function zipLow(a: v128, b: v128): v128 {
  return v128.shuffle<u8>(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}

// @ts-ignore: decorator
@inline
function zipHigh(a: v128, b: v128): v128 {
  return v128.shuffle<u8>(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}

function shuffle2(source: usize, target: usize, count: usize, stride: usize): void {
  for (let at: usize = 0; at < count; at += 16) {
    const a = v128.load(source + 2 * at);
    const b = v128.load(source + 2 * at, 16);
    v128.store(target + at, evens(a, b));
    v128.store(target + stride + at, odds(a, b));
  }
}

function unshuffle2(source: usize, target: usize, count: usize, stride: usize): void {
  for (let at: usize = 0; at < count; at += 16) {
    const low = v128.load(source + at);
    const high = v128.load(source + stride + at);
    v128.store(target + 2 * at, zipLow(low, high));
    v128.store(target + 2 * at, zipHigh(low, high), 16);
  }
}

function shuffle4(source: usize, target: usize, count: usize, stride: usize): void {
  for (let at: usize = 0; at < count; at += 16) {
    const a = v128.load(source + 4 * at);
    const b = v128.load(source + 4 * at, 16);
    const c = v128.load(source + 4 * at, 32);
    const d = v128.load(source + 4 * at, 48);
    const evenLow = evens(a, b);
    const evenHigh = evens(c, d);
    const oddLow = odds(a, b);
    const oddHigh = odds(c, d);
    v128.store(target + at, evens(evenLow, evenHigh));
    v128.store(target + stride + at, evens(oddLow, oddHigh));
    v128.store(target + 2 * stride + at, odds(evenLow, evenHigh));
    v128.store(target + 3 * stride + at, odds(oddLow, oddHigh));
  }
}

function unshuffle4(source: usize, target: usize, count: usize, stride: usize): void {
  for (let at: usize = 0; at < count; at += 16) {
    const a = v128.load(source + at);
    const b = v128.load(source + stride + at);
    const c = v128.load(source + 2 * stride + at);
    const d = v128.load(source + 3 * stride + at);
    const evenLow = zipLow(a, c);
    const evenHigh = zipHigh(a, c);
    const oddLow = zipLow(b, d);
    const oddHigh = zipHigh(b, d);
    v128.store(target + 4 * at, zipLow(evenLow, oddLow));
    v128.store(target + 4 * at, zipHigh(evenLow, oddLow), 16);
    v128.store(target + 4 * at, zipLow(evenHigh, oddHigh), 32);
    v128.store(target + 4 * at, zipHigh(evenHigh, oddHigh), 48);
  }
}

/** Elements of 8 bytes are elements of 4 whose even and odd ones are told apart first: bytes 0 to 3, bytes 4 to 7. */
// @ts-ignore: decorator
@inline
function lowWords(a: v128, b: v128): v128 {
  return v128.shuffle<u32>(a, b, 0, 2, 4, 6);
}

// @ts-ignore: decorator
@inline
function highWords(a: v128, b: v128): v128 {
  return v128.shuffle<u32>(a, b, 1, 3, 5, 7);
}

function shuffle8Half(source: usize, target: usize, stride: usize, isHigh: bool): void {
  const a0 = v128.load(source);
  const a1 = v128.load(source, 16);
  const b0 = v128.load(source, 32);
  const b1 = v128.load(source, 48);
  const c0 = v128.load(source, 64);
  const c1 = v128.load(source, 80);
  const d0 = v128.load(source, 96);
  const d1 = v128.load(source, 112);
  const a = isHigh ? highWords(a0, a1) : lowWords(a0, a1);
  const b = isHigh ? highWords(b0, b1) : lowWords(b0, b1);
  const c = isHigh ? highWords(c0, c1) : lowWords(c0, c1);
  const d = isHigh ? highWords(d0, d1) : lowWords(d0, d1);
  const evenLow = evens(a, b);
  const evenHigh = evens(c, d);
  const oddLow = odds(a, b);
  const oddHigh = odds(c, d);
  v128.store(target, evens(evenLow, evenHigh));
  v128.store(target + stride, evens(oddLow, oddHigh));
  v128.store(target + 2 * stride, odds(evenLow, evenHigh));
  v128.store(target + 3 * stride, odds(oddLow, oddHigh));
}

function shuffle8(source: usize, target: usize, count: usize, stride: usize): void {
  for (let at: usize = 0; at < count; at += 16) {
    shuffle8Half(source + 8 * at, target + at, stride, false);
    shuffle8Half(source + 8 * at, target + 4 * stride + at, stride, true);
  }
}

/** Stores elements of 8 bytes from their words; `high` false stores elements 0 to 7 of 16. */
function unshuffle8Half(source: usize, target: usize, stride: usize, isHigh: bool): void {
  const p0 = v128.load(source);
  const p1 = v128.load(source + stride);
  const p2 = v128.load(source + 2 * stride);
  const p3 = v128.load(source + 3 * stride);
  const p4 = v128.load(source + 4 * stride);
  const p5 = v128.load(source + 5 * stride);
  const p6 = v128.load(source + 6 * stride);
  const p7 = v128.load(source + 7 * stride);
  const even0 = isHigh ? zipHigh(p0, p4) : zipLow(p0, p4);
  const even1 = isHigh ? zipHigh(p2, p6) : zipLow(p2, p6);
  const odd0 = isHigh ? zipHigh(p1, p5) : zipLow(p1, p5);
  const odd1 = isHigh ? zipHigh(p3, p7) : zipLow(p3, p7);
  const evenLow = zipLow(even0, even1);
  const evenHigh = zipHigh(even0, even1);
  const oddLow = zipLow(odd0, odd1);
  const oddHigh = zipHigh(odd0, odd1);
  v128.store(target, zipLow(evenLow, oddLow));
  v128.store(target, zipHigh(evenLow, oddLow), 16);
  v128.store(target, zipLow(evenHigh, oddHigh), 32);
  v128.store(target, zipHigh(evenHigh, oddHigh), 48);
}

function unshuffle8(source: usize, target: usize, count: usize, stride: usize): void {
  for (let at: usize = 0; at < count; at += 16) {
    unshuffle8Half(source + at, target + 8 * at, stride, false);
    unshuffle8Half(source + at, target + 8 * at + 64, stride, true);
  }
}

/** Shuffles a block; what is no whole element stays at its end. */
export function shuffle(source: usize, target: usize, sizeBytes: usize, typeSize: usize): void {
  const count = sizeBytes / typeSize;
  let element: usize = 0;
  if (typeSize == 2 || typeSize == 4 || typeSize == 8) {
    element = count & ~15;
    if (typeSize == 2) shuffle2(source, target, element, count);
    else if (typeSize == 4) shuffle4(source, target, element, count);
    else shuffle8(source, target, element, count);
  }
  for (; element < count; element++) {
    for (let byte: usize = 0; byte < typeSize; byte++) {
      store<u8>(target + byte * count + element, load<u8>(source + element * typeSize + byte));
    }
  }
  const whole = count * typeSize;
  memory.copy(target + whole, source + whole, sizeBytes - whole);
}

/** Inverse of {@link shuffle}. */
export function unshuffle(source: usize, target: usize, sizeBytes: usize, typeSize: usize): void {
  const count = sizeBytes / typeSize;
  let element: usize = 0;
  if (typeSize == 2 || typeSize == 4 || typeSize == 8) {
    element = count & ~15;
    if (typeSize == 2) unshuffle2(source, target, element, count);
    else if (typeSize == 4) unshuffle4(source, target, element, count);
    else unshuffle8(source, target, element, count);
  }
  for (; element < count; element++) {
    for (let byte: usize = 0; byte < typeSize; byte++) {
      store<u8>(target + element * typeSize + byte, load<u8>(source + byte * count + element));
    }
  }
  const whole = count * typeSize;
  memory.copy(target + whole, source + whole, sizeBytes - whole);
}
