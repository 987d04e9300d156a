import { bitUnshuffle } from '../../zarr/codec/bit-shuffle.ts';
import { decodeLz4Block } from '../../zarr/codec/lz4-block.ts';

/**
 * HDF5's LZ4 filter (32004, "HDF5 LZ4 filter" of The HDF Group's registered filters): the decoded size in 8
 * big-endian bytes, the block size in 4, then for each block its packed size in 4 and a raw LZ4 block; a block as
 * long packed as unpacked is stored as it is.
 * @returns undefined when it is damaged or decodes to more than `maxBytes`.
 */
export function decodeLz4Frame(encoded: Buffer, maxBytes: number): Uint8Array | undefined {
  if (encoded.length < 12 || encoded.readUInt32BE(0) !== 0) return undefined;
  const sizeBytes = encoded.readUInt32BE(4);
  const blockBytes = encoded.readUInt32BE(8);
  if (sizeBytes > maxBytes || blockBytes === 0) return undefined;
  const output = new Uint8Array(sizeBytes);
  let at = 12;
  for (let done = 0; done < sizeBytes; ) {
    if (at + 4 > encoded.length) return undefined;
    const packedBytes = encoded.readUInt32BE(at);
    const packed = encoded.subarray(at + 4, at + 4 + packedBytes);
    const target = output.subarray(done, done + blockBytes);
    if (packed.length !== packedBytes) return undefined;
    if (packedBytes === target.length) target.set(packed);
    else if (!decodeLz4Block(packed, target)) return undefined;
    at += 4 + packedBytes;
    done += target.length;
  }
  return at === encoded.length ? output : undefined;
}

const LZ4 = 2;
/** Bitshuffle's blocks are about this long unless the writer says otherwise, and a multiple of 8 elements. */
const TARGET_BLOCK_BYTES = 8192;
const MIN_BLOCK_ELEMENTS = 128;

function defaultBlockElements(elementBytes: number): number {
  const elements = Math.floor(TARGET_BLOCK_BYTES / elementBytes / 8) * 8;
  return Math.max(elements, MIN_BLOCK_ELEMENTS);
}

/**
 * Bitshuffle's filter (32008, `bshuf_h5filter.c` and `bitshuffle_core.c` of kiyo-masui/bitshuffle): values are major
 * and minor version, element size, elements per block (0: by itself), compressor (0 none, 2 LZ4). With LZ4 the decoded
 * size in 8 big-endian bytes and the block's bytes in 4 come first, then every block with its packed size in 4. Bits
 * are transposed per block; the last block is a multiple of 8 elements, and what is left is stored as it is.
 * @returns undefined when it is damaged or does not decode to `sizeBytes`.
 */
export function decodeBitshuffle(
  encoded: Buffer,
  values: readonly number[],
  sizeBytes: number,
): Uint8Array | undefined {
  const elementBytes = values[2] ?? 0;
  const isPacked = values[4] === LZ4;
  if (elementBytes === 0 || sizeBytes % elementBytes !== 0) return undefined;
  let blockElements = values[3] ?? 0;
  let at = 0;
  if (isPacked) {
    if (encoded.length < 12 || encoded.readUInt32BE(0) !== 0 || encoded.readUInt32BE(4) !== sizeBytes)
      return undefined;
    blockElements = Math.floor(encoded.readUInt32BE(8) / elementBytes);
    at = 12;
  }
  if (blockElements === 0) blockElements = defaultBlockElements(elementBytes);
  if (blockElements % 8 !== 0) return undefined;
  const output = new Uint8Array(sizeBytes);
  const count = sizeBytes / elementBytes;
  const shuffledElements = count - (count % 8);
  for (let done = 0; done < shuffledElements; ) {
    const elements = Math.min(blockElements, shuffledElements - done);
    const target = output.subarray(done * elementBytes, (done + elements) * elementBytes);
    let block: Uint8Array;
    if (isPacked) {
      if (at + 4 > encoded.length) return undefined;
      const packed = encoded.subarray(at + 4, at + 4 + encoded.readUInt32BE(at));
      block = new Uint8Array(target.length);
      if (packed.length !== encoded.readUInt32BE(at) || !decodeLz4Block(packed, block)) return undefined;
      at += 4 + packed.length;
    } else {
      block = encoded.subarray(at, at + target.length);
      if (block.length !== target.length) return undefined;
      at += target.length;
    }
    bitUnshuffle(block, elementBytes, target);
    done += elements;
  }
  const rest = encoded.subarray(at);
  const tail = output.subarray(shuffledElements * elementBytes);
  if (rest.length !== tail.length) return undefined;
  tail.set(rest);
  return output;
}
