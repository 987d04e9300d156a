// AssemblyScript, compiled by scripts/gen-kernels.ts into blosc-block.generated.ts. The host lays memory out; every
// area it names is followed by at least 64 bytes that may be overwritten.
//
// A block of Blosc 1 is per stream `i32 csize` and an LZ4 block; csize equal to the stream's size means stored.
import { shuffle, unshuffle } from './byte-shuffle.part.as';
import { compress, equalBytes, expand } from './lz4-block.part.as';

export { expand, unshuffle };

/** Packs a block into `packed`, which has room for the block and 4 bytes per stream; returns the bytes written. */
export function packBlock(
  block: usize,
  sizeBytes: usize,
  typeSize: usize,
  streams: usize,
  shuffled: usize,
  table: usize,
  packed: usize,
): usize {
  if (typeSize > 1) shuffle(block, shuffled, sizeBytes, typeSize);
  const content = typeSize > 1 ? shuffled : block;
  const streamBytes = sizeBytes / streams;
  let out = packed;
  for (let stream: usize = 0; stream < streams; stream++) {
    const from = content + stream * streamBytes;
    let packedBytes = compress(from, streamBytes, out + 4, streamBytes - 1, table);
    if (packedBytes == 0) {
      packedBytes = streamBytes;
      memory.copy(out + 4, from, streamBytes);
    }
    store<u32>(out, packedBytes);
    out += 4 + packedBytes;
  }
  return out - packed;
}

/** Decodes a block of `sizeBytes` into `block`, by way of `shuffled`; false when it is damaged. */
export function unpackBlock(
  packed: usize,
  packedBytes: usize,
  typeSize: usize,
  streams: usize,
  shuffled: usize,
  block: usize,
  sizeBytes: usize,
): bool {
  const end = packed + packedBytes;
  const content = typeSize > 1 ? shuffled : block;
  const streamBytes = sizeBytes / streams;
  let at = packed;
  for (let stream: usize = 0; stream < streams; stream++) {
    if (end - at < 4) return false;
    const count = <usize>load<u32>(at);
    at += 4;
    if (count > end - at) return false;
    const into = content + stream * streamBytes;
    if (count == streamBytes) memory.copy(into, at, count);
    else if (!expand(at, count, into, streamBytes)) return false;
    at += count;
  }
  if (typeSize > 1) unshuffle(shuffled, block, sizeBytes, typeSize);
  return true;
}

/** Whether two areas hold the same bytes. */
export function isEqual(a: usize, b: usize, sizeBytes: usize): bool {
  return equalBytes(a, b, a + sizeBytes) == sizeBytes;
}
