import { blockKernels } from './block-kernels.ts';

/**
 * Expands a raw LZ4 block (lz4 `lz4_Block_format.md`) of any size into `output`; false when it is damaged or does
 * not fill `output` exactly.
 */
export function decodeLz4Block(block: Uint8Array, output: Uint8Array): boolean {
  const kernels = blockKernels();
  const expanded = kernels.reserveShuffled(output.length, block.length, false);
  const isGood = kernels.expand(block, 0, output.length);
  if (isGood) output.set(expanded);
  kernels.trim();
  return isGood;
}
