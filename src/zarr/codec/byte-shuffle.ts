import { blockKernels } from './block-kernels.ts';

/** Size of the pieces that go through the kernel, so that a large block needs no large memory. */
const PIECE_BYTES = 262_144;
/** Type sizes with a vector kernel. */
const VECTOR_TYPE_SIZES: readonly number[] = [2, 4, 8];

/**
 * Undoes the byte shuffle of Blosc 1 and numcodecs (c-blosc `shuffle.c`): byte k of every element, then byte k + 1
 * of every element …; what is no whole element stays at the end. `block`, of any size, stays as it is; `output` is
 * as long.
 */
export function byteUnshuffle(block: Uint8Array, typeSizeBytes: number, output: Uint8Array): void {
  const count = Math.floor(block.length / typeSizeBytes);
  output.set(block.subarray(count * typeSizeBytes), count * typeSizeBytes);
  if (!VECTOR_TYPE_SIZES.includes(typeSizeBytes)) {
    unshuffleElements(block, typeSizeBytes, count, output);
    return;
  }
  const step = PIECE_BYTES / typeSizeBytes;
  const kernels = blockKernels();
  const piece = kernels.reserveShuffled(PIECE_BYTES, 0, true);
  for (let done = 0; done < count; done += step) {
    const elements = Math.min(step, count - done);
    for (let byte = 0; byte < typeSizeBytes; byte++) {
      const start = byte * count + done;
      piece.set(block.subarray(start, start + elements), byte * elements);
    }
    kernels.unshuffle(
      typeSizeBytes,
      output.subarray(done * typeSizeBytes, (done + elements) * typeSizeBytes),
    );
  }
}

function unshuffleElements(
  block: Uint8Array,
  typeSizeBytes: number,
  count: number,
  output: Uint8Array,
): void {
  for (let byte = 0; byte < typeSizeBytes; byte++) {
    const plane = byte * count;
    for (let element = 0; element < count; element++) {
      output[element * typeSizeBytes + byte] = block[plane + element] ?? 0;
    }
  }
}
